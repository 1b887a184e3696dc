import type { JournalEvent } from './journal.js'

/** How long a sweep has run, and how long it may, as its journal has it. */
export interface TimeUsed {
  /** Of every process from its first event to its last, since results were last declared void. */
  readonly usedMs: number
  /** What the last process was given; `undefined` where it was given none. */
  readonly budgetMs: number | undefined
}

export function timeUsed(events: Iterable<JournalEvent>): TimeUsed {
  let [before, openedAtMs, lastAtMs] = [0, 0, 0]
  let budgetMs: number | undefined
  for (const event of events) {
    if (event.type === 'opened') {
      before += lastAtMs - openedAtMs
      openedAtMs = lastAtMs = event.atMs
      budgetMs = event.budgetMs
    } else if (event.type === 'voided') {
      before = 0
      openedAtMs = lastAtMs = event.atMs
      // What was taken over happened before.
    } else lastAtMs = Math.max(lastAtMs, event.atMs)
  }
  return { usedMs: before + lastAtMs - openedAtMs, budgetMs }
}
