import { MldsError, StoreError } from '../core/errors.js'
import { latest } from '../core/names.js'
import { problemOf } from '../core/system-error.js'
import { holderOf, SweepFolder } from '../sweeps/sweep-folder.js'
import { lockSweep } from '../system/lock.js'
import { moveFolder } from '../system/replace-file.js'
import type { Store } from '../system/store.js'
import { mayBeQueued } from './backends/nats-target.js'

/** What still knows a sweep by the name it began with. */
export interface Renamed {
  readonly sweep: string
  /** Its name before this. */
  readonly was: string
  /** What MLflow calls it, if it was brought there: its first name. */
  readonly inMlflow?: string
}

/**
 * Gives a sweep another name: its folder, which is one step. Trials, results and ids stay; so does its first name in plan.json,
 * by which MLflow goes on to know it.
 * @throws StoreError when it runs, its trials are queued on a server, or the name is taken; MldsError for what is no name.
 */
export async function renameSweep(store: Store, from: string, to: string): Promise<Renamed> {
  if (to === latest)
    throw new MldsError('USAGE', `${latest} is what the newest sweep is called everywhere (choose another name)`)
  const target = store.sweepFolder(to)
  const sweep = await SweepFolder.open(store, from)
  const lock = lockSweep(sweep.lockFile, from)
  try {
    if ((await store.sweepIds()).includes(to))
      throw new StoreError(`there is a sweep of that name: ${to}`, {
        hint: 'choose another, or rename that one first',
        exitCode: 2,
      })
    requireIdle(sweep)
    await moveFolder(sweep.folder, target).catch((error: unknown) => {
      throw new StoreError(`sweep ${from} could not be renamed: ${problemOf(error)}`, { cause: error })
    })
    lock.moveTo(target)
  } finally {
    lock.release()
  }
  const renamed = await SweepFolder.open(store, to)
  return { sweep: to, was: from, ...(renamed.isTracked ? { inMlflow: renamed.firstName } : {}) }
}

/** @throws StoreError where it is brought to MLflow, or workers have trials of it, whose results come under the name that they were queued with. */
function requireIdle(sweep: SweepFolder): void {
  // This process holds the other lock.
  const pid = holderOf(sweep.folder, { exceptRunning: true })
  if (pid !== undefined)
    throw new StoreError(`sweep ${sweep.id} is being brought to MLflow by process ${pid}`, { hint: 'wait for it' })
  if (!mayBeQueued(sweep)) return
  throw new StoreError(`sweep ${sweep.id} may have trials with workers, who bring their results under this name`, {
    hint: `let them end and collect them first: mlds resume ${sweep.id}`,
  })
}
