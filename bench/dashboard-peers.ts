import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import type { Browser } from 'playwright-core'
import { memoryMb, openAt, serve } from './browser.js'
import { complete, metricsAt } from './dashboard-store.js'
import { peersPython, round, show, summarize, table } from './measure.js'

const points = 30
const rounds = 5

interface Shown {
  readonly name: string
  readonly url: string
  /** What is there when a person can read the trials. */
  readonly until: string
  end(): void
}

/**
 * The trials of one sweep in our page, in optuna-dashboard and in MLflow's, each in turn: from asking for the address until the
 * table of trials is there. Needs MLDS_PEERS_PYTHON with optuna-dashboard, and MLDS_MLFLOW; who is not there is left out.
 */
export async function benchPeers(browser: Browser, folder: string, trials = 10_000): Promise<void> {
  const sweep = await complete(join(folder, 'peers'), 'peers', trials, points)
  const told = join(folder, 'trials.jsonl')
  const lines = sweep.plan.trials.map((trial) => {
    const loss = Array.from({ length: points }, (_, i) => metricsAt(trial, i + 1)['loss'])
    return JSON.stringify({ params: { ...trial.params, seed: trial.seeds.data }, loss })
  })
  writeFileSync(told, `${lines.join('\n')}\n`)
  const rows: string[][] = []
  // One server at a time: what another does beside it would be measured with it.
  for (const start of [startOurs, startOptuna, startMlflow]) {
    const shown = await start(folder, told, trials)
    if (shown === undefined) continue
    try {
      rows.push(await measured(browser, shown))
      console.error(rows.at(-1)!.join(' | '))
    } finally {
      shown.end()
    }
  }
  const heads = [`${trials} trials × ${points} points`, 'opened first, s', 'opened again, s', 'heap MB', 'process MB']
  console.log(table(heads, rows))
}

async function measured(browser: Browser, { name, url, until }: Shown): Promise<string[]> {
  const opened: { seconds: number; heap: number; process: number }[] = []
  for (let i = 0; i <= rounds; i++) {
    // A context of its own has nothing in its cache.
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 } })
    const page = await context.newPage()
    const seconds = await openAt(page, url, until)
    opened.push({ seconds, ...(await memoryMb(page)) })
    if (process.env['BENCH_SCREENSHOTS'] !== undefined)
      await page.screenshot({ path: join(process.env['BENCH_SCREENSHOTS'], `${name.replaceAll(/\W/g, '-')}.png`) })
    await context.close()
  }
  const [first, ...again] = opened
  const of = (side: 'seconds' | 'heap' | 'process'): string => show(summarize(again.map((one) => one[side])))
  return [name, round(first!.seconds), of('seconds'), of('heap'), of('process')]
}

async function startOurs(folder: string, _: string, trials: number): Promise<Shown> {
  const served = await serve(join(folder, 'peers'))
  const until = `document.querySelector('#count')?.textContent === '${trials} trials' && document.querySelectorAll('#trial-table tbody tr[data-trial]').length > 10`
  return { name: 'mlds dashboard', url: `${served.url}#/sweep/peers`, until, end: () => served.end() }
}

async function startOptuna(folder: string, told: string, trials: number): Promise<Shown | undefined> {
  if (peersPython === undefined) return undefined
  const program = join(dirname(peersPython), 'optuna-dashboard')
  if (!existsSync(program)) return undefined
  const file = join(folder, 'optuna.journal')
  run(peersPython, ['dashboard_optuna.py', told, file])
  const port = await freePort()
  const server = await started(program, ['--port', String(port), '--storage-class', 'JournalFileStorage', file], port)
  return {
    name: 'optuna-dashboard',
    // Its list of trials; a page of its own, `analytics`, holds the table.
    url: `http://127.0.0.1:${port}/dashboard/studies/0/trials`,
    until: `document.body.innerText.includes('${trials} Trials') && document.body.innerText.includes('Trial 5\\n')`,
    end: () => void server.kill(),
  }
}

async function startMlflow(folder: string, told: string): Promise<Shown | undefined> {
  const program = process.env['MLDS_MLFLOW']
  if (program === undefined) return undefined
  const file = join(folder, 'mlflow.db')
  const experiment = run(join(dirname(program), 'python'), ['dashboard_mlflow.py', told, file])
    .trim()
    .split('\n')
    .at(-1)!
  const port = await freePort()
  const words = ['server', '--backend-store-uri', `sqlite:///${file}`, '--port', String(port), '--workers', '1']
  const server = await started(program, words, port)
  return {
    name: 'MLflow UI (its first 100 runs)',
    url: `http://127.0.0.1:${port}/#/experiments/${experiment}/runs`,
    until: `[...document.querySelectorAll('[role=row]')].filter((row) => row.textContent.includes('trial-')).length > 5`,
    // Its workers are processes of their own.
    end: () => void process.kill(-server.pid!, 'SIGTERM'),
  }
}

function run(program: string, [script, ...args]: readonly [string, ...string[]]): string {
  const { status, stdout, stderr } = spawnSync(program, [join(import.meta.dirname, 'peers', script), ...args], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${script}: ${stderr.slice(-2_000)}`)
  return stdout
}

/** Started in a process group of its own, and answering. */
async function started(program: string, args: readonly string[], port: number): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: 'ignore', detached: true })
  let hasEnded = false
  child.on('exit', () => (hasEnded = true))
  while (
    !(await fetch(`http://127.0.0.1:${port}/`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (hasEnded) throw new Error(`${program} ended before it answered`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return child
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
