import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { openStore } from '../../src/store.js'
import { connectNats } from '../../src/worker/remote/connect.js'
import { RemoteBackend, type RemoteOptions } from '../../src/worker/remote/remote-backend.js'
import { runWorker } from '../../src/worker/remote/worker-process.js'
import { Listener } from '../conformance/backend.js'

/** Orchestrators and workers inside the test's process, over a real server; each goes with the test. */

export const labLeaseMs = 2_000
const modules = ['toy', 'chaos'].map((name) => new URL(`../fixtures/${name}-experiment.mjs`, import.meta.url).href)

export interface LabPlace {
  readonly url: string
  readonly tenant: string
  /** Whence credentials come. Default: from nowhere. */
  readonly env?: NodeJS.ProcessEnv
}

export interface LabWorker {
  readonly name: string
  readonly said: string[]
  readonly done: Promise<void>
  /** Lets what runs end, and waits for it. */
  drain(): Promise<void>
}

function temporaryStore() {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-lab-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return openStore(folder)
}

let workers = 0
export async function withLabWorker({ url, tenant, env = {} }: LabPlace, slots = 2): Promise<LabWorker> {
  const [drain, abort] = [new AbortController(), new AbortController()]
  const said: string[] = []
  const name = `lab-worker-${++workers}`
  const done = runWorker({
    connection: await connectNats(url, name, { env, say: (line) => said.push(line) }),
    tenant,
    name,
    slots,
    store: temporaryStore(),
    clock: systemClock,
    heapMb: 64,
    experimentModules: modules,
    drain: drain.signal,
    abort: abort.signal,
    say: (line) => said.push(line),
  })
  const stop = async (): Promise<void> => {
    drain.abort()
    await done
  }
  onTestFinished(async () => {
    abort.abort()
    await stop()
  })
  return { name, said, done, drain: stop }
}

export interface LabOrchestrator {
  readonly backend: RemoteBackend
  readonly listener: Listener
  readonly warnings: string[]
}

export async function withLabOrchestrator(
  { url, tenant, env = {} }: LabPlace,
  options: Partial<RemoteOptions> = {},
): Promise<LabOrchestrator> {
  const warnings: string[] = []
  const warn = (line: string): void => void warnings.push(line)
  const backend = await RemoteBackend.open({
    connection: await connectNats(url, 'orchestrator', { env, say: warn }),
    tenant,
    sweep: 'toy-sweep',
    store: temporaryStore(),
    clock: systemClock,
    window: 100,
    maxAttempts: 3,
    leaseMs: labLeaseMs,
    warn,
    ...options,
  })
  onTestFinished(() => backend.close())
  return { backend, listener: new Listener(backend), warnings }
}
