import { systemClock } from '../core/clock.js'
import type { TrialId } from '../core/trial.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import type { Store } from '../system/store.js'
import { targetOf } from './backends/nats-target.js'
import { withTenant } from './backends/tenant.js'

export interface RemoteLogOptions {
  readonly signal: AbortSignal
  readonly write: (text: string) => void
  /** Only what is there now. Default: until the trial ends. */
  readonly once?: boolean
}

/**
 * Passes on the log of a trial that runs on a worker now.
 * @returns how that ended; `undefined` for a trial that runs on none.
 * @throws UnavailableError when the sweep's server does not answer.
 */
export async function readRemoteLog(
  store: Store,
  sweep: SweepFolder,
  trial: TrialId,
  options: RemoteLogOptions,
): Promise<'ended' | 'interrupted' | undefined> {
  const target = targetOf({ nats: undefined, tenant: '' }, sweep)
  if (target === undefined) return undefined
  const { findRunning, followRemoteLog } = await import('../worker/remote/admin/remote-log.js')
  return withTenant(target, async (broker) => {
    const running = await findRunning(broker, sweep.id, trial)
    if (running === undefined) return undefined
    return followRemoteLog(broker, running, { sweep: sweep.id, store, clock: systemClock, ...options })
  })
}
