/** The words of a sweep, and every message that crosses a thread or a wire. Terms: docs/terminology.md. */

/** A content hash of everything a trial's result depends on: 16 hexadecimal characters. */
export type TrialId = string
export type SweepId = string

/** What a person wrote for an axis; `null` leaves an option of a program out. */
export type ParamValue = string | number | boolean | null | readonly ParamValue[]
/** One point in the space: an axis name to its value. */
export type Params = Readonly<Record<string, ParamValue>>
/** Named numbers, such as `train/loss`; NaN and infinities are allowed and kept. */
export type Metrics = Readonly<Record<string, number>>

/** A final metric, and which of two values of it is better. */
export interface Goal {
  readonly metric: string
  readonly direction: 'minimize' | 'maximize'
}

/** A final metric and the bounds that its mean over seeds is to keep, themselves included. */
export interface Constraint {
  readonly metric: string
  readonly min?: number
  readonly max?: number
}

/** Seeds on which the best points of a sweep are run again: so many, from the one after `after` on. */
export interface Confirmation {
  readonly seeds: number
  readonly after: number
}

/** What a sweep is judged by. */
export interface Objective extends Goal {
  /** Objectives that count beside it. No point is the best then: those that none beats in all of them are the front. */
  readonly also?: readonly Goal[]
  /** What a point has to keep; one that does not is behind every one that does. */
  readonly constraints?: readonly Constraint[]
  /** Trials of these seeds are no part of the ranking: they tell what its best points are worth. */
  readonly confirm?: Confirmation
  /** Axes whose values are pooled as seeds are, such as the folds of a cross-validation. */
  readonly average?: readonly string[]
}

/** Four independent sources of chance, so that no axis is confounded with another (experiments.md, section 5). */
export interface Seeds {
  /** Which rows are drawn, generated or held out. */
  readonly data: number
  /** Initial weights. */
  readonly init: number
  /** Order of the rows in each epoch, and dropout. */
  readonly shuffle: number
  /** Which labels or pixels are corrupted, and how. */
  readonly corruption: number
}

/** One point, to be run once. */
export interface Trial {
  readonly id: TrialId
  /** Position in the plan, from 0; the order of every table and export. */
  readonly index: number
  readonly experiment: string
  /** The experiment's version: part of the id, so a changed method never passes for the old one. */
  readonly version: number
  /** Which stage of the experiment; `main` when it has but one. */
  readonly stage: string
  readonly params: Params
  readonly seeds: Seeds
  /** Trials whose results this one needs, in the order the stage asked for them. */
  readonly parents: readonly TrialId[]
  /** Estimated work, in floating-point operations; only ratios matter. */
  readonly cost: number
}

/** A named blob by content; the bytes are in the store (or the object store of a remote sweep). */
export interface ArtifactRef {
  /** Lower-case hexadecimal SHA-256 of the bytes. */
  readonly sha256: string
  readonly sizeBytes: number
}
export type Artifacts = Readonly<Record<string, ArtifactRef>>

export interface SerialisedError {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

/** How a trial ended. A stop by the scheduler is an outcome, not an error, and so is a loss that is no finite number. */
export type Outcome =
  | { readonly state: 'finished'; readonly metrics: Metrics; readonly artifacts: Artifacts }
  | { readonly state: 'stopped'; readonly metrics: Metrics; readonly artifacts: Artifacts; readonly reason: string }
  | {
      readonly state: 'diverged'
      /** The loss, or the objective, that was no finite number; its value is among the metrics. */
      readonly metric: string
      /** Of the report that had it; missing where it was the trial's final metric. */
      readonly step?: number
      /** Of the last report, or the final ones. */
      readonly metrics: Metrics
      readonly artifacts: Artifacts
    }
  | { readonly state: 'failed'; readonly error: SerialisedError }
  | { readonly state: 'dead'; readonly reason: string }
  | { readonly state: 'cancelled'; readonly reason: string }
  | { readonly state: 'skipped'; readonly reason: string }
export type OutcomeState = Outcome['state']

/** What the processes of one attempt took. */
export interface ProcessUsage {
  /** The most bytes that the largest of them had in memory (its resident set). */
  readonly peakBytes: number
  /** Processor time of all of them over the time that passed: 1 is one core all the time. */
  readonly cpuShare: number
}

/** What a backend says about an attempt. `atMs` is Unix time, fixed when the thing happened. */
export type TrialEvent =
  | {
      readonly type: 'started'
      readonly trial: TrialId
      readonly attempt: number
      readonly atMs: number
      readonly worker: string
      /** It runs beside the attempt before it, of which nothing is lost by that: the first to finish counts. */
      readonly copy?: true
    }
  | {
      readonly type: 'report'
      readonly trial: TrialId
      readonly attempt: number
      readonly atMs: number
      /** The x axis of a series: an epoch, counted from 1, unless the experiment says otherwise. */
      readonly step: number
      readonly metrics: Metrics
      /** It was made by an earlier attempt, before the checkpoint that this one goes on from. */
      readonly carried?: true
    }
  | {
      readonly type: 'ended'
      readonly trial: TrialId
      readonly attempt: number
      readonly atMs: number
      readonly outcome: Outcome
      /** What its processes took; left out where it shared one with other trials, or nobody looked. */
      readonly usage?: ProcessUsage
      /** Its log, if that lies in no file. */
      readonly log?: string
    }
  /** The attempt vanished (a crashed thread, a lost host): no outcome; the sweep decides on another attempt. */
  | {
      readonly type: 'lost'
      readonly trial: TrialId
      readonly attempt: number
      readonly atMs: number
      readonly reason: string
      /** It ended since it was told to go, which is not held against the trial. */
      readonly handedBack?: true
    }

/**
 * The plan grew by these trials, which come after all before. Written down before any of them is started, with all that
 * decided it, so that whoever reads it can decide the same again.
 */
export interface TrialsAdded {
  readonly type: 'trials-added'
  /** `seed`: claims are undecided; `suggestion`: a sampler has chosen a point; `confirmation`: the best are run again. */
  readonly reason: 'seed' | 'suggestion' | 'confirmation'
  /** What decided it: plain data. */
  readonly because: Readonly<Record<string, unknown>>
  readonly trials: readonly Trial[]
  readonly atMs: number
}

/**
 * The trial waits at a rung for the others: its attempt is over, and its worker free. Another attempt goes on from its
 * checkpoint, or from the start where it keeps none; or it ends as stopped, with what it has here.
 */
export interface TrialPaused {
  readonly type: 'paused'
  readonly trial: TrialId
  readonly attempt: number
  readonly atMs: number
  /** Of its last report. */
  readonly step: number
  /** Of its last report. */
  readonly metrics: Metrics
  /** What it had saved by then. */
  readonly artifacts: Artifacts
}

/** What happens while a sweep runs. */
export type SweepEvent = TrialEvent | TrialsAdded | TrialPaused

/** What a trial may read of each parent. */
export interface ParentResult {
  readonly trial: Trial
  readonly metrics: Metrics
  readonly artifacts: Artifacts
}

/** Where a trial's program may log to its own run in MLflow: an address of this host that adds the login. */
export interface ProgramLogging {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  /** Opens this trial's run and nothing else: 64 hexadecimal digits. */
  readonly key: string
  /** The MLflow experiment that its run is in, by name or by MLflow's id. */
  readonly experimentName?: string
  readonly experimentId?: string
}

/** All that a worker needs to run one attempt; plain data. */
export interface Assignment {
  readonly sweep: SweepId
  readonly trial: Trial
  /** Counted from 1. */
  readonly attempt: number
  readonly parents: readonly ParentResult[]
  /** Names of the data sets that its stage and its ancestors' stages name: it can read no other. */
  readonly reads: readonly string[]
  readonly engine: EngineName
  /** True when each report must wait for the scheduler's answer (early stopping). */
  readonly interactive: boolean
  /** After so long the attempt is ended, and the trial has failed. Default: never. */
  readonly timeLimitMs?: number
  /** GB of memory (10^9 bytes) that its programs may have together, or its own process; with more it has failed. Default: any. */
  readonly memoryGb?: number
  /** It runs in a process of its own, unless it is a program, which has one. Default: with others. */
  readonly isolate?: true
  /** It was paused after this step: what ended by then is that pause, and no result. Default: it was not. */
  readonly pausedAfter?: number
  /** What it came to elsewhere was learnt from: that counts, also where it has no result. Default: that is asked for anew. */
  readonly hasTaught?: boolean
  /** Another attempt at the trial runs: this one keeps its checkpoints apart. Default: none does. */
  readonly copy?: true
  /** Where its program may log to its own run. Default: nowhere. */
  readonly logging?: ProgramLogging
  /** Metrics beside the losses that must be finite numbers, or the trial diverged: the objective. Default: none. */
  readonly watch?: readonly string[]
}

export type EngineName = 'compiled' | 'tfjs-node' | 'wasm' | 'cpu'
export const engineNames: readonly EngineName[] = ['compiled', 'tfjs-node', 'wasm', 'cpu']

/** A metric's course over the steps of the accepted attempt; both arrays have the same length. */
export interface Series {
  readonly steps: readonly number[]
  readonly values: readonly number[]
}

/** A trial with everything known about it: what figures, claims, exports and trackers read. */
export interface TrialRecord {
  readonly trial: Trial
  readonly state: OutcomeState | 'planned' | 'running'
  readonly attempts: number
  readonly startedAtMs?: number
  readonly endedAtMs?: number
  readonly worker?: string
  readonly outcome?: Outcome
  /** Final metrics; those so far of a trial that was stopped or diverged, none of one without a result. */
  readonly metrics: Metrics
  readonly artifacts: Artifacts
  readonly series: Readonly<Record<string, Series>>
  /** As figures read it: values of axes that are averaged as seeds are, which are not among its parameters then. */
  readonly averaged?: Params
}

export function isTerminal(state: TrialRecord['state']): state is OutcomeState {
  return state !== 'planned' && state !== 'running'
}

/** The skipped trials that no resume can run: one that they derive from diverged or was stopped. Parents come first. */
export function skippedForGood(
  trials: Iterable<Trial>,
  stateOf: (trial: TrialId) => TrialRecord['state'] | undefined,
): Set<TrialId> {
  const found = new Set<TrialId>()
  const endedShort = (parent: TrialId): boolean => {
    const state = stateOf(parent)
    return state === 'diverged' || state === 'stopped' || found.has(parent)
  }
  for (const { id, parents } of trials) if (stateOf(id) === 'skipped' && parents.some(endedShort)) found.add(id)
  return found
}

export function serialiseError(error: unknown): SerialisedError {
  if (error instanceof Error) {
    return error.stack === undefined
      ? { name: error.name, message: error.message }
      : { name: error.name, message: error.message, stack: error.stack }
  }
  return { name: 'Error', message: String(error) }
}
