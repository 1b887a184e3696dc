import { basename } from 'node:path'
import { StoreError } from '../core/errors.js'
import type { Plan } from '../sweeps/plan.js'
import { isResult, type SweepState } from '../sweeps/journal/state.js'
import { SweepFolder } from '../sweeps/sweep-folder.js'
import { noteOf } from '../sweeps/sweep-note.js'
import { lockHolder } from '../system/lock.js'
import type { Store } from '../system/store.js'
import { summarise } from './summary.js'
import { thoseWhere, type Candidate } from './where.js'

export interface ListedSweep extends ReturnType<typeof summarise> {
  /** The file of a custom experiment, or the one that its command runs. */
  readonly file?: string
  /** What `mlds tag` and `mlds note` gave it; absent where they gave nothing. */
  readonly tags?: readonly string[]
  readonly note?: string
  /** ISO 8601, UTC. */
  readonly createdAt: string
  /** The process of this host that runs it. */
  readonly runningPid?: number
}

/**
 * The store's sweeps, newest first, of which a trial fulfils `where`; those that can't be read are left out, and `onDamaged` is told why.
 * `onTexts` is told which words of `where` are taken for texts.
 * @throws StoreError when there are sweeps and none can be read.
 */
export async function listSweeps(
  store: Store,
  onDamaged: (message: string) => void,
  where?: string,
  onTexts?: (words: readonly string[]) => void,
): Promise<ListedSweep[]> {
  const ids = await store.sweepIds()
  const read = async (id: string): Promise<{ listed: ListedSweep; candidate: Candidate | undefined }[]> => {
    try {
      const sweep = await SweepFolder.open(store, id)
      const state = sweep.restore()
      const listed = await describe(sweep, state)
      return [{ listed, candidate: where === undefined ? undefined : candidateOf(state, listed) }]
    } catch (error) {
      // One damaged sweep must not hide the others.
      onDamaged((error as Error).message)
      return []
    }
  }
  const all = (await Promise.all(ids.map(read))).flat()
  if (ids.length > 0 && all.length === 0)
    throw new StoreError(`none of the sweeps of this store can be read: ${ids.length} of ${ids.length} are damaged`)
  const found = where === undefined ? all : thoseWhere(where, all, ({ candidate }) => candidate!, onTexts)
  const sweeps = found.map(({ listed }) => listed)
  return sweeps.sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : 0))
}

/** What a condition may name of a sweep. */
function candidateOf(state: SweepState, listed: ListedSweep): Candidate {
  const { sweep, experiment, profile, file, planned, finished, failed, diverged, missing } = listed
  const counts = { planned, finished, failed, diverged, missing }
  return {
    facts: { sweep, experiment, profile, file: file ?? experiment, ...counts },
    tags: listed.tags ?? [],
    trials: [...state.trials.values()].map(({ trial, outcome }) => ({
      params: trial.params,
      seeds: trial.seeds,
      ...(isResult(outcome) ? { metrics: outcome.metrics } : {}),
    })),
  }
}

async function describe(sweep: SweepFolder, state: SweepState): Promise<ListedSweep> {
  const pid = lockHolder(sweep.lockFile)
  const { note, tags } = noteOf(sweep)
  return {
    ...summarise(sweep, state.counts()),
    ...(await fileOf(sweep.plan)),
    ...(tags.length === 0 ? {} : { tags }),
    ...(note === '' ? {} : { note }),
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
