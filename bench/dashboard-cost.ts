import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { untilTrue, serve } from './browser.js'
import { round, show, summarize, table } from './measure.js'

const program = join(import.meta.dirname, '..', 'bin', 'run.js')
const preload = ['--import', join(import.meta.dirname, 'cpu-time.mjs')]
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)

interface Workload {
  readonly name: string
  readonly file: string
  readonly trials: number
}

/** A sweep of small nets, and trials that do nothing at all. */
const workloads: readonly Workload[] = [
  {
    ...{ name: 'params: 8 sizes of nets, 3 seeds, smoke profile', trials: 24 },
    file: `experiment: params\nprofile: smoke\naxes: {width: [2, 10, 40, 100, 200, 300, 400, 500]}\nseeds: 0..2\n`,
  },
  {
    ...{ name: 'no-op trials', trials: 2_000 },
    file: `experiment: ${join(import.meta.dirname, 'noop-experiment.mjs')}\naxes: {n: [${Array.from({ length: 2_000 }, (_, i) => i).join()}]}\nseeds: 0\n`,
  },
]

/**
 * What a page that is open costs a sweep that runs: the sweep alone, and with a dashboard whose page in Chromium shows its
 * curves, in turn. Told are the seconds of each, and the processor time that the server took beside that of the sweep, which
 * other work of the host changes less. The browser's own is its user's, and not counted.
 */
export async function benchCost(browser: Browser, folder: string): Promise<void> {
  const rows: string[][] = []
  for (const workload of workloads) {
    const alone: Run[] = []
    const watched: Run[] = []
    for (let i = 0; i < rounds; i++) {
      alone.push(await runIn(join(folder, `${workload.trials}-alone-${i}`), workload))
      watched.push(await runIn(join(folder, `${workload.trials}-watched-${i}`), workload, browser))
    }
    const perTrial = (ms: number): number => (1_000 * ms) / workload.trials
    const of = (runs: readonly Run[], side: (one: Run) => number): string => show(summarize(runs.map(side)))
    rows.push([
      workload.name,
      of(alone, ({ seconds }) => seconds),
      of(watched, ({ seconds }) => seconds),
      of([...alone, ...watched], ({ cpuSeconds }) => perTrial(cpuSeconds)),
      of(watched, ({ serverSeconds }) => perTrial(serverSeconds)),
      `${of(watched, ({ serverSeconds, cpuSeconds }) => (100 * serverSeconds) / cpuSeconds)} %`,
      `${round(summarize(watched.map(({ seconds }, i) => 100 * (seconds / alone[i]!.seconds - 1))).median)} %`,
    ])
    console.error(rows.at(-1)!.join(' | '))
  }
  const heads = [
    ...['', 'alone, s', 'watched, s', 'processor ms a trial: the sweep', 'the server'],
    ...['server of sweep', 'watched longer than alone, median of pairs'],
  ]
  console.log(table(heads, rows))
}

interface Run {
  readonly seconds: number
  readonly cpuSeconds: number
  /** Of the dashboard's server, while the sweep ran. */
  readonly serverSeconds: number
}

/** The sweep from its start to its end; with a browser, while a page that was open before shows it. */
async function runIn(home: string, { file }: Workload, browser?: Browser): Promise<Run> {
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, 'seen.yaml'), `${file}name: seen\n`)
  const server = browser === undefined ? undefined : await serve(home)
  const page = await browser?.newPage()
  if (page !== undefined) {
    await page.goto(`${server!.url}#/sweep/seen/curves`)
    await untilTrue(page, `document.querySelector('.notice.broken') !== null`)
  }
  const cpuBefore = server?.cpuSeconds() ?? 0
  const cost = await sweep(home)
  const serverSeconds = (server?.cpuSeconds() ?? 0) - cpuBefore
  await page?.close()
  server?.end()
  return { ...cost, serverSeconds }
}

/** Beside this process, which drives the browser. */
async function sweep(cwd: string): Promise<{ seconds: number; cpuSeconds: number }> {
  const start = performance.now()
  const child = spawn(process.execPath, [...preload, program, 'sweep', 'seen.yaml', '--workers', '2'], {
    ...{ cwd, stdio: ['ignore', 'ignore', 'pipe'] },
  })
  let told = ''
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const seconds = (performance.now() - start) / 1000
  const [, cpuSeconds] = /cpu seconds: ([\d.]+)/.exec(told) ?? []
  if (code !== 0 || cpuSeconds === undefined) throw new Error(`mlds sweep ended with ${code}: ${told.slice(-2_000)}`)
  return { seconds, cpuSeconds: Number(cpuSeconds) }
}
