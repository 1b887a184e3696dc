import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readJournal, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import type { TrialId } from '../../src/core/trial.js'

/** What came of a sweep, to compare with an undisturbed run's. */

/** What the journal of the one sweep in a store holds now; its last line may be half-written. */
export function journalOf(store: string): JournalEvent[] {
  const sweeps = join(store, 'sweeps')
  const [id] = existsSync(sweeps) ? readdirSync(sweeps) : []
  const journal = join(sweeps, id ?? '', 'journal.jsonl')
  return id !== undefined && existsSync(journal) ? [...readJournal(journal)].map(({ event }) => event) : []
}

export const endsOf = (events: readonly JournalEvent[]): Set<TrialId> =>
  new Set(events.flatMap((event) => (event.type === 'ended' ? event.trial : [])))

/** The reports of each trial's last attempt and its metrics, as text to compare, by `n`. */
export function coursesOf(events: readonly JournalEvent[], numbers: ReadonlyMap<TrialId, number>): Map<number, string> {
  const reports = new Map<TrialId, unknown[]>()
  const courses = new Map<number, string>()
  for (const event of events) {
    if (event.type === 'started') reports.set(event.trial, [])
    else if (event.type === 'report') reports.get(event.trial)?.push([event.step, event.metrics])
    else if (event.type === 'ended') {
      const metrics = 'metrics' in event.outcome ? event.outcome.metrics : event.outcome.state
      courses.set(numbers.get(event.trial)!, JSON.stringify([reports.get(event.trial), metrics]))
    }
  }
  return courses
}
