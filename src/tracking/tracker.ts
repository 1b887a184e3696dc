import type { Objective, SweepEvent, SweepId, Trial } from '../core/trial.js'

/** What a tracker is told of a sweep when it opens; `spec` and `plan` are plain data for the record. */
export interface SweepInfo {
  readonly sweep: SweepId
  /** What it was called when it was planned: trackers go on to call it so. Default: as it is called. */
  readonly firstName?: SweepId
  readonly name: string
  readonly experiment: string
  readonly question: string
  readonly objective: Objective
  readonly spec: unknown
  readonly planHash: string
  readonly codeVersion: string
  readonly openedAtMs: number
  /** Those that the plan has grown by so far are among them. */
  readonly trials: readonly Trial[]
}

/** What cannot be derived from events; supplied once the sweep is idle. */
export interface SweepStory {
  readonly verdicts: readonly { readonly state: string; readonly statement: string; readonly summary: string }[]
  /** Pictures for the note; `path` is among the files. */
  readonly figures: readonly { readonly name: string; readonly caption: string; readonly path: string }[]
  /** Which axes of a search matter, in one line; left out where nobody knows. */
  readonly importance?: string
  /** Artifacts by path. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** What the manifest states beside the runs: spec, hashes, versions, engines, data. */
  readonly facts: Readonly<Record<string, unknown>>
  /** Why the sweep's last process stopped, in its own word; left out where it was killed, or nobody knows. */
  readonly closed?: string
}

/** Where a sweep is to be seen. */
export interface Tracked {
  /** Its trials, by their settings. */
  readonly link: string
  /** Its trials side by side, as parallel coordinates. */
  readonly compareLink: string
  /** The run that stands for the sweep: note, figures, counts. */
  readonly parentLink: string
  /** Runs brought to their end since `open`. */
  readonly sent: number
}

/**
 * Who is told. A tracker projects the journal elsewhere, and never slows, fails or changes a sweep.
 *
 * Promises, kept by the suite in test/conformance/tracker.ts: `open` and `record` neither wait for the far side nor fail
 * with it; an event that comes twice with one offset counts once; an attempt that begins anew is told apart from the one
 * before; `finish` brings everything, or rejects with what is wrong, and may then be tried again by another tracker;
 * after `close` no request, timer or lock is left.
 */
export interface Tracker {
  /** Takes in what the journal holds, and begins to connect: a far side that does not answer is met again later. */
  open(sweep: SweepInfo): Promise<void>
  /** `offset` is the event's byte position in the journal: the same event always comes with the same offset. */
  record(event: SweepEvent, offset: number): Promise<void>
  /**
   * Nothing runs any more: brings what is missing, and the sweep's story.
   * @returns where it is to be seen; `undefined` when nobody is told.
   * @throws Error when the far side refuses, or does not answer within the tracker's time limit; a later sync brings the rest.
   */
  finish(story: () => Promise<SweepStory>): Promise<Tracked | undefined>
  /** Ends what is under way and frees everything; may come at any time, twice if need be. */
  close(): Promise<void>
}

export const noTracker: Tracker = {
  open: async () => {},
  record: async () => {},
  finish: async () => undefined,
  close: async () => {},
}
