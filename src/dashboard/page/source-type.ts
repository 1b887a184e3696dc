import type { LogPart } from '../wire.js'
import type { FeedHandlers } from './feed.js'
import type { Stream } from './while-seen.js'

export interface LogHandlers {
  readonly onPart: (part: LogPart) => void
  readonly onTrouble: (why: string) => void
  /** There is no such log. */
  readonly onNone: () => void
}

/** Where a page has what it shows from: a server that tells what is new, or a report that holds all that it ever will. */
export interface Source {
  /** The one sweep of a report; `undefined` of a server, which has many. */
  readonly report: string | undefined
  /** Now, or when the report was written, by its journal. */
  nowMs(): number
  /** Tells how the sweep stands, and what changes; without a sweep the list alone. */
  follow(sweep: string | undefined, handlers: FeedHandlers): Stream
  /** @throws Error with what the source answered. */
  ask<T>(path: string, query: Readonly<Record<string, string>>): Promise<T>
  followLog(
    of: { readonly sweep: string; readonly trial: string; readonly attempt: number },
    handlers: LogHandlers,
  ): Stream
  /** Where a file that a trial saved can be had; `undefined` where it can't. */
  fileAddress(sweep: string, trial: string, name: string): string | undefined
  /** Whether the course of the trial can be asked for. */
  hasCourse(trial: string): boolean
}
