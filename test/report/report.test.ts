import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frozenPage } from '../../src/dashboard/frozen/document.js'
import { freeze } from '../../src/dashboard/frozen/freeze.js'
import { writeReport } from '../../src/dashboard/frozen/write-report.js'
import { againstAxis } from '../../src/figures/against-axis.js'
import { buildReport, tabulate, type Report } from '../../src/report/report.js'
import { headline, renderMarkdown } from '../../src/report/markdown.js'
import type { TrialRecord } from '../../src/core/trial.js'
import { hasChromium, keepScreenshot, launchChromium } from '../helpers/chromium.js'
import { plainExperiment } from '../helpers/experiments.js'

const hostile = `</script><script>window.owned = 1</script><img src=x onerror="window.owned = 2">|\`'"&\n# x`

function records(count: number): TrialRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const failed = index === 1
    const metrics = index === 2 ? { 'train/loss': NaN } : { 'train/loss': 1 / (1 + ((index * 7919) % count)) }
    return {
      trial: {
        id: index.toString(16).padStart(16, '0'),
        index,
        experiment: 'toy',
        version: 1,
        stage: 'main',
        params: { width: 1 + (index % 50), rate: 0.1, kind: index % 2 === 0 ? 'plain' : hostile },
        seeds: { data: 0, init: index, shuffle: 0, corruption: 0 },
        parents: [],
        cost: 1,
      },
      state: failed ? 'failed' : 'finished',
      attempts: 1,
      startedAtMs: 1_700_000_000_000 + index,
      endedAtMs: 1_700_000_001_500 + index,
      outcome: failed
        ? { state: 'failed', error: { name: 'Error', message: hostile } }
        : { state: 'finished', metrics, artifacts: {} },
      metrics: failed ? {} : metrics,
      artifacts: {},
      series: {},
    }
  })
}

function report(count: number): Promise<Report> {
  const experiment = {
    ...plainExperiment(),
    title: `Toy ${hostile}`,
    figures: [
      againstAxis({
        name: 'loss-against-width',
        caption: `Loss against width ${hostile}`,
        title: 'Loss against width',
        x: { title: 'width', scale: 'linear', of: ({ trial }) => Number(trial.params['width']) },
        y: { title: 'loss' },
        series: [{ metric: 'train/loss', label: hostile }],
      }),
      { name: 'broken', caption: 'Never seen.', draw: () => Promise.reject(new Error(hostile)) },
    ],
    claims: [
      {
        id: 'falls',
        statement: `the loss falls ${hostile}`,
        published: `it fell ${hostile}`,
        check: () =>
          ({ state: 'reproduced', summary: hostile, seeds: 3, effect: -0.5, interval: [-0.75, -0.25] }) as const,
      },
    ],
  }
  const facts = {
    sweep: 'toy-1',
    profile: 'reduced',
    spec: { experiment: 'toy', name: hostile, axes: {} },
    planHash: 'abc',
    codeVersion: '0.1.0',
    engines: ['compiled'],
    data: { [hostile]: 'f00d' },
    createdAtMs: 1_700_000_000_000,
  }
  return buildReport({ experiment, facts, records: records(count), read: () => Promise.reject(new Error('none')) })
}

const pageOf = (built: Report): string => frozenPage(built, freeze(built), { script: '', style: '' })

let folder: string
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'mlds-report-'))))
afterAll(() => rmSync(folder, { recursive: true }))

it('says at its head what ran, what is the best and which axes matter, each as a sentence, and nothing where nobody knows', async () => {
  const plain = await report(3)
  const told = { outcome: '3 of 3 trials finished', tally: '1 reproduced', best: 'best of one seed: x=1' }
  expect(headline({ ...plain, ...told, importance: 'importance: rate 90 %' })).toBe(
    '3 of 3 trials finished; of its claims 1 reproduced. Best of one seed: x=1. Importance: rate 90 %.',
  )
  expect(headline({ ...plain, ...told, tally: '', best: '', importance: '' })).toBe('3 of 3 trials finished.')
})

describe('a report', () => {
  it('counts as the rest of mlds does: what was stopped or diverged has finished, what has not begun is missing', async () => {
    const states = [
      'finished',
      'stopped',
      'diverged',
      'failed',
      'dead',
      'skipped',
      'cancelled',
      'running',
      'planned',
    ] as const
    const mixed = records(18).map((record, i) => ({ ...record, state: states[i % 9]! }))
    const { outcome } = await buildReport({
      experiment: plainExperiment(),
      facts: {
        sweep: 's',
        profile: '',
        spec: {},
        planHash: '',
        codeVersion: '',
        engines: [],
        data: {},
        createdAtMs: 0,
      },
      records: mixed,
      read: () => Promise.reject(new Error('none')),
    })
    expect(outcome).toBe(
      '6 of 18 trials finished, 2 stopped early, 2 diverged, 2 failed, 2 dead, 2 skipped, 2 cancelled, 2 running, 2 missing',
    )
  })

  it('is the same bytes for the same records', async () => {
    const [one, two] = [await report(20), await report(20)]
    expect(pageOf(one)).toBe(pageOf(two))
    expect(renderMarkdown(one, (name) => name)).toBe(renderMarkdown(two, (name) => name))
  })

  it('states effect, interval, seeds, the published value and every fact of the manifest', async () => {
    const built = await report(20)
    const page = pageOf(built)
    for (const text of [
      '-0.75 to -0.25',
      'it fell',
      '>3<',
      'hash abc',
      '0.1.0',
      'compiled',
      'f00d',
      '2023-11-14T22:13:20.000Z',
    ])
      expect(page).toContain(text)
    expect(built.outcome).toBe('19 of 20 trials finished, 1 failed')
    for (const text of [page, renderMarkdown(built, (name) => name)])
      expect(text).toContain('19 of 20 trials finished, 1 failed; of its claims 1 reproduced.')
    const manifest = Object.fromEntries(built.manifest)
    expect(manifest['the same in every trial']).toContain('rate = 0.1')
    expect(manifest['varied']).toMatch(/^width: 1, 2, 3, .*, 20; kind: plain, /)
    expect(Object.fromEntries((await report(60)).manifest)['varied']).toContain('23 … 50 (50 values)')
    expect(built.troubles).toHaveLength(1)
  })

  it('has one column of seeds where the four seeds of every trial are one number', () => {
    const one = records(4).map((record, i) => {
      const seeds = { data: i, init: i, shuffle: i, corruption: i }
      return { ...record, trial: { ...record.trial, seeds } }
    })
    expect(tabulate(one).columns).toEqual([
      '#',
      'trial',
      'state',
      'width',
      'kind',
      'seed',
      'train/loss',
      'seconds',
      'note',
    ])
    expect(tabulate(records(4)).columns).toContain('seed.init')
    expect(tabulate(records(4)).columns).not.toContain('seed')
  })

  it('lets no markup from outside into HTML or Markdown', async () => {
    const built = await report(20)
    const html = pageOf(built)
    expect(html).not.toContain('<script>window')
    expect(html).not.toContain('<img src=x')
    const markdown = renderMarkdown(built, (name) => `${name}.png`)
    expect(markdown).not.toMatch(/<(script|img)/)
    // A line break or an unescaped bar in a cell would break its table: every row has the columns of its head.
    const bars = markdown
      .split('\n')
      .filter((line) => line.startsWith('| ') && line.includes('0000'))
      .map((line) => line.match(/(?<!\\)\|/g)!.length)
    expect(bars).toHaveLength(20)
    expect(new Set(bars)).toEqual(new Set([built.table.columns.length + 1]))
  })
})

describe.skipIf(!hasChromium)('the page in a browser', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await launchChromium()))
  afterAll(() => browser.close())

  async function open(
    name: string,
    count: number,
    options: object,
    hash = '',
  ): Promise<{ page: Page; complaints: string[]; requests: string[] }> {
    const file = join(folder, `${name}.html`)
    await writeReport(await report(count), file)
    const page = await browser.newPage(options)
    const [complaints, requests]: [string[], string[]] = [[], []]
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => requests.push(request.url()))
    await page.goto(`${pathToFileURL(file).href}${hash}`)
    await page.waitForSelector('nav[aria-label="Views of the sweep"] a')
    return { page, complaints, requests: requests.filter((url) => !/^(data|blob):/.test(url)) }
  }
  const column = async (page: Page, name: string): Promise<string[]> => {
    const at = (await page.locator('#trial-table th').allTextContents()).indexOf(name)
    return page.locator(`#trial-table tbody tr[data-trial] td:nth-child(${at + 1})`).allTextContents()
  }

  it('draws, sorts, filters and scrolls through 10,000 trials without a request or a complaint, whatever they hold', async () => {
    const { page, complaints, requests } = await open('many', 10_000, {})
    expect(await page.locator('figure img').first().getAttribute('alt')).toContain('Loss against width')
    await page.getByRole('button', { name: 'train/loss', exact: true }).click()
    const losses = (await column(page, 'train/loss')).map(Number)
    expect(losses.length).toBeGreaterThan(10)
    expect(losses).toEqual([...losses].sort((a, b) => a - b))
    await page.locator('#filter').fill('000000000000270f')
    await expect.poll(() => page.textContent('#count')).toBe('1 of 10000 trials')
    await page.locator('#filter').fill('')
    await expect.poll(() => page.textContent('#count')).toBe('10000 trials')
    await page.evaluate(`document.querySelector('.scroller').scrollTop = 1e9`)
    // The two without a loss are the last, in the order of the plan.
    await expect.poll(async () => (await column(page, 'width')).slice(-2)).toEqual(['2', '3'])
    expect(await page.evaluate('window.owned')).toBeUndefined()
    expect(requests).toEqual([pathToFileURL(join(folder, 'many.html')).href])
    expect(complaints).toEqual([])
    expect(statSync(join(folder, 'many.html')).size).toBeLessThan(3e6)
    await page.close()
  })

  it.each([
    'trials',
    'curves',
    'parallel',
    'scatter',
    'slices',
    'workers',
    'trial/0000000000000001',
    'compare/0000000000000003/0000000000000004',
  ])('has the view %s of the dashboard, and says what the report does not hold', async (view) => {
    const { page, complaints } = await open('views', 60, {}, `#/sweep/toy-1/${view}`)
    await page.waitForSelector('main > *')
    expect(await page.locator('.notice.waiting').count()).toBe(0)
    expect(await page.locator('.notice.broken').count()).toBe(0)
    expect(await page.evaluate('window.owned')).toBeUndefined()
    expect(complaints).toEqual([])
    await page.close()
  })

  it.each([
    ['phone', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }],
    ['desk', { viewport: { width: 1280, height: 900 }, colorScheme: 'light' }],
  ])('fits a %s, names its pictures, and keeps its headings in order', async (name, options) => {
    const { page, complaints } = await open(name, 30, options)
    const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
    expect(wide).toBeLessThanOrEqual(0)
    expect(await page.locator('.drawing img').first().getAttribute('alt')).toContain('Loss against width')
    expect(await page.locator('h1').count()).toBe(1)
    expect(await page.locator('h2').allTextContents()).toEqual(['Verdicts', 'Figures', 'Trials', 'Manifest'])
    await keepScreenshot(page, `report-${name}`)
    expect(complaints).toEqual([])
    await page.close()
  })

  it('is printed with the whole width of its table, and says which rows these are', async () => {
    // What an A4 page in landscape has between its margins, in CSS pixels.
    const { page } = await open('printed', 600, { viewport: { width: 1047, height: 718 } })
    await page.emulateMedia({ media: 'print' })
    expect(await page.locator('#filter').isVisible()).toBe(false)
    expect(await page.locator('nav').isVisible()).toBe(false)
    expect(await page.textContent('.printed')).toBe('Rows 1–500 of 600; mlds export writes them all')
    expect(await page.locator('.printed').isVisible()).toBe(true)
    expect(await page.locator('#trial-table tbody tr').count()).toBe(500)
    const beyond = `document.querySelector('#trial-table').getBoundingClientRect().right - document.documentElement.clientWidth`
    expect(await page.evaluate(beyond)).toBeLessThanOrEqual(0)
    await page.close()
  })

  it('reads without scripts: headline, verdicts, figures, settings and the first trials', async () => {
    const file = join(folder, 'still.html')
    await writeReport(await report(5), file)
    const page = await browser.newPage({ javaScriptEnabled: false })
    await page.goto(pathToFileURL(file).href)
    expect(await page.textContent('header')).toContain('4 of 5 trials finished, 1 failed; of its claims 1 reproduced.')
    expect(await page.locator('.drawing img').count()).toBe(1)
    expect(await page.locator('h2').allTextContents()).toEqual([
      'Verdicts',
      'Figures',
      'Settings',
      'Trials',
      'Manifest',
    ])
    expect(await page.locator('table:has-text("In the order of the plan") tbody tr').count()).toBe(5)
    expect(await page.locator('table:has-text("The best first") tbody tr').count()).toBe(3)
    expect(
      readFileSync(join(folder, 'still-figures', 'loss-against-width.png'))
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG')
    await page.close()
  })
})
