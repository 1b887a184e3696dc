import { basename } from 'node:path'
import { StoreError } from '../core/errors.js'
import type { Plan } from '../sweeps/plan.js'
import { SweepFolder } from '../sweeps/sweep-folder.js'
import { lockHolder } from '../system/lock.js'
import type { Store } from '../system/store.js'
import { summarise } from './summary.js'

export interface ListedSweep extends ReturnType<typeof summarise> {
  /** The file of a custom experiment, or the one that its command runs. */
  readonly file?: string
  /** ISO 8601, UTC. */
  readonly createdAt: string
  /** The process of this host that runs it. */
  readonly runningPid?: number
}

/**
 * The store's sweeps, newest first; those that can't be read are left out, and `onDamaged` is told why.
 * @throws StoreError when there are sweeps and none can be read.
 */
export async function listSweeps(store: Store, onDamaged: (message: string) => void): Promise<ListedSweep[]> {
  const ids = await store.sweepIds()
  const read = async (id: string): Promise<ListedSweep[]> => {
    try {
      return [await describe(await SweepFolder.open(store, id))]
    } catch (error) {
      // One damaged sweep must not hide the others.
      onDamaged((error as Error).message)
      return []
    }
  }
  const sweeps = (await Promise.all(ids.map(read))).flat()
  if (ids.length > 0 && sweeps.length === 0)
    throw new StoreError(`none of the sweeps of this store can be read: ${ids.length} of ${ids.length} are damaged`)
  return sweeps.sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : 0))
}

async function describe(sweep: SweepFolder): Promise<ListedSweep> {
  const pid = lockHolder(sweep.lockFile)
  return {
    ...summarise(sweep, sweep.restore().counts()),
    ...(await fileOf(sweep.plan)),
    createdAt: new Date(sweep.plan.createdAtMs).toISOString(),
    ...(pid === undefined ? {} : { runningPid: pid }),
  }
}

async function fileOf({ spec: { own: source } }: Pick<Plan, 'spec'>): Promise<{ file?: string }> {
  if (source?.kind === 'file') return { file: basename(source.file) }
  if (source?.kind !== 'command') return {}
  // What runs commands is not needed to list other sweeps.
  const { programOf } = await import('../experiments/custom/command.js')
  return { file: programOf(source.command) }
}
