import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { lockSweep } from '../src/system/lock.js'
import { launch, memoryMb, openAt, serve, untilTrue, type Served } from './browser.js'
import { benchCost } from './dashboard-cost.js'
import { benchPeers } from './dashboard-peers.js'
import { complete, planned, Writer } from './dashboard-store.js'
import { measureMlds } from './measure-mlds.js'
import { round, show, summarize, table } from './measure.js'

/**
 * The dashboard in Chromium: `open` sweeps of 10,000 and 100,000 trials and their report, `peers` the same
 * in optuna-dashboard and MLflow's page, `cost` what a sweep pays for a page that shows it, `stream` a sweep of which 50 trials
 * end each second (for 10 minutes, or as many as are given), `npm run bench dashboard stream 1`. Needs a build and Chromium.
 */
export async function benchDashboard([part, minutes]: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-dashboard-bench-'))
  const browser = await launch()
  try {
    if (part === undefined || part === 'open') await benchOpening(browser, folder)
    if (part === undefined || part === 'report') await benchReport(browser, folder)
    if (part === undefined || part === 'peers')
      await benchPeers(browser, folder, Number(process.env['BENCH_TRIALS'] ?? 10_000))
    if (part === undefined || part === 'cost') await benchCost(browser, folder)
    if (part === undefined || part === 'stream') await benchStream(browser, folder, Number(minutes ?? 10))
  } finally {
    await browser.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

const showsAll = (trials: number): string =>
  `document.querySelector('#count')?.textContent === '${trials} trials' && document.querySelectorAll('#trial-table tbody tr[data-trial]').length > 10`

async function benchOpening(browser: Browser, folder: string): Promise<void> {
  const sizes = [
    { trials: 10_000, points: 30 },
    { trials: 100_000, points: 1 },
  ]
  const rows: string[][] = []
  for (const { trials, points } of sizes) {
    const name = `of-${trials}`
    await complete(join(folder, name), name, trials, points)
    const server = await serve(join(folder, name))
    const start = performance.now()
    const warm = await browser.newPage()
    await openAt(warm, `${server.url}#/sweep/${name}`, showsAll(trials))
    const read = (performance.now() - start) / 1000
    await warm.close()
    const tableSeconds: number[] = []
    for (let i = 0; i < 5; i++) {
      const page = await browser.newPage()
      tableSeconds.push(await openAt(page, `${server.url}#/sweep/${name}`, showsAll(trials)))
      await page.close()
    }
    const page = await browser.newPage()
    await openAt(page, `${server.url}#/sweep/${name}`, showsAll(trials))
    const views: string[] = []
    for (const [view, until] of viewsOf(trials)) {
      const began = performance.now()
      await page.evaluate(`location.hash = '#/sweep/${name}/${view}'`)
      await untilTrue(page, until)
      views.push(`${view} ${round((performance.now() - began) / 1000)}`)
    }
    const sort = await secondsToSort(page, name)
    const memory = await memoryMb(page)
    const { median, least, most } = summarize(tableSeconds)
    rows.push([
      `${trials} trials × ${points} points`,
      round(read),
      `${round(median)} (${round(least)}–${round(most)})`,
      views.join(', '),
      round(sort),
      `${round(memory.heap)}, ${round(memory.process)}`,
      round(server.memoryMb()),
    ])
    console.error(rows.at(-1)!.join(' | '))
    await page.close()
    server.end()
  }
  const heads = [
    '',
    'first, with its journal read, s',
    'opened again, s',
    'views, s',
    'sort, s',
    'page: heap, process MB',
    'server MB',
  ]
  console.log(table(heads, rows))
}

const viewsOf = (trials: number): [view: string, until: string][] => [
  ['curves', `document.querySelectorAll('.legend li').length === 8`],
  ['parallel', `document.querySelector('canvas.parallel')?.width > 300`],
  ['scatter', `document.querySelector('.readout')?.textContent.startsWith('${trials} trials')`],
  [
    'slices',
    `document.querySelectorAll('.slices canvas').length === 3 && document.querySelector('.importance') !== null`,
  ],
]

async function secondsToSort(page: Page, name: string): Promise<number> {
  await page.evaluate(`location.hash = '#/sweep/${name}/trials'`)
  await untilTrue(page, `document.querySelector('#trial-table tbody tr[data-trial]') !== null`)
  const start = performance.now()
  await page.getByRole('button', { name: 'loss', exact: true }).click()
  await untilTrue(page, `document.querySelector('th[aria-sort=ascending]')?.textContent === 'loss'`)
  return (performance.now() - start) / 1000
}

/** Written, and opened from its file. */
async function benchReport(browser: Browser, folder: string): Promise<void> {
  const home = join(folder, 'report')
  await complete(home, 'reported', 10_000, 30)
  const file = join(folder, 'report.html')
  // Three times: what else the machine does shows in the spread.
  const costs = [0, 1, 2].map(() => measureMlds(home, ['report', 'reported', '-o', file]))
  const [seconds, cpuSeconds] = [costs.map((cost) => cost.seconds), costs.map((cost) => cost.cpuSeconds)]
  const page = await browser.newPage()
  const opened = await openAt(page, `file://${file}`, showsAll(10_000))
  const { heap } = await memoryMb(page)
  await page.close()
  console.log(
    `report of 10,000 trials × 30 points: mlds report takes ${show(summarize(seconds))} s (${show(summarize(cpuSeconds))} s of processor time), ${round(statSync(file).size / 1e6)} MB, opened in ${round(opened)} s, ${round(heap)} MB of heap`,
  )
}

const perSecond = 50

/** How late what has ended is on the page, and what the page holds at the beginning and at the end. */
async function benchStream(browser: Browser, folder: string, minutes: number): Promise<void> {
  const home = join(folder, 'stream')
  const seconds = Math.round(minutes * 60)
  const sweep = await planned(home, 'streamed', Math.ceil((perSecond * (seconds + 30)) / 100) * 100)
  const lock = lockSweep(sweep.lockFile, sweep.id)
  const writer = new Writer(sweep, 30)
  const server = await serve(home)
  const page = await browser.newPage()
  const { trials } = sweep.plan
  const writtenAtMs: number[] = []
  await openAt(page, `${server.url}#/sweep/streamed/curves`, `document.querySelector('.notice') !== null`)
  // The filter leaves what has finished; how many these are is on the page, and when that changed is noted there.
  await page.evaluate(`location.hash = '#/sweep/streamed/trials'`)
  await page.fill('#filter', 'state == "finished"')
  await page.evaluate(`{
    window.seen = []
    const count = document.querySelector('#count')
    new MutationObserver(() => window.seen.push([Date.now(), Number(/^\\d+/.exec(count.textContent)?.[0] ?? 0)]))
      .observe(count, { childList: true, characterData: true, subtree: true })
  }`)
  const step = async (fromSecond: number, toSecond: number): Promise<void> => {
    const start = performance.now()
    for (let i = fromSecond * perSecond; i < toSecond * perSecond; i++) {
      const due = start + (1_000 * (i - fromSecond * perSecond)) / perSecond
      if (performance.now() < due) await new Promise((resolve) => setTimeout(resolve, due - performance.now()))
      writer.begin(trials[i]!, Date.now())
      if (i < 8) continue
      writer.end(trials[i - 8]!, Date.now())
      writtenAtMs.push(Date.now())
    }
  }
  await step(0, 20)
  const [before, cpuBefore] = [await memoryMb(page), server.cpuSeconds()]
  await step(20, seconds + 20)
  const cpu = server.cpuSeconds() - cpuBefore
  await page.waitForTimeout(2_000)
  const after = await memoryMb(page)
  const seen = await page.evaluate<[number, number][]>('window.seen')
  const late = latenessOf(writtenAtMs, seen)
  lock.release()
  tellStream({ seconds, late, before, after, cpu, server })
  server.end()
}

/** Of each that was written, in ms, how long until the page counted it; Infinity of one that it never did. */
function latenessOf(
  writtenAtMs: readonly number[],
  seen: readonly (readonly [atMs: number, count: number])[],
): number[] {
  let at = 0
  return writtenAtMs.map((writtenMs, i) => {
    while (at < seen.length && seen[at]![1] < i + 1) at++
    return at < seen.length ? seen[at]![0] - writtenMs : Infinity
  })
}

type Memory = Awaited<ReturnType<typeof memoryMb>>
interface StreamFacts {
  readonly seconds: number
  readonly late: readonly number[]
  readonly before: Memory
  readonly after: Memory
  readonly cpu: number
  readonly server: Served
}

function tellStream({ seconds, late, before, after, cpu, server }: StreamFacts): void {
  const sorted = [...late].sort((a, b) => a - b)
  const at = (share: number): string => round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!)
  const inTime = late.filter((ms) => ms <= 1_000).length / late.length
  console.log(
    [
      `${perSecond} trials ending a second for ${seconds} s, 30 points each: ${late.length} ends`,
      `on the page within 1 s: ${round(100 * inTime)} % (median ${at(0.5)} ms, 95 % ${at(0.95)} ms, last ${at(1)} ms)`,
      `page: heap ${round(before.heap)} → ${round(after.heap)} MB, process ${round(before.process)} → ${round(after.process)} MB`,
      `server: ${round((1_000 * cpu) / (perSecond * seconds))} ms of processor time a trial, ${round(server.memoryMb())} MB`,
    ].join('\n'),
  )
}
