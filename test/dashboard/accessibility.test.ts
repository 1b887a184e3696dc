import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { startDashboard, type Dashboard } from '../../src/dashboard/server/dashboard-server.js'
import { journalFormat, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import { writeNote } from '../../src/sweeps/sweep-note.js'
import { openStore } from '../../src/system/store.js'
import { hasChromium, keepScreenshot, launchChromium } from '../helpers/chromium.js'
import { writeSweep } from '../helpers/written-sweep.js'

const note = `# What *this* was
- a list with \`code\` and **weight**
- <script>window.owned = 1</script> and [a trap](javascript:alert(1))
- [a page](https://example.org/x)
`
let folder: string
let dashboard: Dashboard
let browser: Browser
let trials: readonly string[]

beforeAll(async () => {
  if (!hasChromium) return
  folder = mkdtempSync(join(tmpdir(), 'mlds-accessible-'))
  const store = openStore(join(folder, '.mlds'))
  const steps = Array.from({ length: 30 }, (_, i) => i + 1)
  const sweep = await writeSweep(store, 'seen', steps, (planned) => {
    let atMs = 1_700_000_000_000
    const facts = { sweep: 'seen', planHash: 'x', codeVersion: '0' }
    const events: JournalEvent[] = [{ type: 'opened', format: journalFormat, ...facts, atMs }]
    planned.forEach(({ id }, i) => {
      const attempt = { trial: id, attempt: 1 }
      events.push({ type: 'started', ...attempt, atMs: ++atMs, worker: `w${i % 2}` })
      for (let step = 1; step <= 3; step++)
        events.push({ type: 'report', ...attempt, atMs: ++atMs, step, metrics: { loss: (1 + i) / step } })
      const error = { name: 'Error', message: 'broken' }
      const outcome =
        i === 1
          ? ({ state: 'failed', error } as const)
          : ({ state: 'finished', metrics: { loss: (1 + i) / 3 }, artifacts: {} } as const)
      events.push({ type: 'ended', ...attempt, atMs: ++atMs, outcome })
    })
    return events
  })
  trials = sweep.plan.trials.map(({ id }) => id)
  await writeNote(sweep.folder, { note, tags: ['baseline'] })
  await writeSweep(store, 'empty', [1], () => [])
  dashboard = await startDashboard({ store, clock: systemClock, port: 0, trustCode: false, allowsActions: true })
  browser = await launchChromium()
})
afterAll(async () => {
  if (!hasChromium) return
  await browser.close()
  await dashboard.close()
  rmSync(folder, { recursive: true })
})

const views: readonly (readonly [name: string, address: string])[] = [
  ['list', ''],
  ...['trials', 'curves', 'parallel', 'scatter', 'slices', 'figures', 'workers'].map(
    (view) => [view, `#/sweep/seen/${view}`] as const,
  ),
  ['trial', '#/sweep/seen/trial/1'],
  ['compare', '#/sweep/seen/compare/2/3'],
  ['empty', '#/sweep/empty/curves'],
  ['broken', '#/sweep/nothing'],
]

/** Numbers in a view's address stand for trials of that place. */
async function openView(context: BrowserContext, view: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${dashboard.url}${view.replaceAll(/\/(\d)/g, (_, place: string) => `/${trials[Number(place)]}`)}`)
  await page.waitForSelector(view.endsWith('nothing') ? '.notice.broken' : 'main > *')
  // What is waited for comes from this very process.
  await expect.poll(() => page.locator('.notice.waiting').count()).toBe(0)
  return page
}

const serious = `axe.run().then(({ violations }) => violations
  .filter(({ impact }) => impact !== 'minor')
  .map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map(({ html }) => html.slice(0, 150)).join(' | ')))`
const stops = `[...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
  .filter((one) => one.checkVisibility() && !one.disabled).map((one, i) => (one.dataset.stop = i)).length`

describe.skipIf(!hasChromium)('the page, for whoever reads it', () => {
  it.each(views)(
    'is read by anybody, view %s: axe finds nothing on light or dark ground, keys alone reach every control, a phone need not scroll sideways',
    async (name, view) => {
      const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
      const context = await browser.newContext({ viewport: { width: 1100, height: 800 } })
      const page = await openView(context, view)
      await page.evaluate(axe)
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        expect(await page.evaluate<string[]>(serious), colorScheme).toEqual([])
      }
      await keepScreenshot(page, `dashboard-${name}-dark`)
      const wanted = await page.evaluate<number>(stops)
      const reached = new Set<string>()
      for (let i = 0; i <= 3 * wanted + 100 && reached.size < wanted; i++) {
        await page.keyboard.press('Tab')
        const stop = await page.evaluate<string | null>('document.activeElement?.dataset.stop ?? null')
        if (stop !== null) reached.add(stop)
      }
      const missed = `[...document.querySelectorAll('[data-stop]')]
        .filter(({ dataset }) => !${JSON.stringify([...reached])}.includes(dataset.stop)).map(({ outerHTML }) => outerHTML.slice(0, 150))`
      expect(await page.evaluate(missed)).toEqual([])
      await page.emulateMedia({ colorScheme: 'light' })
      await page.setViewportSize({ width: 360, height: 740 })
      await expect.poll(() => page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
      await keepScreenshot(page, `dashboard-${name}-phone`)
      await context.close()
    },
  )

  it('shows a note as Markdown, in which no markup and no address but of the web comes to life', async () => {
    const context = await browser.newContext()
    const page = await openView(context, '#/sweep/seen')
    expect(await page.textContent('.written h2')).toBe('What this was')
    expect(await page.locator('.written li').count()).toBe(3)
    expect(await page.textContent('.written li code')).toBe('code')
    expect(await page.textContent('.written')).toContain('<script>window.owned = 1</script>')
    expect(await page.evaluate(`[...document.querySelectorAll('.written a')].map((one) => one.href)`)).toEqual([
      'https://example.org/x',
    ])
    expect(await page.evaluate('window.owned')).toBeUndefined()
    await context.close()
  })
})
