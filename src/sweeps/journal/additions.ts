import type { TrialEvent, TrialsAdded } from '../../core/trial.js'
import type { JournalEntry } from './journal.js'

/** What a plan has grown by since its results were last declared void. */
export function additionsOf(entries: Iterable<Pick<JournalEntry, 'event'>>): TrialsAdded[] {
  let added: TrialsAdded[] = []
  for (const { event } of entries) {
    if (event.type === 'voided') added = []
    if (event.type === 'trials-added') added.push(event)
  }
  return added
}

/** Events of trials with what the plan grew by between them, each before the first event of one of its trials. */
export function* withAdditions(
  events: Iterable<TrialEvent>,
  additions: readonly TrialsAdded[] = [],
): Generator<TrialEvent | TrialsAdded> {
  const waiting = new Map(additions.flatMap((added) => added.trials.map(({ id }) => [id, added] as const)))
  const told = new Set<TrialsAdded>()
  for (const event of events) {
    const added = waiting.get(event.trial)
    if (added !== undefined && !told.has(added)) {
      told.add(added)
      yield added
    }
    yield event
  }
  for (const added of additions) if (!told.has(added)) yield added
}
