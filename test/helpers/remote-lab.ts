import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import type { NatsConnection } from '@nats-io/transport-node'
import { systemClock } from '../../src/clock.js'
import { openStore, type Store } from '../../src/store.js'
import { connectNats } from '../../src/worker/remote/connect.js'
import { startNatsServer, type NatsServer } from '../../src/worker/remote/nats-server.js'
import { namesOf, sweepToken, type RunKey } from '../../src/worker/remote/protocol.js'
import { RemoteBackend, type RemoteOptions } from '../../src/worker/remote/remote-backend.js'
import { openBroker, type OrchestratorBroker } from '../../src/worker/remote/streams.js'
import { runWorker, type WorkerOptions } from '../../src/worker/remote/worker-process.js'
import { Listener } from '../conformance/backend.js'

export const leaseMs = 2_000
export const toyModule = new URL('../fixtures/toy-experiment.mjs', import.meta.url).href
export const toySweep = 'toy-sweep'

export interface LabWorker {
  readonly said: string[]
  /** Takes no more, hands back what runs, and ends. */
  end(): Promise<void>
}

/** A real nats-server for one test file, with workers and orchestrators of this very process around it. */
export class RemoteLab {
  static #workers = 0
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

  /** A worker that the test ends. */
  async startWorker(tenant: string, options: Partial<WorkerOptions> = {}): Promise<LabWorker> {
    const [drain, abort] = [new AbortController(), new AbortController()]
    const said: string[] = []
    const name = `worker-${++RemoteLab.#workers}`
    const done = runWorker({
      connection: await connectNats(this.server.url, name),
      tenant,
      name,
      slots: 2,
      store: this.store(name),
      clock: systemClock,
      leaseMs,
      heapMb: 64,
      experimentModules: [toyModule],
      drain: drain.signal,
      abort: abort.signal,
      say: (message) => said.push(message),
      ...options,
    })
    return {
      said,
      async end() {
        drain.abort()
        abort.abort()
        await done
      },
    }
  }

  /** A worker that ends with the test. */
  async worker(tenant: string, options: Partial<WorkerOptions> = {}): Promise<LabWorker> {
    const worker = await this.startWorker(tenant, options)
    onTestFinished(() => worker.end())
    return worker
  }

  /** An orchestrator's backend that the test closes. */
  async openBackend(tenant: string, options: Partial<RemoteOptions> = {}): Promise<RemoteBackend> {
    return RemoteBackend.open({
      connection: await connectNats(this.server.url, 'orchestrator'),
      tenant,
      sweep: toySweep,
      store: this.store('orchestrator'),
      clock: systemClock,
      window: 100,
      maxAttempts: 3,
      leaseMs,
      warn: () => {},
      ...options,
    })
  }

  /** A backend that is closed with the test, with an ear to it. */
  async backend(
    tenant: string,
    options: Partial<RemoteOptions> = {},
  ): Promise<{ backend: RemoteBackend; listener: Listener; said: string[] }> {
    const said: string[] = []
    const backend = await this.openBackend(tenant, { warn: (message) => said.push(message), ...options })
    onTestFinished(() => backend.close())
    return { backend, listener: new Listener(backend), said }
  }
}

export function runKey(trial: string, generation = 0): RunKey {
  return { sweep: sweepToken(toySweep), trial, generation }
}
