import { existsSync, statSync } from 'node:fs'
import type { Clock } from '../../core/clock.js'
import { wait } from '../../system/retry.js'
import { readJournal, type JournalEvent } from './journal.js'

export interface FollowOptions {
  readonly clock: Clock
  /** Ends the following. */
  readonly signal: AbortSignal
  /** Asked before each look: true when nothing will be written after it, so that an empty look is the last. */
  readonly isOver: () => boolean
  /** Time between two looks at the file. Default 200 ms. */
  readonly everyMs?: number
}

/**
 * Reads a journal that another process writes: first all that is there, then what is added, a batch for each look at the
 * file, empty ones included. Looks again and again rather than being told, since a file on another host tells nobody.
 */
export async function* followJournal(
  file: string,
  { clock, signal, isOver, everyMs = 200 }: FollowOptions,
): AsyncGenerator<JournalEvent[]> {
  let from = 0
  while (!signal.aborted) {
    const over = isOver()
    const events: JournalEvent[] = []
    if (existsSync(file) && statSync(file).size > from)
      for (const { event, end } of readJournal(file, () => {}, from)) {
        events.push(event)
        from = end
      }
    yield events
    if (over && events.length === 0) return
    await wait(clock, everyMs, signal)
  }
}
