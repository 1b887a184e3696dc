import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { MlflowClient } from '../../../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../../../src/tracking/mlflow/rest/settings.js'
import { hasChromium, keepScreenshot, launchChromium } from '../../helpers/chromium.js'
import { mlds, temporaryFolder } from '../../helpers/cli.js'
import { hasMlflow, startMlflow, type MlflowServer } from '../../helpers/mlflow.js'

const set = ['dataset=glyphs-2000', 'trainRows=600', 'validationRows=200', 'epochs=3', 'width=4,8,16', 'seed=0..1']
const args = ['sweep', 'params', ...set.flatMap((value) => ['--set', value]), '--name', 'seen', '--json']

// MLflow takes 5 to 25 s to start, and its pages are several megabytes of script.
describe.skipIf(!hasMlflow || !hasChromium)("a sweep on MLflow's own pages", () => {
  let server: MlflowServer
  let browser: Browser
  beforeAll(async () => {
    server = await startMlflow()
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser.close()
    await server.close()
  })
  const openPage = async (link: string): Promise<Page> => {
    const page = await browser.newPage({ viewport: { width: 1600, height: 1100 } })
    onTestFinished(() => page.close())
    page.setDefaultTimeout(120_000)
    await page.goto(link)
    return page
  }
  /** Waits until the picture has arrived, and gives its width in pixels: 0 would be a broken one. */
  const widthOf = async (picture: Locator): Promise<number> => {
    await picture.waitFor({ state: 'attached' })
    return picture.evaluate(async (element) => {
      const image = element as unknown as { decode(): Promise<void>; naturalWidth: number }
      await image.decode().catch(() => {})
      return image.naturalWidth
    })
  }

  it('shows each setting with its curves, the trials side by side, the story with its figures, and a figure among the artifacts', async () => {
    const cwd = temporaryFolder()
    const swept = await mlds([...args, '--track', server.url], { cwd })
    expect(swept.code, swept.stderr).toBe(0)
    const { link, storyLink, compareLink } = JSON.parse(swept.stdout) as Record<string, string>

    // Without a click: each setting with the mean of its seeds, the best trial first, and curves of the trials first.
    const runs = await openPage(link!)
    for (const width of [4, 8, 16])
      await runs
        .getByText(new RegExp(`width=${width} \\(`))
        .first()
        .waitFor()
    await runs.locator('.js-plotly-plot').first().waitFor()
    await keepScreenshot(runs, 'mlflow-runs')
    const best = await bestOf(cwd)
    expect(best.trials).toContain((await runs.getByText(/^width=\d+ seed=\d$/).allInnerTexts())[0])
    await runs.getByTitle('train/loss').waitFor()
    expect(await runs.getByTitle(/^(?:best|trials)\//).count()).toBe(0)

    const compared = await openPage(compareLink!)
    await compared.getByText('Parallel Coordinates Plot').first().waitFor()
    await compared.locator('.js-plotly-plot').first().waitFor()
    await keepScreenshot(compared, 'mlflow-compared')

    const story = await openPage(storyLink!)
    const outcome = story.getByRole('main').getByRole('paragraph').filter({ hasText: '6 of 6 trials finished.' })
    await outcome.getByText(`Best by the mean over 2 seeds: width=${best.width}, `).waitFor()
    await outcome.getByText('Verdicts: ').waitFor()
    await outcome.getByRole('link', { name: `width=${best.width} seed=1` }).waitFor()
    await keepScreenshot(story, 'mlflow-outcome')
    expect(await mlds(['audit', server.url, '--deep'], { cwd })).toMatchObject({ code: 0 })
    await story.getByRole('button', { name: 'Expand description' }).click()
    await story.getByRole('cell', { name: 'the parameter count is P(u) = 7860 + 23u + 2u²' }).waitFor()
    const files = readdirSync(join(cwd, '.mlds', 'sweeps', 'seen', 'figures'))
    const figures = files.filter((file) => file.endsWith('.png'))
    for (const index of figures.keys())
      expect(await widthOf(story.getByRole('main').locator('p img').nth(index))).toBeGreaterThan(100)
    await keepScreenshot(story, 'mlflow-story')

    const [address, query] = storyLink!.split('?')
    const artifact = await openPage(`${address}/artifacts/figures/1-loss-against-parameters-log.png?${query}`)
    expect(await widthOf(artifact.locator(`img[src*="1-loss"], img[src^="blob:"]`).first())).toBeGreaterThan(100)
    // Of a name the tree shows 17 letters.
    const shown = (await artifact.getByText(/^\d-.*\.png$/).allInnerTexts()).map((name) => name.slice(0, 17))
    expect(shown).toHaveLength(figures.length)
    expect(new Set(shown).size).toBe(figures.length)
    await keepScreenshot(artifact, 'mlflow-figure')
  })

  it('shows what the processes of a trial took among the system metrics of its run', async () => {
    const cwd = temporaryFolder()
    const experiment = { command: ['sh', '-c', 'sleep 2; echo "loss=$1"', 'sh', '{x}'] }
    writeFileSync(join(cwd, 'q.yaml'), JSON.stringify({ experiment, axes: { x: [1] }, seeds: 0 }))
    const swept = await mlds(['sweep', 'q.yaml', '--name', 'taking', '--track', server.url], { cwd })
    expect(swept.code, swept.stderr).toBe(0)
    const client = new MlflowClient(mlflowSettings(server.url, {}))
    const [run] = await client.searchRuns(await client.experimentIds(), `tags."mlds.usage" LIKE '%'`)
    const path = `experiments/${run!.experimentId}/runs/${run!.id}/system-metrics?workflowType=machine_learning`
    const page = await openPage(`${server.url}/#/${path}`)
    for (const metric of ['process_peak_memory_megabytes', 'process_cpu_percentage'])
      await page.getByText(metric).first().waitFor()
    await keepScreenshot(page, 'mlflow-system-metrics')
  })

  /** The best point's width, and the trials that are best by themselves. */
  async function bestOf(cwd: string): Promise<{ width: number; trials: string[] }> {
    const { stdout } = await mlds(['best', 'seen', '--json'], { cwd })
    const { points } = JSON.parse(stdout) as { points: { params: { width: number }; values: number[] }[] }
    const highest = Math.max(...points.flatMap(({ values }) => values))
    const trials = points.flatMap(({ params: { width }, values }) =>
      values.flatMap((value, seed) => (value === highest ? [`width=${width} seed=${seed}`] : [])),
    )
    return { width: points[0]!.params.width, trials }
  }
})
