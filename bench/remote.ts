import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.js'
import { codeVersion } from '../src/core/version.js'
import { openStore } from '../src/system/store.js'
import type { Assignment } from '../src/core/trial.js'
import { connectNats } from '../src/worker/remote/wire/connect.js'
import { startNatsServer } from '../src/worker/remote/admin/nats-server.js'
import { RemoteBackend } from '../src/worker/remote/orchestrator/remote-backend.js'
import { peersPython, round, show, summarize, table } from './measure.js'
import { noopCustom } from './noop-custom.js'

/** Node compiles what runs often in steps: the code of orchestrator, worker and its threads is at its best after so many. */
const warmUpTrials = 10_000
const rounds = 5
const roundTrials = 4_000

/** What a trial costs besides its work when it runs on a worker over NATS: one server, everything on this host. */
export async function benchRemote(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
  const closing: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })]
  try {
    const server = await startNatsServer(join(folder, 'nats'), 0)
    closing.push(() => server.stop('SIGKILL'))
    const load = `load ${loadavg()[0]!.toFixed(1)} when it began`
    const rows: string[][] = []

    const idle = startProcess('../bin/run.js', ['worker', 'start', '--nats', server.url, '--slots', '4'], folder)
    closing.push(() => void idle.kill('SIGKILL'))
    rows.push(...(await whileIdle(idle)))
    idle.kill('SIGKILL')

    const lab = new RemoteBench(server.url, folder, closing)
    const [worker] = await lab.startWorkers(1, 8)
    const backend = await lab.open(8)
    await lab.run(backend, warmUpTrials, 8)
    const alone = await lab.run(backend, 2_000, 1)
    const spent = (): number[] => [process.pid, worker!.pid!, server.process.pid!].map(processorMs)
    const before = spent()
    const eight: Awaited<ReturnType<RemoteBench['run']>>[] = []
    for (let i = 0; i < rounds; i++) eight.push(await lab.run(backend, roundTrials, 8))
    const each = spent().map((ms, i) => (ms - before[i]!) / (rounds * roundTrials))
    const trips = eight.flatMap(({ tripsMs }) => tripsMs)
    const seconds = await lab.run(backend, 16, 8, 1_000)
    rows.push(
      ['round trip of a no-op trial, one at a time: median ms', round(quantile(alone.tripsMs, 0.5))],
      ['95th percentile ms', round(quantile(alone.tripsMs, 0.95))],
      ['no-op trials/s, 8 in flight, one worker of 8 slots', show(summarize(eight.map(({ rate }) => rate)))],
      ['processor ms a trial: orchestrator, worker, server', each.map(round).join(', ')],
      ['median and 95th percentile ms', `${round(quantile(trips, 0.5))}, ${round(quantile(trips, 0.95))}`],
      ['overhead on trials of 1 s, 8 in flight', `${round(quantile(seconds.tripsMs, 0.5) / 10 - 100)} %`],
    )
    await backend.close()
    worker!.kill('SIGTERM')
    await lab.startWorkers(8, 1)
    const many = await lab.open(1_000)
    await lab.run(many, 2_000, 64)
    const queue = await lab.run(many, 10_000, 1_000)
    rows.push(['10,000 no-op trials over 8 worker processes: trials/s', round(queue.rate)])
    await many.close()
    console.log(table([`remote (${load})`, 'measured'], rows))
    if (peersPython !== undefined)
      for (const peer of ['optuna', 'ray']) {
        const script = join(import.meta.dirname, 'peers', 'queue_peers.py')
        console.log(
          execFileSync(peersPython, [script, peer, folder], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
        )
      }
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/** A process of this folder; tells when it is ready. */
function startProcess(file: string, args: readonly string[], cwd: string): ChildProcess {
  const entry = join(import.meta.dirname, file)
  const loader = file.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : []
  return spawn(process.execPath, [...loader, entry, ...args], { cwd, stdio: ['ignore', 'ignore', 'pipe'] })
}

function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stderr!.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('is ready')) resolve()
    })
    child.once('exit', (code) => reject(new Error(`the worker ended: ${code}`)))
  })
}

/** Processor time and memory of a worker that waits for work (Linux). */
async function whileIdle(child: ChildProcess): Promise<string[][]> {
  await untilReady(child)
  const measureMs = 20_000
  // What starting left to do, compiling and collecting, is over by then.
  await pause(20_000)
  const before = processorMs(child.pid!)
  await pause(measureMs)
  const busyMs = processorMs(child.pid!) - before
  const rss = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]
  return [
    ['an idle worker of 4 slots: processor', `${round((100 * busyMs) / measureMs)} %`],
    ['its memory, MB', round(Number(rss) / 1_000)],
  ]
}

/** Processor time of a process so far, all its threads included (Linux counts in hundredths of a second). */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(share * values.length)]!

/** Workers and sweeps around one server. */
export class RemoteBench {
  #serial = 0

  constructor(
    private readonly url: string,
    private readonly folder: string,
    private readonly closing: (() => Promise<void> | void)[],
  ) {}

  /** @param ability `unfit` for workers that have not got the experiment. */
  async startWorkers(count: number, slots: number, ability: 'fit' | 'unfit' = 'fit'): Promise<ChildProcess[]> {
    const workers = Array.from({ length: count }, () => {
      const name = `bench-${++this.#serial}`
      const store = join(this.folder, name)
      const child = startProcess('remote-worker.ts', [this.url, name, store, String(slots), ability], this.folder)
      this.closing.push(() => void child.kill('SIGKILL'))
      return child
    })
    await Promise.all(workers.map(untilReady))
    return workers
  }

  async open(window: number): Promise<RemoteBackend> {
    const sweep = `bench-${++this.#serial}`
    return RemoteBackend.open({
      connection: await connectNats(this.url, 'bench', { env: {} }),
      tenant: 'bench',
      sweep,
      // As every sweep of a person's: its trials carry tokens.
      record: {
        ...{ sweep, planHash: 'hash', planBytes: Buffer.from(sweep), total: 1 },
        ...{ codeVersion, engine: 'cpu', openedAtMs: systemClock.now() },
      },
      store: openStore(join(this.folder, 'orchestrator')),
      clock: systemClock,
      window,
      maxAttempts: 3,
      leaseMs: 30_000,
      warn: console.warn,
    })
  }

  /** Runs `count` trials of `ms`, `inFlight` at a time: how many a second, and how long each was away. */
  async run(
    backend: RemoteBackend,
    count: number,
    inFlight: number,
    ms = 0,
  ): Promise<{ rate: number; tripsMs: number[] }> {
    const began = new Map<string, number>()
    const tripsMs: number[] = []
    const start = (): void => {
      const assignment = this.#assignment(ms)
      began.set(assignment.trial.id, performance.now())
      void backend.start(assignment)
    }
    const startedAtMs = performance.now()
    for (let i = 0; i < Math.min(count, inFlight); i++) start()
    let left = count - Math.min(count, inFlight)
    const events = backend.events()[Symbol.asyncIterator]()
    while (tripsMs.length < count) {
      const { value } = (await events.next()) as { value: { type: string; trial: string } }
      if (value.type !== 'ended') continue
      tripsMs.push(performance.now() - began.get(value.trial)!)
      if (left-- > 0) start()
    }
    return { rate: (1_000 * count) / (performance.now() - startedAtMs), tripsMs }
  }

  #assignment(ms: number): Assignment {
    const id = (++this.#serial).toString(16).padStart(16, '0')
    return {
      sweep: 'bench',
      trial: {
        id,
        index: 0,
        experiment: noopCustom.name,
        version: 1,
        stage: 'main',
        params: { n: this.#serial, ms },
        seeds: { data: 0, init: 0, shuffle: 0, corruption: 0 },
        parents: [],
        cost: 1,
      },
      attempt: 1,
      parents: [],
      reads: [],
      engine: 'compiled',
      interactive: false,
    }
  }
}
