import { existsSync, statSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { readRegularFile } from '../system/read-regular-file.js'
import { makeFolder } from '../system/make-folder.js'
import { systemClock } from '../core/clock.js'
import { openData } from '../data/catalog.js'
import { MldsError, StoreError, UnavailableError, UnknownNameError } from '../core/errors.js'
import { authorsName, ownOf, reopenOwn } from '../experiments/custom/custom.js'
import { latest } from '../core/names.js'
import { isMine } from '../system/ownership.js'
import { replaceFile } from '../system/replace-file.js'
import type { Store } from '../system/store.js'
import { defaultLimits } from '../sweeps/run-sweep.js'
import { encodePlan, parsePlan, type StoredPlan } from '../sweeps/stored-plan.js'
import { meansAbsent, resolveSweepId, SweepFolder } from '../sweeps/sweep-folder.js'
import type { Assignment, EngineName } from '../core/trial.js'
import { codeVersion } from '../core/version.js'
import type { Backend } from '../worker/backend.js'
import type { SweepMessage } from '../worker/remote/wire/protocol.js'
import type { DatasetOffer } from '../worker/remote/orchestrator/remote-backend.js'
import type { OrchestratorBroker } from '../worker/remote/wire/streams.js'
import { readOwn, settleOwn } from './plan.js'

/** Which NATS server, and whose queue on it. */
export interface NatsTarget {
  /** As given by a flag; `undefined` finds it as the `nats` command does. */
  readonly nats: string | undefined
  readonly tenant: string
}

export interface RemoteRun extends NatsTarget {
  readonly engine: EngineName
  /** Threads of this process that take trials beside the workers; 0 for none. */
  readonly threads: number
  readonly fresh: boolean
  /** Closing leaves the queue to the workers. */
  readonly detach: boolean
  readonly say: (message: string) => void
}

/** Queued and running trials at once: enough for any fleet, few enough that a cancelled sweep leaves little behind. */
const windowTrials = 1_000
/** A sweep that is left alone queues all that can run without it. */
const detachedWindowTrials = 100_000

/** The remote backend for a sweep: its trials run on the workers of a NATS server. */
export async function openRemoteFor(store: Store, sweep: SweepFolder, run: RemoteRun): Promise<Backend> {
  const { connectNats } = await import('../worker/remote/wire/connect.js')
  const { RemoteBackend } = await import('../worker/remote/orchestrator/remote-backend.js')
  const { defaultLeaseMs } = await import('../worker/remote/wire/streams.js')
  const { plan } = sweep
  const interactive = (plan.spec.scheduler ?? []).length > 0
  if (interactive && run.detach)
    throw new MldsError('USAGE', '--detach: a sweep that stops trials early needs this process to judge them')
  const worker = run.threads === 0 ? undefined : new LocalWorker(store, sweep, run)
  const backend = await RemoteBackend.open({
    connection: await connectNats(run.nats, `mlds-sweep/${sweep.id}`, { say: run.say }),
    tenant: run.tenant,
    sweep: sweep.id,
    store,
    clock: systemClock,
    window: run.detach ? detachedWindowTrials : windowTrials,
    maxAttempts: defaultLimits.maxAttempts,
    leaseMs: defaultLeaseMs,
    warn: run.say,
    datasets: datasetOffers(store),
    interactive,
    fresh: run.fresh,
    voids: sweep.restore().voids + (run.fresh ? 1 : 0),
    detach: run.detach,
    record: {
      sweep: sweep.id,
      planHash: plan.hash,
      planBytes: withoutOwn(plan),
      total: plan.trials.length,
      codeVersion,
      engine: run.engine,
      openedAtMs: plan.createdAtMs,
    },
    ...(worker === undefined ? {} : { afterClose: () => worker.stop() }),
  })
  await rememberTarget(sweep, run)
  await worker?.start()
  return backend
}

/** The plan for others: a command line or a path of this host is nothing to be told, or to be run elsewhere. */
function withoutOwn(plan: StoredPlan): Uint8Array {
  const { own: _, ...spec } = plan.spec
  return Buffer.concat([...encodePlan({ ...plan, spec })])
}

/** Threads of this process as one more worker: it takes trials from the same queue as those on other hosts. */
class LocalWorker {
  readonly #end = new AbortController()
  #done: Promise<void> = Promise.resolve()

  constructor(
    private readonly store: Store,
    private readonly sweep: SweepFolder,
    private readonly run: RemoteRun,
  ) {}

  async start(): Promise<void> {
    const { connectNats } = await import('../worker/remote/wire/connect.js')
    const { runWorker, workerName } = await import('../worker/remote/host/worker-process.js')
    const { nats, tenant, threads, say } = this.run
    const name = workerName()
    this.#done = runWorker({
      connection: await connectNats(nats, `mlds-worker/${name}`),
      tenant,
      name,
      slots: threads,
      store: this.store,
      clock: systemClock,
      logsFolder: this.sweep.logsFolder,
      own: ownOf(this.sweep.plan),
      drain: this.#end.signal,
      abort: this.#end.signal,
      say,
    }).catch((error: Error) => say(`the threads of this process take no more trials: ${error.message}`))
  }

  async stop(): Promise<void> {
    this.#end.abort()
    await this.#done
  }
}

/** What a trial reads, by fingerprint; sets that a person added go along for workers that have not got them. */
function datasetOffers(store: Store): (assignment: Assignment) => DatasetOffer[] {
  const catalog = openData(store)
  const offers = new Map<string, DatasetOffer>()
  const offer = (name: string): DatasetOffer => {
    const { fingerprint } = catalog.resolve(name)
    const stored = catalog.stored(name)
    if (stored === undefined) return { message: { name, fingerprint } }
    const { rows, trainRows, shape } = stored.facts
    const object = { sha256: fingerprint, sizeBytes: rows * (1 + shape.reduce((a, b) => a * b, 1)) }
    return { message: { name, fingerprint, object, images: { rows, trainRows, shape: [...shape] } }, read: stored.read }
  }
  return ({ reads }) =>
    reads.map((name) => {
      const known = offers.get(name) ?? offer(name)
      offers.set(name, known)
      return known
    })
}

const targetFile = (sweep: SweepFolder): string => join(sweep.folder, 'nats.json')

/** So that later commands find the server without being told; never with a password. */
async function rememberTarget(sweep: SweepFolder, { nats, tenant }: NatsTarget): Promise<void> {
  const url = nats?.replace(/\/\/[^@/,]*@/g, '//')
  await replaceFile(
    targetFile(sweep),
    Buffer.from(`${JSON.stringify({ ...(url === undefined ? {} : { url }), tenant })}\n`),
  )
}

/** Where the flags say, or where the sweep last ran; `undefined` for one that ran on threads only. */
export function targetOf(
  flags: { readonly nats?: string | undefined; readonly tenant: string },
  sweep: SweepFolder | undefined,
): NatsTarget | undefined {
  if (flags.nats !== undefined) return { nats: flags.nats, tenant: flags.tenant }
  if (sweep === undefined) return undefined
  try {
    // A server that another user wrote down is not to be given this one's secrets.
    if (!isMine(statSync(targetFile(sweep)))) return undefined
    const { url, tenant } = JSON.parse(readRegularFile(targetFile(sweep), 'utf8')) as { url?: string; tenant: string }
    return { nats: url, tenant }
  } catch {
    return undefined
  }
}

/**
 * Looks at what a tenant has on its server, or changes it; makes no streams.
 * @throws UnavailableError when the server does not answer or nothing of this tenant is there.
 */
export async function withTenant<T>(target: NatsTarget, act: (broker: OrchestratorBroker) => Promise<T>): Promise<T> {
  const { connectNats } = await import('../worker/remote/wire/connect.js')
  const { findBroker } = await import('../worker/remote/wire/streams.js')
  const { namesOf } = await import('../worker/remote/wire/names.js')
  const connection = await connectNats(target.nats, 'mlds')
  try {
    const broker = await findBroker(connection, namesOf(target.tenant))
    if (broker === undefined)
      throw new UnavailableError(`no sweep ever ran on this NATS server for the tenant ${target.tenant}`, {
        hint: 'start a sweep with: mlds sweep params --nats URL, or name another --tenant',
      })
    return await act(broker)
  } finally {
    await connection.close()
  }
}

/** The sweep that the server knows by this id, the beginning of it, or `latest`. @throws UnknownNameError */
export async function findSweepOn(broker: OrchestratorBroker, wanted: string): Promise<SweepMessage> {
  const { listSweeps } = await import('../worker/remote/admin/sweep-registry.js')
  const known = await listSweeps(broker)
  const exact = wanted === latest ? known[0] : known.find(({ sweep }) => sweep === wanted)
  if (exact !== undefined) return exact
  const fitting = known.filter(({ sweep }) => sweep.startsWith(wanted))
  if (fitting.length > 1)
    throw new StoreError(`several sweeps begin with ${wanted}: ${fitting.map(({ sweep }) => sweep).join(', ')}`, {
      exitCode: 2,
    })
  if (fitting[0] !== undefined) return fitting[0]
  throw new UnknownNameError(
    'sweep on the NATS server',
    wanted,
    known.map(({ sweep }) => sweep),
  )
}

/**
 * Makes a sweep's folder here from what the server keeps, so that it can be resumed: its plan; results are taken over
 * when it runs.
 * @param file the experiment, when it is not built in: no server hands it out.
 * @throws MldsError when such a file is missing, or is of another version.
 */
export async function fetchSweep(
  store: Store,
  target: NatsTarget,
  wanted: string,
  file: string | undefined,
): Promise<SweepFolder> {
  const { fetchPlan } = await import('../worker/remote/admin/sweep-registry.js')
  return withTenant(target, async (broker) => {
    const found = await findSweepOn(broker, wanted)
    const plan = parsePlan(await fetchPlan(broker, store, found), `NATS, sweep ${found.sweep}`)
    const folder = store.sweepFolder(found.sweep)
    const adopted = await adopt(plan, file)
    if (existsSync(join(folder, 'plan.json')))
      throw new StoreError(`sweep ${found.sweep} has a plan here already: ${folder}`, {
        hint: `resume it by its full id: mlds resume ${found.sweep}`,
      })
    await makeFolder(folder)
    await replaceFile(join(folder, 'plan.json'), encodePlan(adopted))
    return SweepFolder.open(store, found.sweep)
  })
}

/** The plan of another host, which runs this host's own code or none: what stood in it is not believed. */
async function adopt(plan: StoredPlan, file: string | undefined): Promise<StoredPlan> {
  const { own: _, ...spec } = plan.spec
  if (authorsName(plan.experiment) === undefined) return { ...plan, spec }
  if (file === undefined)
    throw new MldsError('USAGE', `the experiment of sweep ${plan.sweep} is not built in: ${plan.experiment}`, {
      hint: `give the file that the sweep was started with: mlds resume ${plan.sweep} --nats URL --experiment FILE`,
    })
  const source = await readOwn(file)
  const { own } = await settleOwn({ ...spec, own: source })
  await reopenOwn(source, plan.experiment)
  return { ...plan, spec: { ...spec, own: own! } }
}

/** Pauses or cancels a sweep, whoever runs it. @returns who does, and how many trials were taken back. */
export async function haltSweep(
  target: NatsTarget,
  sweep: string,
  wanted: 'pause' | 'cancel',
): Promise<{ orchestrator: string | undefined; recalled: number }> {
  const { controlSweep, recallQueued } = await import('../worker/remote/admin/sweep-control.js')
  const { leaseHolder } = await import('../worker/remote/orchestrator/lease.js')
  const { sweepToken } = await import('../worker/remote/wire/names.js')
  return withTenant(target, async (broker) => {
    const orchestrator = await leaseHolder(broker.leases, sweep)
    await controlSweep(broker, sweep, { wanted, by: whoAsks(), atMs: systemClock.now() })
    // Nobody else would: what waits must not begin.
    const recalled = await recallQueued(broker, { sweep: sweepToken(sweep) })
    return { orchestrator, recalled: recalled.length }
  })
}

/** Lets a paused sweep go on where it is being run. @returns who runs it; `undefined` when nobody does, or it was not paused. */
export async function goOn(target: NatsTarget, sweep: string): Promise<string | undefined> {
  const { controlSweep, readControl } = await import('../worker/remote/admin/sweep-control.js')
  const { leaseHolder } = await import('../worker/remote/orchestrator/lease.js')
  const { sweepToken } = await import('../worker/remote/wire/names.js')
  return withTenant(target, async (broker) => {
    const orchestrator = await leaseHolder(broker.leases, sweep)
    if (orchestrator === undefined || (await readControl(broker, sweepToken(sweep)))?.wanted !== 'pause')
      return undefined
    await controlSweep(broker, sweep, { wanted: 'run', by: whoAsks(), atMs: systemClock.now() })
    return orchestrator
  })
}

function whoAsks(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return hostname()
  }
}

/** @throws MldsError for a sweep that never ran on NATS. */
function requireTarget(
  flags: { readonly nats?: string | undefined; readonly tenant: string },
  sweep: SweepFolder | undefined,
  wanted: string,
): NatsTarget {
  const target = targetOf(flags, sweep)
  if (target !== undefined) return target
  throw new MldsError('USAGE', `sweep ${wanted} did not run on NATS`, {
    hint: 'name its server with --nats URL; a sweep on threads is stopped with Ctrl-C',
  })
}

/** The sweep a person means, here or on the server, and the server. @throws UnknownNameError, MldsError */
export async function locate(
  store: Store,
  wanted: string,
  flags: { readonly nats?: string | undefined; readonly tenant: string },
): Promise<{ target: NatsTarget; sweep: string; folder: SweepFolder | undefined }> {
  const folder = await resolveSweepId(store, wanted).then(
    (id) => SweepFolder.open(store, id),
    (error: unknown) => {
      if (flags.nats === undefined || !meansAbsent(error)) throw error
      return undefined
    },
  )
  const target = requireTarget(flags, folder, wanted)
  const sweep = folder?.id ?? (await withTenant(target, async (broker) => (await findSweepOn(broker, wanted)).sweep))
  return { target, sweep, folder }
}
