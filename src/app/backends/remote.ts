import { systemClock } from '../../core/clock.js'
import { MldsError } from '../../core/errors.js'
import { minOf } from '../../core/extremes.js'
import type { EngineName } from '../../core/trial.js'
import { codeVersion } from '../../core/version.js'
import { defaultLimits } from '../../sweeps/run-sweep.js'
import { encodePlan, type StoredPlan } from '../../sweeps/stored-plan.js'
import type { Backend } from '../../worker/backend.js'
import type { StoredSweep } from '../stored-sweep.js'
import { datasetOffers } from './dataset-offers.js'
import { LocalWorker } from './local-worker.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import { rememberTarget, type NatsTarget } from './nats-target.js'

/** A run on the workers of a NATS server. */
export interface RemoteRun {
  /**
   * `threads`: those of this process that take trials beside the workers; 0 for none. `leaseMs`: of the queue, where it is made now
   * (default 30 s). `ship`: the files of a person's own experiment travel with its trials (default: workers have them).
   */
  readonly where: NatsTarget & { readonly threads: number; readonly leaseMs?: number; readonly ship?: boolean }
  readonly engine: EngineName
  readonly fresh: boolean
  /** How often the sweep's results were declared void, this time included. */
  readonly voids: number
  /** At most so often a trial that runs in this process keeps a checkpoint. */
  readonly checkpointEveryMs: number
  /** So many copies of trials at most run beside them. */
  readonly copies: number
  /** Closing leaves the queue to the workers. */
  readonly detach: boolean
}

/** Queued and running trials at once: enough for any fleet, few enough that a cancelled sweep leaves little behind. */
const windowTrials = 1_000
/** A sweep that is left alone queues all that can run without it. */
const detachedWindowTrials = 100_000

/** The remote backend for a sweep: its trials run on the workers of a NATS server. */
export async function openRemote(
  stored: StoredSweep,
  { where, engine, fresh, voids, detach }: RemoteRun,
  say: (message: string) => void,
): Promise<Backend> {
  const { store, sweep } = stored
  const { plan } = sweep
  const { gpu, memoryGb } = plan.spec.resources ?? {}
  refuseAway(plan, detach)
  const code = where.ship === true ? await codeOf(stored, where, say) : undefined
  const { connectNats } = await import('../../worker/remote/wire/connect.js')
  const { RemoteBackend } = await import('../../worker/remote/orchestrator/remote-backend.js')
  const worker =
    where.threads === 0
      ? undefined
      : new LocalWorker(stored, { ...where, accepts: code === undefined ? [] : [code.key] }, say)
  const backend = await RemoteBackend.open({
    connection: await connectNats(where.nats, `mlds-sweep/${sweep.id}`, { say }),
    tenant: where.tenant,
    sweep: sweep.id,
    store,
    clock: systemClock,
    window: detach ? detachedWindowTrials : windowTrials,
    maxAttempts: defaultLimits.maxAttempts,
    ...(where.leaseMs === undefined ? {} : { leaseMs: where.leaseMs }),
    warn: say,
    datasets: datasetOffers(store),
    interactive: isInteractive(plan),
    needs: {
      labels: [...(plan.spec.labels ?? [])],
      ...(gpu === undefined ? {} : { gpu }),
      ...(memoryGb === undefined ? {} : { memoryGb }),
    },
    timeLimitOf: (stage) => timeLimitOf(plan, stage),
    fresh,
    voids,
    detach,
    ...(code === undefined ? {} : { code }),
    record: { ...recordOf(sweep, engine), ...(code === undefined ? {} : { code: code.object }) },
    ...(worker === undefined ? {} : { afterClose: () => worker.stop() }),
  })
  await rememberTarget(sweep, where, code !== undefined)
  await worker?.start()
  return backend
}

async function codeOf({ sweep }: StoredSweep, { tenant }: NatsTarget, say: (message: string) => void) {
  const { shipCode } = await import('./ship-code.js')
  return shipCode(sweep, { tenant, env: process.env }, say)
}

const isInteractive = ({ spec }: StoredPlan): boolean => (spec.scheduler ?? []).length > 0

/** After how long an attempt is ended at the latest: by the sweep, or by the command that is this stage of its experiment. */
function timeLimitOf({ spec }: StoredPlan, stage: string): number | undefined {
  const { own } = spec
  const commands =
    own?.kind === 'command' ? [own.command, ...(own.command.later ?? []).map(({ command }) => command)] : []
  const ofStage = commands.find((command) => (command.stage ?? 'main') === stage)
  const limits = [spec.timeLimitMs, ofStage?.timeLimitMs].flatMap((limitMs) => limitMs ?? [])
  return limits.length === 0 ? undefined : minOf(limits)
}

/** @throws MldsError for a sweep that needs what workers, or a process that left, have not got. */
function refuseAway(plan: StoredPlan, detach: boolean): void {
  if (plan.spec.own?.kind === 'program')
    throw new MldsError('USAGE', `an object of a program can't be run by workers: ${plan.experiment}`, {
      hint: 'export it from a file of its own, which workers are given too: mlds worker start --experiment FILE',
    })
  if (isInteractive(plan) && detach)
    throw new MldsError('USAGE', '--detach: a sweep that stops trials early needs this process to judge them')
  if (plan.spec.search?.learning !== undefined && detach)
    throw new MldsError('USAGE', '--detach: a search that learns needs this process to suggest what comes next')
  if (plan.spec.confirm !== undefined && detach)
    throw new MldsError(
      'USAGE',
      '--detach: a sweep that runs its best settings on fresh seeds needs this process to choose them',
    )
  if (plan.spec.untilDecided !== undefined && detach)
    throw new MldsError(
      'USAGE',
      '--detach: a sweep that adds seeds until its claims are decided needs this process to look',
    )
}

/** What the server keeps of a sweep, for whoever looks or resumes it elsewhere. */
function recordOf({ id, frozen: plan }: SweepFolder, engine: EngineName) {
  return {
    sweep: id,
    planHash: plan.hash,
    planBytes: withoutCustom(plan),
    total: plan.trials.length,
    codeVersion,
    engine,
    openedAtMs: plan.createdAtMs,
  }
}

/** The plan for others: a command line or a path of this host is nothing to be told, or to be run elsewhere. */
function withoutCustom(plan: StoredPlan): Uint8Array {
  const { own: _, ...spec } = plan.spec
  return Buffer.concat([...encodePlan({ ...plan, spec })])
}
