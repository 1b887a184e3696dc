import type { TrialId } from '../../core/trial.js'
import type { JournalEvent } from './journal.js'

/**
 * While a trial runs, a copy of it may run beside it: another attempt, of which the first to finish counts (`--copies`). In the
 * journal the two lie side by side. This lays them out one after the other, for readers to whom a trial's last attempt is the
 * one that counts: what a copy does is passed on once the attempt before it is lost, or the copy itself has ended; a copy
 * that is lost was never there.
 */
export class Untwine {
  /** What running copies have done: each one's start comes first. */
  readonly #copies = new Map<TrialId, [TrialEventOf<'started'>, ...TrialEventOf<'report'>[]]>()

  /** Takes in one event, and passes on what is known to count by now, in order. */
  pass(event: JournalEvent, on: (event: JournalEvent) => void): void {
    if (event.type === 'started' && event.copy === true) {
      const { copy: _, ...started } = event
      return void this.#copies.set(event.trial, [started])
    }
    // A process that began or ended left nothing running.
    if (event.type === 'opened' || event.type === 'closed' || event.type === 'voided') this.#copies.clear()
    const aside = this.#copies.size > 0 && 'trial' in event ? this.#copies.get(event.trial) : undefined
    if (aside === undefined) return on(event)
    const isCopys = 'attempt' in event && event.attempt === aside[0].attempt
    if (event.type === 'report' && isCopys) return void aside.push(event)
    if (event.type === 'started' || event.type === 'lost' || event.type === 'ended')
      this.#copies.delete((event as { trial: TrialId }).trial)
    if (event.type === 'lost') {
      if (isCopys) return
      on(event)
      return aside.forEach(on)
    }
    if (event.type === 'ended' && isCopys) aside.forEach(on)
    on(event)
  }

  /** What is known to count once these events are taken in. */
  all(events: Iterable<JournalEvent>): JournalEvent[] {
    const all: JournalEvent[] = []
    for (const event of events) this.pass(event, (one) => all.push(one))
    return all
  }
}

type TrialEventOf<Type> = Extract<JournalEvent, { readonly type: Type }>

/** The events with attempts one after the other, those of copies that run yet left out. */
export const untwined = (events: Iterable<JournalEvent>): JournalEvent[] => new Untwine().all(events)
