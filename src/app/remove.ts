import { randomUUID } from 'node:crypto'
import { rmdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { StoreError } from '../core/errors.js'
import { problemOf } from '../core/system-error.js'
import type { TrialId } from '../core/trial.js'
import { readJournal, type JournalEvent } from '../sweeps/journal/journal.js'
import { holderOf, planFactsOf, SweepFolder } from '../sweeps/sweep-folder.js'
import { lockHolder, lockSweep } from '../system/lock.js'
import { bytesInFolder, entriesOf } from '../system/read-folder.js'
import { moveFolder } from '../system/replace-file.js'
import type { Store } from '../system/store.js'
import { mayBeQueued } from './backends/nats-target.js'

/** A sweep that is to go, and what that costs. */
export interface Removal {
  readonly sweep: string
  readonly folder: string
  /** Trials of its plan; `undefined` where that can't be read. */
  readonly trials?: number
  /** Of its folder. */
  readonly bytes: number
  /** Sweeps that stay and took results over from it. They keep the numbers and files, without the logs of those trials. */
  readonly takenBy: readonly { readonly sweep: string; readonly results: number }[]
  /** Sweeps that stay and whose search has learnt from it. They keep what they learnt. */
  readonly learntBy: readonly string[]
  /** What MLflow calls it, if it was brought there: the runs stay. */
  readonly inMlflow?: string
  /** It was left to the workers of a server, which still holds it. */
  readonly onServer: boolean
}

export interface RemovalPlan {
  readonly sweeps: readonly Removal[]
  /** Files that their trials saved, and no sweep that stays. */
  readonly objects: { readonly count: number; readonly bytes: number }
  /** Why files of no sweep stay; `undefined` when they go. */
  readonly objectsStay?: string
}

/** What is left of a removal that was interrupted: no sweep's name begins with a dot. */
const begunPrefix = '.removed-'

/**
 * What removing these sweeps takes away; nothing is changed.
 * @throws StoreError when one of them runs or is not there.
 */
export async function planRemoval(store: Store, ids: readonly string[]): Promise<RemovalPlan> {
  const going = new Set(ids)
  const others = (await store.sweepIds()).filter((id) => !going.has(id))
  const sweeps = await Promise.all([...going].map((id) => describe(store, id, others)))
  const folders = [...sweeps.map(({ folder }) => folder), ...begunRemovals(store)]
  const { objects, stay } = await unused(store, folders, others)
  const bytes = objects.reduce((sum, object) => sum + object.bytes, 0)
  return {
    sweeps,
    objects: { count: objects.length, bytes },
    ...(stay === undefined ? {} : { objectsStay: stay }),
  }
}

/**
 * Removes the sweeps with all that their trials alone had saved, and what an earlier removal left when it was interrupted.
 * @returns as `planRemoval`, of what went. @throws StoreError when one of them runs: those before it are gone.
 */
export async function removeSweeps(store: Store, ids: readonly string[]): Promise<RemovalPlan> {
  const plan = await planRemoval(store, ids)
  for (const { sweep, folder } of plan.sweeps) await setAside(store, sweep, folder)
  // After they are no sweeps any more nobody takes results over from them; what was taken before is in a journal that stays.
  const aside = begunRemovals(store)
  // A folder that a trial is about to write in must stay.
  const isShared = (await store.sweepIds()).some((id) => holderOf(store.sweepFolder(id)) !== undefined)
  const { objects, stay } = await unused(store, aside, await store.sweepIds())
  for (const { file } of objects) {
    rmSync(file, { force: true })
    if (!isShared) removeEmpty(dirname(file))
  }
  for (const folder of aside) rmSync(folder, { recursive: true, force: true })
  return {
    sweeps: plan.sweeps,
    objects: { count: objects.length, bytes: objects.reduce((sum, object) => sum + object.bytes, 0) },
    ...(stay === undefined ? {} : { objectsStay: stay }),
  }
}

async function describe(store: Store, id: string, others: readonly string[]): Promise<Removal> {
  const folder = store.sweepFolder(id)
  const pid = holderOf(folder)
  if (pid !== undefined)
    throw new StoreError(`sweep ${id} is in use by process ${pid}, which runs it or brings it to MLflow`, {
      hint: `wait for it, or end it: kill ${pid}`,
    })
  const names = new Set([id, planFactsOf(store, id)?.sweep ?? id])
  // One that can't be read can go too: that is often why.
  const sweep = await SweepFolder.open(store, id).catch(() => undefined)
  return {
    ...{ sweep: id, folder, bytes: bytesInFolder(folder) },
    takenBy: others.flatMap((other) => {
      const results = takenFrom(store, other, names)
      return results === 0 ? [] : [{ sweep: other, results }]
    }),
    learntBy: others.filter((other) => planFactsOf(store, other)?.learnt?.some(({ from }) => names.has(from))),
    onServer: sweep !== undefined && mayBeQueued(sweep),
    ...(sweep === undefined ? {} : { trials: sweep.plan.trials.length }),
    ...(sweep?.isTracked === true ? { inMlflow: sweep.firstName } : {}),
  }
}

/** Trials whose results a sweep has from one of these names. */
function takenFrom(store: Store, id: string, names: ReadonlySet<string>): number {
  const taken = new Set<TrialId>()
  for (const event of eventsIn(store.sweepFolder(id)) ?? []) {
    if (event.type === 'voided') taken.clear()
    if (event.type === 'reused' && names.has(event.from)) taken.add(event.trial)
  }
  return taken.size
}

/** Under a name that no sweep has, in one step: from then on it is gone. */
async function setAside(store: Store, id: string, folder: string): Promise<void> {
  const lock = lockSweep(join(folder, 'lock'), id)
  const aside = join(store.folder, 'sweeps', `${begunPrefix}${randomUUID()}`)
  try {
    await moveFolder(folder, aside)
    lock.moveTo(aside)
  } catch (error) {
    throw new StoreError(`sweep ${id} could not be removed: ${problemOf(error)}`, { cause: error })
  } finally {
    lock.release()
  }
}

function begunRemovals(store: Store): string[] {
  const folder = join(store.folder, 'sweeps')
  return entriesOf(folder).flatMap(({ name }) => (name.startsWith(begunPrefix) ? [join(folder, name)] : []))
}

interface StoredObject {
  readonly file: string
  readonly bytes: number
}

/** What trials in these folders saved, and none of the sweeps that stay. */
async function unused(
  store: Store,
  folders: readonly string[],
  staying: readonly string[],
): Promise<{ objects: readonly StoredObject[]; stay?: string }> {
  const candidates = new Set(folders.flatMap((folder) => savedIn(eventsIn(folder) ?? [])))
  let begunMs = Infinity
  for (const id of staying) {
    const folder = store.sweepFolder(id)
    const lock = join(folder, 'lock')
    // What a trial that runs has saved stands in no journal yet, and was written after its process began.
    if (lockHolder(lock) !== undefined)
      begunMs = Math.min(begunMs, statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    const events = eventsIn(folder)
    if (events === undefined)
      return { objects: [], stay: `sweep ${id} can't be read, and may need any of the files that trials saved` }
    for (const sha256 of savedIn(events)) candidates.delete(sha256)
  }
  const objects = await Promise.all(
    [...candidates].map(async (sha256) => {
      const file = store.objectFile(sha256)
      const found = statSync(file, { throwIfNoEntry: false })
      return found === undefined || found.mtimeMs >= begunMs ? [] : [{ file, bytes: found.size }]
    }),
  )
  return { objects: objects.flat() }
}

function savedIn(events: Iterable<JournalEvent>): string[] {
  const saved: string[] = []
  for (const event of events)
    if (event.type === 'ended' && 'artifacts' in event.outcome)
      for (const { sha256 } of Object.values(event.outcome.artifacts)) saved.push(sha256)
  return saved
}

/** The events of a sweep's journal; `undefined` where it can't be read, none where there is none. */
function eventsIn(folder: string): JournalEvent[] | undefined {
  const file = join(folder, 'journal.jsonl')
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return []
  try {
    return [...readJournal(file)].map(({ event }) => event)
  } catch (error) {
    if (error instanceof StoreError) return undefined
    throw error
  }
}

/** Leaves a folder that is not. */
function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // Others lie in it.
  }
}
