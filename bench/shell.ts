import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { peersPython, round, show, summarize, table } from './measure.js'

/** What a person waits for at a shell: help, the first trial, and what a program's trial costs beyond the program. */
const here = import.meta.dirname
const mlds = join(here, '..', 'bin', 'run.js')
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const trials = 400
/** The first of them wait for threads, actors and imports; what a trial costs shows afterwards. */
const warmUp = 100

export async function benchShell(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
  try {
    const help: number[] = []
    const bare: number[] = []
    const first: number[] = []
    for (let i = 0; i < rounds; i++) {
      // Node alone, in turn: on a busy machine only the ratio to it means something.
      bare.push(timeOf(['-e', '0'], folder))
      help.push(timeOf([mlds, '--help'], folder))
      first.push(firstTrialMs(folder, i))
    }
    console.log(
      table(
        ['', 'ms'],
        [
          ['node -e 0, beside them', show(summarize(bare))],
          ['mlds --help', show(summarize(help))],
          ['from the shell to the first trial of params', show(summarize(first))],
        ],
      ),
    )
    await benchCommands(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function timeOf(args: readonly string[], cwd: string): number {
  const start = performance.now()
  run(process.execPath, args, cwd)
  return performance.now() - start
}

/** From starting the process to the first trial's `started`, by the journal's own clock. */
function firstTrialMs(folder: string, i: number): number {
  const store = join(folder, `first-${i}`)
  const startedAtMs = Date.now()
  run(process.execPath, [mlds, 'sweep', 'params', '--profile', 'smoke', '--workers', '2', '--store', store], folder)
  return Math.min(...journalOf(store).flatMap((event) => (event.type === 'started' ? [event.atMs] : []))) - startedAtMs
}

/** Milliseconds per trial of a program that does next to nothing, two in flight, beside the bare program and the peers. */
async function benchCommands(folder: string): Promise<void> {
  const spec = { experiment: { command: ['echo', '{"loss": {x}}'] }, axes: { x: { range: [0, trials] } } }
  writeFileSync(join(folder, 'commands.json'), JSON.stringify(spec))
  const each: Record<string, number[]> = {
    'the bare program': [],
    mlds: [],
    'Ray Tune': [],
    "Hydra's joblib launcher": [],
  }
  for (let i = 0; i < Math.min(rounds, 3); i++) {
    each['the bare program']!.push(await bareMs())
    const store = join(folder, `commands-${i}`)
    run(process.execPath, [mlds, 'sweep', 'commands.json', '--workers', '2', '--store', store], folder)
    const events = journalOf(store)
    each['mlds']!.push(msEach(events.flatMap(({ type, atMs }) => (type === 'ended' ? [atMs] : []))))
    if (peersPython === undefined) continue
    for (const [name, script] of [
      ['Ray Tune', 'command_ray.py'],
      ["Hydra's joblib launcher", 'command_hydra.py'],
    ] as const) {
      const cwd = mkdtempSync(join(folder, 'peer-'))
      const [, ends] = /ends (\[.*\])/.exec(run(peersPython, [join(here, 'peers', script), String(trials)], cwd))!
      each[name]!.push(msEach((JSON.parse(ends!) as number[]).map((second) => 1000 * second)))
    }
  }
  const bare = summarize(each['the bare program']!).median
  const rows = Object.entries(each)
    .filter(([, values]) => values.length > 0)
    .map(([name, values]) => [name, show(summarize(values)), round(summarize(values).median - bare)])
  console.log(table([`${trials} programs, two at once`, 'ms each', 'beyond the bare program'], rows))
}

/** Milliseconds from one end to the next, once warm. */
function msEach(ends: readonly number[]): number {
  const sorted = [...ends].sort((a, b) => a - b)
  return (sorted.at(-1)! - sorted[warmUp]!) / (sorted.length - 1 - warmUp)
}

async function bareMs(): Promise<number> {
  const ends: number[] = []
  let left = trials
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = spawn('echo', [`{"loss": ${left}}`], { stdio: ['ignore', 'pipe', 'pipe'] })
      child.stdout.resume()
      child.stderr.resume()
      child.once('error', reject)
      child.once('close', () => {
        ends.push(performance.now())
        resolve()
      })
    })
  await Promise.all(
    [0, 1].map(async () => {
      while (left-- > 0) await one()
    }),
  )
  return msEach(ends)
}

function journalOf(store: string): { type: string; atMs: number }[] {
  const [sweep] = readdirSync(join(store, 'sweeps'))
  return readFileSync(join(store, 'sweeps', sweep!, 'journal.jsonl'), 'utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { type: string; atMs: number }]))
}

function run(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${stderr.slice(-2000)}`)
  return stdout
}
