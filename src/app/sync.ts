import { MldsError } from '../core/errors.js'
import { experimentToRead, type CodeTrust } from '../experiments/registry.js'
import type { Store } from '../system/store.js'
import { lockHolder } from '../system/lock.js'
import { SweepFolder } from '../sweeps/sweep-folder.js'
import { concludeAndDraw } from './conclude.js'
import { storyOf } from './mlflow/story.js'
import { describeSweep } from './stored-sweep.js'
import { openTracking, type OpenTrackingOptions } from './mlflow/open-tracking.js'
import type { Tracked } from '../tracking/tracker.js'

export interface SyncOptions
  extends
    Pick<
      OpenTrackingOptions,
      'url' | 'ledger' | 'signal' | 'warn' | 'onProgress' | 'checkpoints' | 'deep' | 'firstAnswer'
    >,
    CodeTrust {
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
  const experiment = await experimentToRead(sweep, options)
  const stored = { store, sweep, experiment }
  const { onlyWhatIsNew = false, trustCode: _, ...tracked } = options
  const tracker = openTracking({ ...stored, ...tracked, isOver: true })
  const info = describeSweep(stored)
  const closed = sweep.closedAs
  try {
    const held = onlyWhatIsNew ? await tracker.alreadyHeld(info, closed === undefined ? {} : { closed }) : undefined
    if (held !== undefined) return held
    await tracker.open(info)
    return await tracker.finish(async () => storyOf(stored, await concludeAndDraw(stored, options.warn)))
  } finally {
    await tracker.close()
  }
}
