import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process'
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { Random } from '../../src/core/seed.js'
import type { TrialId } from '../../src/core/trial.js'
import { connectNats } from '../../src/worker/remote/wire/connect.js'
import { writeAccess, type WrittenAccess } from '../../src/worker/remote/admin/access.js'
import { startNatsServer, type NatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { namesOf } from '../../src/worker/remote/wire/names.js'
import { ThreadsBackend } from '../../src/worker/threads/threads.js'
import { chaosCustom } from '../helpers/custom-modules.js'
import { coursesOf, endsOf, journalOf } from './courses.js'
import { clock, planOf, sweepIn, tenant, type Shape } from './lab.js'

export interface ChaosOptions extends Shape {
  readonly folder: string
  /** Processes at a time, and trials that each runs at once. */
  readonly workers: number
  readonly slots: number
  /** Kills with SIGKILL, spread evenly over the course; each is followed by a new process at once. */
  readonly kills: { readonly worker: number; readonly orchestrator: number; readonly server: number }
  /** Whether each key has an account of its own, as `mlds nats init` writes them. Default: anyone may do everything. */
  readonly accounts?: boolean
  /** Chooses which worker dies, and the order of the kills. */
  readonly seed: number
  readonly say: (line: string) => void
}

export interface ChaosReport {
  readonly planned: number
  /** Trials by how they ended in the journal. */
  readonly ended: Readonly<Record<string, number>>
  /** Trials with more than one end in the journal, and subjects with more than one stored result. */
  readonly committedTwice: number
  /** Results on the server. */
  readonly results: number
  /** Trials begun on some thread; more than were planned, since what dies runs again. */
  readonly executions: number
  /** Of these, those that went on from a checkpoint. */
  readonly resumed: number
  /** Results that came after another worker's. */
  readonly fenced: number
  readonly poison: { readonly state: string; readonly executions: number }
  /** Trials whose metrics or reports differ from the undisturbed run's. */
  readonly differing: readonly number[]
  readonly kills: Readonly<Record<Victim, number>>
  readonly durationMs: number
}

type Victim = keyof ChaosOptions['kills']

/** The same plan on threads, with nothing killed: what each trial reported and ended with, by `n`. */
export async function undisturbed(shape: Shape, folder: string): Promise<Map<number, string>> {
  await sweepIn(folder, shape, async (sweep, store) => {
    return new ThreadsBackend({
      workers: 12,
      clock,
      heapMb: 64,
      storeFolder: store.folder,
      logsFolder: join(sweep.folder, 'logs'),
      checkpointsFolder: sweep.checkpointsFolder,
      datasets: [],
      custom: [chaosCustom],
    })
  })
  return coursesOf(journalOf(folder), await numbersOf(shape))
}

/** Runs the sweep with real processes while they are killed, and counts what came of it. */
export async function runChaos(options: ChaosOptions, expected: ReadonlyMap<number, string>): Promise<ChaosReport> {
  mkdirSync(options.folder, { recursive: true })
  const chaos = new Chaos(options)
  try {
    return await chaos.run(expected)
  } finally {
    await chaos.close()
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const entry = (name: string): string => join(import.meta.dirname, name)

class Chaos {
  readonly #startedAtMs = performance.now()
  readonly #log: string
  readonly #executions: string
  readonly #store: string
  readonly #workers: (ChildProcess | undefined)[]
  /** Workers that take trials. */
  readonly #ready = new Set<ChildProcess>()
  readonly #kills = { worker: 0, orchestrator: 0, server: 0 }
  #server!: NatsServer
  #orchestrator!: ChildProcess
  #onlooker: NatsConnection | undefined
  #names = 0
  #closing = false
  /** Files with the server's configuration and with who one is there; none where anyone may come. */
  readonly #access: WrittenAccess | undefined

  constructor(private readonly options: ChaosOptions) {
    this.#log = join(options.folder, 'log')
    this.#executions = join(options.folder, 'executions')
    this.#store = join(options.folder, 'orchestrator')
    this.#workers = Array.from({ length: options.workers }, () => undefined)
    const place = {
      folder: join(options.folder, 'access'),
      host: '127.0.0.1',
      port: 4222,
      url: 'nats://127.0.0.1:4222',
    }
    this.#access = options.accounts === true ? writeAccess({ ...place, tenant }) : undefined
  }

  async run(expected: ReadonlyMap<number, string>): Promise<ChaosReport> {
    const { folder, trials } = this.options
    this.#server = await startNatsServer(join(folder, 'nats'), 0, this.#access?.config)
    this.#startOrchestrator()
    this.#workers.forEach((_, place) => this.#startWorker(place))
    const victims = this.#schedule()
    for (const [index, victim] of victims.entries()) {
      // By results, not by time: the kills fall at the same places of the course on any machine. Not among the last
      // trials: one whose every attempt is killed is rightly dead.
      const after = Math.floor((0.8 * (index + 1) * trials) / (victims.length + 1))
      while (this.#orchestrator.exitCode === null && (await this.#resultCount()) < after) await pause(100)
      await this.#kill(victim.what, victim.which)
    }
    await this.#until(() => this.#orchestrator.exitCode !== null)
    return this.#count(expected)
  }

  #schedule(): { what: Victim; which: number }[] {
    const { kills, seed, workers } = this.options
    const random = new Random(seed)
    const all = (Object.keys(kills) as Victim[]).flatMap((what) => Array.from({ length: kills[what] }, () => what))
    const keyed = all.map((what) => ({ what, key: random.uniform(), which: random.below(workers) }))
    return keyed.sort((a, b) => a.key - b.key)
  }

  async #kill(what: Victim, which: number): Promise<void> {
    if (what === 'worker') return this.#killWorker(which)
    this.#kills[what]++
    this.options.say(`${this.#elapsed()} kill -9 of the ${what} at ${await this.#resultCount()} results`)
    if (what === 'server') {
      const port = Number(new URL(this.#server.url).port)
      await this.#server.stop('SIGKILL')
      this.#server = await startNatsServer(join(this.options.folder, 'nats'), port, this.#access?.config)
    } else {
      const dead = this.#orchestrator
      const gone = new Promise((resolve) => dead.once('exit', resolve))
      dead.kill('SIGKILL')
      await gone
      this.#startOrchestrator()
    }
  }

  /** Only one that works is worth killing: the chosen, or the next that does. */
  async #killWorker(which: number): Promise<void> {
    const order = [...this.#workers.slice(which), ...this.#workers.slice(0, which)]
    await this.#until(() => this.#ready.size > 0 || this.#orchestrator.exitCode !== null)
    const victim = order.find((worker) => worker !== undefined && this.#ready.has(worker)) ?? [...this.#ready][0]
    if (victim === undefined) return
    this.#kills.worker++
    this.options.say(`${this.#elapsed()} kill -9 of a worker at ${await this.#resultCount()} results`)
    this.#ready.delete(victim)
    victim.kill('SIGKILL')
  }

  #startOrchestrator(): void {
    const { trials, ms } = this.options
    this.#orchestrator = this.#start('orchestrator.ts', [this.#server.url, this.#store, String(trials), String(ms)])
  }

  /** Whoever a worker was killed by, another takes its place. */
  #startWorker(place: number): void {
    const { folder, slots } = this.options
    const name = `worker-${++this.#names}`
    const worker = this.#start('worker.ts', [this.#server.url, name, join(folder, `store-${place}`), String(slots)])
    this.#workers[place] = worker
    worker.stderr.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('is ready') && worker.signalCode === null) this.#ready.add(worker)
    })
    worker.once('exit', () => {
      this.#ready.delete(worker)
      if (!this.#closing) this.#startWorker(place)
    })
  }

  #start(file: string, args: string[]): ChildProcessByStdio<null, Readable, Readable> {
    const child = spawn(process.execPath, ['--import', 'tsx', entry(file), ...args], {
      env: { ...process.env, ...this.#credentials(file), MLDS_CHAOS_LOG: this.#executions, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => appendFileSync(this.#log, `${this.#elapsed()} ${chunk.toString()}`))
    return child
  }

  /** Workers are workers; everyone else is an orchestrator. */
  #credentials(file?: string): Record<string, string> {
    if (this.#access === undefined) return {}
    const { orchestrator, worker } = this.#access.contexts
    return { NATS_CONTEXT: file === 'worker.ts' ? worker : orchestrator }
  }

  #elapsed(): string {
    return `${((performance.now() - this.#startedAtMs) / 1_000).toFixed(1)} s`
  }

  /** On the server: the orchestrator learns of results later, or is away. */
  async #resultCount(): Promise<number> {
    this.#onlooker ??= await connectNats(this.#server.url, 'onlooker', { env: this.#credentials() })
    const jsm = await jetstreamManager(this.#onlooker, { checkAPI: false })
    return jsm.streams.info(namesOf(tenant).results).then(
      ({ state }) => state.messages,
      () => 0,
    )
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) await pause(100)
  }

  async #count(expected: ReadonlyMap<number, string>): Promise<ChaosReport> {
    const numbers = await numbersOf(this.options)
    const events = journalOf(this.#store)
    const { trials: poison } = this.options
    const ends = events.filter((event) => event.type === 'ended')
    const states = ends.map(({ outcome }) => outcome.state)
    const subjects = await this.#storedResults()
    const executions = readFileSync(this.#executions, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number))
    const courses = coursesOf(events, numbers)
    return {
      planned: numbers.size,
      ended: Object.fromEntries([...new Set(states)].map((state) => [state, states.filter((s) => s === state).length])),
      committedTwice: ends.length - endsOf(events).size + subjects.filter(([, count]) => count > 1).length,
      results: subjects.length,
      executions: executions.length,
      resumed: executions.filter(([, , step]) => step! > 0).length,
      fenced: readFileSync(this.#log, 'utf8').split('came first; this one is dropped').length - 1,
      poison: {
        state: ends.find(({ trial }) => numbers.get(trial) === poison)?.outcome.state ?? 'missing',
        executions: executions.filter(([n]) => n === poison).length,
      },
      differing: [...expected].flatMap(([n, course]) => (n === poison || courses.get(n) === course ? [] : n)),
      kills: this.#kills,
      durationMs: performance.now() - this.#startedAtMs,
    }
  }

  async #storedResults(): Promise<[string, number][]> {
    const connection = await connectNats(this.#server.url, 'counter', { env: this.#credentials() })
    try {
      const names = namesOf(tenant)
      const jsm = await jetstreamManager(connection)
      const { state } = await jsm.streams.info(names.results, { subjects_filter: names.result({}) })
      return Object.entries(state.subjects ?? {})
    } finally {
      await connection.close()
    }
  }

  async close(): Promise<void> {
    this.#closing = true
    await this.#onlooker?.close()
    for (const child of [this.#orchestrator, ...this.#workers]) child?.kill('SIGKILL')
    await this.#server?.stop('SIGKILL')
  }
}

async function numbersOf(shape: Shape): Promise<Map<TrialId, number>> {
  const { plan } = await planOf(shape)
  return new Map(plan.trials.map(({ id, params }) => [id, Number(params['n'])]))
}
