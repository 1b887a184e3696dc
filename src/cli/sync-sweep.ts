import { MldsError } from '../errors.js'
import { experimentToRead } from '../experiments/registry.js'
import type { Store } from '../store.js'
import { lockHolder } from '../sweeps/lock.js'
import { SweepFolder } from '../sweeps/sweep-folder.js'
import { concludeAndDraw, describeSweep } from '../library/execute-sweep.js'
import { openTracking, type OpenTrackingOptions, type Tracked } from '../library/tracking.js'

export interface SyncOptions extends Pick<OpenTrackingOptions, 'url' | 'ledger' | 'signal' | 'warn' | 'checkpoints'> {
  /** Be content when all was brought before and the server still has the sweep; its figures are then not drawn anew. */
  readonly onlyWhatIsNew?: boolean
}

/**
 * Brings a sweep that is not running from its journal to MLflow.
 * @throws MldsError when it is running, MlflowError when the server is away or refuses.
 */
export async function syncSweep(store: Store, id: string, options: SyncOptions): Promise<Tracked> {
  const sweep = await SweepFolder.open(store, id)
  const pid = lockHolder(sweep.lockFile)
  if (pid !== undefined)
    throw new MldsError('BUSY', `sweep ${id} is running: pid ${pid}`, { hint: 'sync it when it has ended' })
  const experiment = await experimentToRead(sweep.plan, options.warn)
  const stored = { store, sweep, experiment }
  const { onlyWhatIsNew = false, ...tracked } = options
  const tracking = openTracking({ ...stored, ...tracked })
  const info = describeSweep(sweep, experiment)
  try {
    const held = onlyWhatIsNew ? await tracking.alreadyHeld(info) : undefined
    return held ?? (await tracking.finish(info, await concludeAndDraw(stored, options.warn)))
  } finally {
    await tracking.close()
  }
}
