import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import type { Trial } from '../../src/core/trial.js'
import { startDashboard, type Dashboard } from '../../src/dashboard/server/dashboard-server.js'
import { Journal, journalFormat, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import type { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { openStore } from '../../src/system/store.js'
import { hasChromium, launchChromium } from '../helpers/chromium.js'
import { writeSweep } from '../helpers/written-sweep.js'

const steps = [1, 2, 3, 4, 5, 6]
const ended = ({ id, index }: Trial, loss: number): JournalEvent[] => {
  const attempt = { trial: id, attempt: 1, atMs: 1_700_000_000_000 + index }
  return [
    { type: 'started', ...attempt, worker: 'w' },
    { type: 'report', ...attempt, step: 1, metrics: { loss } },
    { type: 'ended', ...attempt, outcome: { state: 'finished', metrics: { loss }, artifacts: {} } },
  ]
}
const opened = (sweep: string): JournalEvent => ({
  ...{ type: 'opened', format: journalFormat, sweep, planHash: 'x', codeVersion: '0', atMs: 1_700_000_000_000 },
})
const losses: Readonly<Record<string, readonly number[]>> = {
  decades: steps.map((step) => 10 ** step),
  narrow: steps.map((step) => 1 + step / 10),
  signed: steps.map((step) => step - 3),
  // Those that are given come before the page looks, the rest while it does.
  growing: [1, 1.1, 1.2],
  planned: [],
  drawn: [1],
}
const failed = ({ id, index }: Trial, loss: number): JournalEvent[] => {
  const attempt = { trial: id, attempt: 1, atMs: 1_700_000_000_000 + index }
  const error = { name: 'Error', message: 'broken' }
  return [
    ...ended({ id, index } as Trial, loss).slice(0, 2),
    { type: 'ended', ...attempt, outcome: { state: 'failed', error } },
  ]
}

let folder: string
let dashboard: Dashboard
let browser: Browser
const sweeps = new Map<string, SweepFolder>()

beforeAll(async () => {
  if (!hasChromium) return
  folder = mkdtempSync(join(tmpdir(), 'mlds-controls-'))
  const store = openStore(join(folder, '.mlds'))
  for (const [name, values] of Object.entries(losses)) {
    const written = await writeSweep(store, name, steps, (trials) =>
      values.length === 0 ? [] : [opened(name), ...values.flatMap((value, i) => ended(trials[i]!, value))],
    )
    sweeps.set(name, written)
  }
  await writeSweep(store, 'broken', steps, (trials) => [
    opened('broken'),
    ...trials.flatMap((trial, i) => (i < 3 ? ended(trial, 10 + i) : failed(trial, 1))),
  ])
  dashboard = await startDashboard({ store, clock: systemClock, port: 0, trustCode: false, allowsActions: false })
  browser = await launchChromium()
})
afterAll(async () => {
  if (!hasChromium) return
  await browser.close()
  await dashboard.close()
  rmSync(folder, { recursive: true })
})

async function openView(name: string, view: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1000, height: 700 } })
  await page.goto(`${dashboard.url}#/sweep/${name}/${view}`)
  await page.waitForSelector('main > *')
  await expect.poll(() => page.locator('.notice.waiting').count()).toBe(0)
  return page
}
const drawing: Readonly<Record<string, string>> = {
  curves: '.chart',
  scatter: 'canvas.scatter',
  slices: '.slices canvas',
}
const told = async (page: Page, view: string): Promise<string> =>
  (await page.locator(drawing[view]!).first().getAttribute('aria-label')) ?? ''

/** What each box says that is drawn, and what the drawing says of itself: the pairs are to be equal. */
async function boxesAndDrawn(
  page: Page,
  view: string,
): Promise<Record<string, readonly [box: boolean, drawn: boolean]>> {
  const label = await told(page, view)
  const found: Record<string, readonly [boolean, boolean]> = {}
  for (const [box, metric] of [
    ['log metric', /^loss \(logarithmic\)/],
    ['log up', /^loss \(logarithmic\)/],
    ['log across', /against steps \(logarithmic\)/],
    ['log step', /over steps \(logarithmic\)/],
  ] as const) {
    const input = page.getByLabel(box, { exact: true })
    if ((await input.count()) > 0) found[box] = [await input.isChecked(), metric.test(label)]
  }
  return found
}

describe.skipIf(!hasChromium)('a control of the page', () => {
  it.each(
    ['curves', 'scatter', 'slices'].flatMap((view) => ['decades', 'narrow', 'signed'].map((sweep) => [view, sweep])),
  )('shows what is drawn: %s of results that are %s, as it opens and after each click', async (view, sweep) => {
    const page = await openView(sweep, view)
    await expect.poll(() => told(page, view)).toContain('loss')
    const areEqual = async (): Promise<void> => {
      const pairs = Object.entries(await boxesAndDrawn(page, view))
      expect(pairs.length).toBeGreaterThan(0)
      for (const [box, [isTicked, isDrawn]] of pairs) expect({ box, is: isTicked }).toEqual({ box, is: isDrawn })
    }
    await areEqual()
    if (sweep === 'decades' && view !== 'curves')
      expect(await page.locator('input[type=checkbox]:checked').count()).toBeGreaterThan(0)
    for (const box of Object.keys(await boxesAndDrawn(page, view))) {
      for (let i = 0; i < 2; i++) {
        const input = page.getByLabel(box, { exact: true })
        await input.focus()
        await page.keyboard.press('Space')
        // What has no logarithm at all is not drawn, but said.
        if ((await page.locator(drawing[view]!).count()) > 0) await areEqual()
        expect(await page.evaluate<string>('document.activeElement.parentElement.textContent.trim()')).toBe(box)
      }
    }
    await page.close()
  })

  it('follows results that come while it is looked at, and the filter', async () => {
    const page = await openView('growing', 'slices')
    const box = page.getByLabel('log metric', { exact: true })
    await expect.poll(() => told(page, 'slices')).toMatch(/^loss against steps of 3 trials/)
    expect(await box.isChecked()).toBe(false)
    const sweep = sweeps.get('growing')!
    const journal = Journal.open(sweep.journalFile)
    for (const [i, value] of [1e3, 1e4, 1e5].entries())
      for (const event of ended(sweep.plan.trials[3 + i]!, value)) journal.append(event)
    journal.close()
    await expect.poll(() => told(page, 'slices')).toMatch(/^loss \(logarithmic\) against steps.* of 6 trials/)
    expect(await box.isChecked()).toBe(true)
    await page.fill('#filter', 'loss < 2')
    await expect.poll(() => told(page, 'slices')).toMatch(/^loss against steps of 3 trials/)
    expect(await box.isChecked()).toBe(false)
    await page.close()
  })

  it('of a sweep without a result yet chooses what will be drawn, and nothing is drawn for it', async () => {
    const page = await openView('planned', 'scatter')
    const chosen = await page.evaluate<string[]>(
      `[...document.querySelectorAll('.tools select')].map((one) => one.selectedOptions[0].textContent)`,
    )
    expect(chosen).toEqual(['steps', 'loss', 'seconds'])
    expect(await page.textContent('.notice.empty')).toContain('has both steps and loss')
    expect(await page.isVisible('canvas.scatter')).toBe(false)
    await page.close()
  })

  it('leaves everything where its filter is not understood, whatever it was before', async () => {
    const page = await openView('decades', 'trials')
    const count = (): Promise<string | null> => page.textContent('#count')
    for (const broken of ['steps <', 'widht < 3', 'steps > "a"', '`', 'loss in [2', `${'('.repeat(2_000)}1 > 0`]) {
      await page.fill('#filter', 'steps < 3')
      await expect.poll(count).toBe('2 of 6 trials')
      await page.fill('#filter', broken)
      await expect.poll(count, { message: broken }).toBe('6 trials')
      expect(await page.textContent('.trouble')).toContain('The filter is not applied')
    }
    await page.close()
  })

  it('says of an address that names nothing that it does, and shows no other thing for it', async () => {
    const page = await openView('decades', 'trials')
    const told = (): Promise<string | null> => page.textContent('main .notice.broken')
    for (const [view, sentence] of [
      ['trial', 'The address names no trial'],
      ['trial/', 'The address names no trial'],
      ['trial/zzz', 'no trial zzz'],
      ['compare', 'The address names no trial'],
      [`compare/${sweeps.get('decades')!.plan.trials[0]!.id}/zzz`, 'no trial zzz'],
      ['nonsense', 'no view nonsense'],
    ] as const) {
      await page.goto(`${dashboard.url}#/sweep/decades/${view}`)
      await expect.poll(told, { message: view }).toContain(sentence)
      expect(await page.locator('table').count(), view).toBe(0)
    }
    await page.goto(`${dashboard.url}#/sweep/decades/trial/${sweeps.get('decades')!.plan.trials[1]!.id.slice(0, 10)}`)
    await expect.poll(() => page.textContent('main h2')).toContain(sweeps.get('decades')!.plan.trials[1]!.id)
    await page.close()
  })

  it('ranks among the best what has a result: what failed comes after, whatever it reported', async () => {
    const page = await openView('broken', 'curves')
    await expect.poll(() => page.locator('.legend li').count()).toBe(6)
    const labels = await page.evaluate<string[]>(
      `[...document.querySelectorAll('.legend li')].map((one) => one.textContent)`,
    )
    expect(labels.slice(0, 3).map((label) => /: (\d+)/.exec(label)![1])).toEqual(['10', '11', '12'])
    await page.close()
  })

  it('of figures brings the last ones without another event, though they may not be drawn at once', async () => {
    const page = await openView('drawn', 'figures')
    await page.waitForSelector('text=Verdicts >> visible=true')
    // As where drawing took long: the last events are answered with what was drawn before them.
    const before = await (await page.request.get(`${dashboard.url}figures?sweep=drawn`)).body()
    let isFirst = true
    await page.route('**/figures?*', (route) => {
      const wasFirst = isFirst
      isFirst = false
      return wasFirst ? route.fulfill({ body: before, contentType: 'application/json' }) : route.continue()
    })
    const sweep = sweeps.get('drawn')!
    const journal = Journal.open(sweep.journalFile)
    for (const trial of sweep.plan.trials.slice(1)) for (const event of ended(trial, 2)) journal.append(event)
    journal.close()
    await expect.poll(() => page.textContent('main .notice.waiting')).toContain('the rest follows')
    await expect.poll(() => page.locator('main .notice.waiting').count()).toBe(0)
    await page.close()
  })

  it('stays under the hand while the list, the head and the workers are told anew', async () => {
    const page = await openView('growing', 'workers')
    const marked = `for (const link of document.querySelectorAll('a')) link.isSame = true`
    const same = `[...document.querySelectorAll('main a, header a, nav a')].filter((link) => link.isSame).length`
    await page.evaluate(marked)
    const links = await page.locator('main a, header a, nav a').count()
    // What is not as it should be is mended within a second: by then all has been told anew.
    await page.evaluate(`document.querySelector('main td').textContent = '?'`)
    await expect.poll(() => page.textContent('main td'), { timeout: 10_000 }).not.toBe('?')
    expect(await page.evaluate(same)).toBe(links)
    await page.goto(`${dashboard.url}#/`)
    await page.waitForSelector('table.sweeps a')
    await page.evaluate(marked)
    const before = await page.textContent('table.sweeps')
    const sweep = sweeps.get('planned')!
    const journal = Journal.open(sweep.journalFile)
    for (const event of [opened('planned'), ...ended(sweep.plan.trials[0]!, 1)]) journal.append(event)
    journal.close()
    await expect.poll(() => page.textContent('table.sweeps')).not.toBe(before)
    expect(await page.evaluate(same)).toBe(Object.keys(losses).length + 1)
    await page.close()
  })

  it('is drawn in the colours of the ground that is there now', async () => {
    const page = await openView('decades', 'slices')
    // The earliest trial has the darkest colour there is.
    const darkestDot = (): Promise<number> =>
      page.evaluate(`{
        const canvas = document.querySelector('.slices canvas')
        const { data } = canvas.getContext('2d').getImageData(60, 0, canvas.width - 60, canvas.height)
        let least = 255
        for (let i = 0; i < data.length; i += 4) {
          const [most, fewest] = [Math.max(...data.slice(i, i + 3)), Math.min(...data.slice(i, i + 3))]
          if (data[i + 3] > 190 && most - fewest > 60) least = Math.min(least, most)
        }
        least
      }`)
    const brightest = (): Promise<number> =>
      page.evaluate(`{
        const canvas = document.querySelector('.slices canvas')
        const { data } = canvas.getContext('2d').getImageData(0, 0, 50, canvas.height)
        let most = 0
        for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) most = Math.max(most, data[i])
        most
      }`)
    expect(await brightest()).toBeLessThan(120)
    await page.emulateMedia({ colorScheme: 'dark' })
    await expect.poll(brightest).toBeGreaterThan(180)
    expect(await darkestDot()).toBeGreaterThan(150)
    await page.emulateMedia({ colorScheme: 'dark', media: 'print' })
    await expect.poll(brightest).toBeLessThan(120)
    expect(await darkestDot()).toBeLessThan(150)
    await page.close()
  })
})
