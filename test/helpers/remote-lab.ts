import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import type { NatsConnection } from '@nats-io/transport-node'
import { systemClock } from '../../src/core/clock.js'
import { codeVersion } from '../../src/core/version.js'
import { openData } from '../../src/data/catalog.js'
import { openStore, type Store } from '../../src/system/store.js'
import { connectNats } from '../../src/worker/remote/wire/connect.js'
import { startNatsServer, type NatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { namesOf, sweepToken, type RunKey } from '../../src/worker/remote/wire/names.js'
import { RemoteBackend, type RemoteOptions } from '../../src/worker/remote/orchestrator/remote-backend.js'
import type { SweepRecord } from '../../src/worker/remote/wire/sweep-registry.js'
import { openBroker, type OrchestratorBroker } from '../../src/worker/remote/wire/streams.js'
import { runWorker, type WorkerOptions } from '../../src/worker/remote/host/worker-process.js'
import { Listener } from '../conformance/backend.js'
import { chaosCustom, toyCustom } from './custom-modules.js'

export const leaseMs = 2_000
export const toySweep = 'toy-sweep'

/** What makes the server keep a sweep, and its runs carry tokens, as every sweep of a person's does. */
export const recorded = (sweep = toySweep, total = 1): { sweep: string; record: SweepRecord } => ({
  sweep,
  record: {
    ...{ sweep, planHash: 'hash', planBytes: Buffer.from(`the plan of ${sweep}`), total, codeVersion },
    ...{ engine: 'cpu', openedAtMs: systemClock.now() },
  },
})

/** Where orchestrators and workers of the test's own process meet. */
export interface LabPlace {
  readonly url: string
  readonly tenant: string
  /** Whence credentials come. Default: from nowhere. */
  readonly env?: NodeJS.ProcessEnv
}

export interface LabWorker {
  readonly name: string
  readonly said: string[]
  /** Takes no more, lets what runs end, and ends. */
  drain(): Promise<void>
  /** Takes no more, hands back what runs, and ends. */
  end(): Promise<void>
}

function temporaryStore(): Store {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-lab-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return openStore(folder)
}

let workers = 0
async function startLabWorker(
  { url, tenant, env = {} }: LabPlace,
  { store, ...options }: Partial<WorkerOptions> & { store: Store },
): Promise<LabWorker> {
  const [drain, abort] = [new AbortController(), new AbortController()]
  const said: string[] = []
  const say = (line: string): void => void said.push(line)
  const name = `worker-${++workers}`
  const done = runWorker({
    connection: await connectNats(url, name, { env, say }),
    tenant,
    name,
    slots: 2,
    store,
    clock: systemClock,
    leaseMs,
    heapMb: 64,
    custom: [toyCustom, chaosCustom],
    drain: drain.signal,
    abort: abort.signal,
    say,
    ...options,
  })
  const end = (): Promise<void> => {
    drain.abort()
    return done
  }
  return {
    name,
    said,
    drain: end,
    end() {
      abort.abort()
      return end()
    },
  }
}

/** A worker that ends with the test. */
export async function withLabWorker(place: LabPlace, options: Partial<WorkerOptions> = {}): Promise<LabWorker> {
  const worker = await startLabWorker(place, { store: temporaryStore(), ...options })
  onTestFinished(() => worker.end())
  return worker
}

async function openLabBackend(
  { url, tenant, env = {} }: LabPlace,
  { store, warn = () => {}, ...options }: Partial<RemoteOptions> & { store: Store },
): Promise<RemoteBackend> {
  return RemoteBackend.open({
    connection: options.connection ?? (await connectNats(url, 'orchestrator', { env, say: warn })),
    tenant,
    sweep: toySweep,
    store,
    clock: systemClock,
    window: 100,
    maxAttempts: 3,
    leaseMs,
    warn,
    datasets: ({ reads }) =>
      reads.map((name) => ({ message: { name, fingerprint: openData(store).resolve(name).fingerprint } })),
    ...options,
  })
}

export interface LabOrchestrator {
  readonly backend: RemoteBackend
  readonly listener: Listener
  readonly said: string[]
}

/** An orchestrator's backend that is closed with the test, with an ear to it. */
export async function withLabOrchestrator(
  place: LabPlace,
  options: Partial<RemoteOptions> = {},
): Promise<LabOrchestrator> {
  const said: string[] = []
  const warn = (line: string): void => void said.push(line)
  const backend = await openLabBackend(place, { store: temporaryStore(), warn, ...options })
  onTestFinished(() => backend.close())
  return { backend, listener: new Listener(backend), said }
}

/** A real nats-server for one test file, with workers and orchestrators of this very process around it. */
export class RemoteLab {
  static #stores = 0
  server!: NatsServer

  private constructor(readonly folder: string) {}

  /** Started before the file's tests and ended after them. */
  static open(): RemoteLab {
    const lab = new RemoteLab(mkdtempSync(join(tmpdir(), 'mlds-remote-')))
    beforeAll(async () => {
      lab.server = await startNatsServer(join(lab.folder, 'nats'), 0)
    })
    afterAll(async () => {
      await lab.server.stop('SIGKILL')
      rmSync(lab.folder, { recursive: true, force: true })
    })
    return lab
  }

  /** The same around another server. */
  at(server: NatsServer): RemoteLab {
    const lab = new RemoteLab(this.folder)
    lab.server = server
    return lab
  }

  store(name: string): Store {
    return openStore(join(this.folder, name))
  }

  async connect(): Promise<NatsConnection> {
    const connection = await connectNats(this.server.url, 'onlooker')
    onTestFinished(() => connection.close())
    return connection
  }

  async broker(tenant: string, lease = leaseMs): Promise<OrchestratorBroker> {
    return openBroker(await this.connect(), namesOf(tenant), { leaseMs: lease })
  }

  #at(tenant: string): LabPlace {
    return { url: this.server.url, tenant }
  }

  #workerStore(): Store {
    return this.store(`worker-store-${++RemoteLab.#stores}`)
  }

  /** A worker that the test ends. */
  startWorker(tenant: string, options: Partial<WorkerOptions> = {}): Promise<LabWorker> {
    return startLabWorker(this.#at(tenant), { store: this.#workerStore(), ...options })
  }

  /** A worker that ends with the test. */
  worker(tenant: string, options: Partial<WorkerOptions> = {}): Promise<LabWorker> {
    return withLabWorker(this.#at(tenant), { store: this.#workerStore(), ...options })
  }

  /** An orchestrator's backend that the test closes. */
  openBackend(tenant: string, options: Partial<RemoteOptions> = {}): Promise<RemoteBackend> {
    return openLabBackend(this.#at(tenant), { store: this.store('orchestrator'), ...options })
  }

  /** A backend that is closed with the test, with an ear to it. */
  backend(tenant: string, options: Partial<RemoteOptions> = {}): Promise<LabOrchestrator> {
    return withLabOrchestrator(this.#at(tenant), { store: this.store('orchestrator'), ...options })
  }
}

export function runKey(trial: string, generation = 0): RunKey {
  return { sweep: sweepToken(toySweep), trial, generation }
}

/** The consumer of the one lane that the orchestrators of this tenant have made. */
export async function laneConsumer({ jsm, names }: OrchestratorBroker): Promise<string> {
  const consumers = await jsm.consumers.list(names.trials).next()
  const lanes = consumers.flatMap(({ name }) => (name === names.consumer() ? [] : name))
  if (lanes.length !== 1) throw new Error(`not one lane: ${lanes.join(', ')}`)
  return lanes[0]!
}
