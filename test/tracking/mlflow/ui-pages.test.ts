import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
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

    // Without a click: each setting with the mean of its seeds, and curves of the objective.
    const runs = await openPage(link!)
    await keepScreenshot(runs, 'mlflow-opening')
    for (const width of [4, 8, 16])
      await runs
        .getByText(new RegExp(`width=${width} \\(`))
        .first()
        .waitFor()
    await runs.locator('.js-plotly-plot').first().waitFor()
    await keepScreenshot(runs, 'mlflow-runs')

    const compared = await openPage(compareLink!)
    await compared.getByText('Parallel Coordinates Plot').first().waitFor()
    await compared.locator('.js-plotly-plot').first().waitFor()
    await keepScreenshot(compared, 'mlflow-compared')

    const story = await openPage(storyLink!)
    await story.getByText('6 of 6 trials finished.').waitFor()
    await story.getByRole('button', { name: 'Expand description' }).click()
    await story.getByRole('cell', { name: 'the parameter count is P(u) = 7860 + 23u + 2u²' }).waitFor()
    const figures = readdirSync(join(cwd, '.mlds', 'sweeps', 'seen', 'figures')).filter((file) => file.endsWith('.png'))
    for (const index of figures.keys())
      expect(await widthOf(story.getByRole('main').locator('p img').nth(index))).toBeGreaterThan(100)
    await keepScreenshot(story, 'mlflow-story')

    const [address, query] = storyLink!.split('?')
    const artifact = await openPage(`${address}/artifacts/figures/${figures[0]}?${query}`)
    expect(await widthOf(artifact.locator(`img[src*="${figures[0]}"], img[src^="blob:"]`).first())).toBeGreaterThan(100)
    await keepScreenshot(artifact, 'mlflow-figure')
  })
})
