import { StoreError } from '../core/errors.js'
import type { Store } from '../system/store.js'
import type { Outcome, TrialId } from '../core/trial.js'
import type { JournalEvent } from './journal/journal.js'
import { untwined } from './journal/untwine.js'
import { planFactsOf, SweepFolder } from './sweep-folder.js'

/** A trial's accepted attempt, as another sweep of the store wrote it down. */
export interface EarlierResult {
  readonly from: string
  /** `started`, its reports, `ended` as finished or diverged. */
  readonly events: readonly JournalEvent[]
}

/**
 * Results that other sweeps of the same experiment hold for these trials: an id says all that a result depends on, so
 * a trial need not run twice. The journals are read, not an index that could lie; a result whose artifacts are gone
 * is passed over, and so is a sweep that can't be read.
 */
export async function findEarlierResults(
  store: Store,
  sweep: { readonly id: string; readonly plan: { readonly experiment: string } },
  wanted: ReadonlySet<TrialId>,
): Promise<Map<TrialId, EarlierResult>> {
  const found = new Map<TrialId, EarlierResult>()
  const plans = (await store.sweepIds()).map((id) => ({ id, facts: planFactsOf(store, id) }))
  // One that was renamed is spoken of by its first name.
  const known = new Set(plans.flatMap(({ id, facts }) => [id, facts?.sweep ?? id]))
  for (const { id, facts } of plans) {
    if (id === sweep.id) continue
    if (facts?.experiment !== sweep.plan.experiment) continue
    const other = await SweepFolder.open(store, id).catch(() => undefined)
    if (other === undefined) continue
    const shared = new Set(
      other.plan.trials.flatMap((trial) => (wanted.has(trial.id) && !found.has(trial.id) ? [trial.id] : [])),
    )
    if (shared.size === 0) continue
    for (const [trial, events] of readable(() => finishedAttempts(other, shared, known))) {
      if (await isWhole(store, events)) found.set(trial, { from: id, events })
    }
  }
  return found
}

/** Of a journal that a newer mlds wrote, or whose disk fails, nothing is taken over. */
function readable<K, V>(read: () => Map<K, V>): Map<K, V> {
  try {
    return read()
  } catch (error) {
    if (error instanceof StoreError) return new Map()
    throw error
  }
}

/** `known` sweeps speak for themselves: what this one took over from them may be void there by now. */
function finishedAttempts(
  sweep: SweepFolder,
  trials: ReadonlySet<TrialId>,
  known: ReadonlySet<string>,
): Map<TrialId, JournalEvent[]> {
  const current = new Map<TrialId, JournalEvent[]>()
  const finished = new Map<TrialId, JournalEvent[]>()
  const borrowed = new Set<TrialId>()
  for (const event of untwined(sweep.events())) {
    if (event.type === 'voided') {
      current.clear()
      finished.clear()
      borrowed.clear()
    }
    if (!('trial' in event) || !trials.has(event.trial) || event.type === 'stopping') continue
    if (event.type === 'reused') {
      if (known.has(event.from)) borrowed.add(event.trial)
      continue
    }
    if (event.type === 'started') current.set(event.trial, [event])
    else current.get(event.trial)?.push(event)
    if (event.type !== 'ended') continue
    const events = current.get(event.trial)
    if (isFinal(event.outcome) && events !== undefined && !borrowed.has(event.trial)) finished.set(event.trial, events)
  }
  return finished
}

/** A stop depends on the trials beside it, which may differ here. */
function isFinal(outcome: Outcome): outcome is Extract<Outcome, { state: 'finished' | 'diverged' }> {
  return outcome.state === 'finished' || outcome.state === 'diverged'
}

async function isWhole(store: Store, events: readonly JournalEvent[]): Promise<boolean> {
  const end = events.at(-1)
  if (end?.type !== 'ended' || !isFinal(end.outcome)) return false
  const present = await Promise.all(Object.values(end.outcome.artifacts).map((artifact) => store.hasObject(artifact)))
  return present.every(Boolean)
}
