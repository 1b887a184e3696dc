import type { NatsTarget } from '../../app/backends/nats-target.js'
import type { Where } from '../../app/backends/open-backend.js'
import type { RunChoices } from '../../app/running/choices.js'
import { MldsError } from '../../core/errors.js'
import type { EngineName } from '../../core/trial.js'
import type { SweepLimits } from '../../sweeps/run-sweep.js'

/** Flags of the commands that run trials. */
export interface RunFlags {
  readonly workers: number
  readonly nats?: string | undefined
  readonly tenant: string
  readonly lease?: number | undefined
  readonly ship?: boolean
  readonly engine: EngineName
  readonly track?: string | undefined
  readonly 'track-checkpoints': boolean
  readonly 'track-programs': boolean
  readonly fresh?: boolean
  readonly detach?: boolean
  readonly 'fail-fast': boolean
  readonly 'max-failures'?: number | undefined
  readonly retries: number
  readonly 'failing-alike': number
  readonly 'checkpoint-every': number
  readonly budget?: number | undefined
  readonly copies: number
}

/** What oclif tells beside the flags' values. */
export interface FlagMetadata {
  readonly flags: Readonly<Record<string, { readonly setFromDefault?: boolean } | undefined>>
}

/**
 * How to run, as the flags say. `remembered` is the server that the sweep last ran on.
 * @throws MldsError for flags that contradict each other, and for an address of MLflow that is none.
 */
export async function choicesFrom(
  flags: RunFlags,
  metadata: FlagMetadata,
  remembered?: NatsTarget,
): Promise<RunChoices> {
  const { trackingUrl } = await import('../../tracking/mlflow/rest/settings.js')
  const { engine, fresh = false, detach = false } = flags
  const url = trackingUrl(flags.track)
  return {
    where: whereFrom(flags, metadata, remembered),
    ...{ engine, fresh, detach },
    budgetMs: flags.budget,
    copies: flags.copies,
    checkpointEveryMs: 1_000 * flags['checkpoint-every'],
    limits: limitsFrom(flags),
    track:
      url === undefined
        ? undefined
        : { url, checkpoints: flags['track-checkpoints'], programs: flags['track-programs'] },
  }
}

/**
 * With --nats, threads of this process take trials only where --workers asks for it. A sweep that ran on a server goes on
 * there, unless --workers alone asks for threads.
 */
export function whereFrom(
  flags: Pick<RunFlags, 'nats' | 'tenant' | 'workers' | 'lease' | 'ship' | 'detach'>,
  metadata: FlagMetadata,
  remembered?: NatsTarget,
): Where {
  const { nats, tenant, workers, lease, ship = false, detach = false } = flags
  const threads = metadata.flags['workers']?.setFromDefault === true ? 0 : workers
  const target = nats !== undefined ? { nats, tenant } : threads === 0 ? remembered : undefined
  if (target === undefined) return { threads: workers }
  if (detach && threads > 0)
    throw new MldsError('USAGE', `--detach: --workers ${threads} would end with this process (leave it out)`)
  const leaseMs = lease === undefined ? {} : { leaseMs: lease }
  return { nats: target.nats, tenant: target.tenant, threads, ...leaseMs, ...(ship && { ship }) }
}

export function limitsFrom(
  flags: Pick<RunFlags, 'fail-fast' | 'max-failures' | 'retries' | 'failing-alike'>,
): Partial<SweepLimits> {
  const maxFailures = flags['fail-fast'] ? 1 : (flags['max-failures'] ?? Infinity)
  return { maxFailures, retries: flags.retries, failingAlike: flags['failing-alike'] }
}
