import type { Objective, OutcomeState, ParamValue } from '../core/trial.js'

/** What the server tells a page. Numbers that JSON lacks travel as the words NaN, Infinity and -Infinity. */
export type WireNumber = number | 'NaN' | 'Infinity' | '-Infinity'

export type TrialStanding = OutcomeState | 'planned' | 'running'

/** A sweep as the list shows it; event `sweeps` brings those that changed. */
export interface SweepLine {
  readonly id: string
  /** `reading`: its journal is being read for the first time; `broken`: it can't be read. */
  readonly standing: 'reading' | 'ready' | 'broken'
  /** How much of the journal has been read, from 0 to 1. */
  readonly share: number
  /** Why it can't be read, or what part of it can't. */
  readonly trouble?: string
  readonly experiment: string
  readonly createdAtMs: number
  readonly planned: number
  readonly counts: Readonly<Partial<Record<TrialStanding, number>>>
  /** A process of this host runs it. */
  readonly isRun: boolean
  /** One line: the best point and its value; empty while there is none. */
  readonly best: string
  /** Trials of the best point. */
  readonly bestTrials: readonly string[]
  readonly leftMs?: number
  /** Of the newest event of the journal. */
  readonly heardAtMs?: number
  readonly tags: readonly string[]
  readonly note: string
}

/** Id, index of its stage, value of every axis that varies, value of every seed that varies. */
export type TrialCells = readonly [
  id: string,
  stage: number,
  params: readonly (ParamValue | undefined)[],
  seeds: readonly number[],
]

/** Where one trial stands; metrics in the order of `Snapshot.metrics`. */
export type RowCells = readonly [
  index: number,
  state: TrialStanding,
  attempts: number,
  startedAtMs: number | null,
  endedAtMs: number | null,
  /** When it was last heard of. */
  heardAtMs: number,
  worker: string | null,
  step: number | null,
  reports: number,
  /** Why it ended as it did. */
  reason: string | null,
  metrics: readonly (WireNumber | null)[],
]

/** New points of a trial: the first of them is report `from` (from 0) of its attempt; metrics by place in `Snapshot.metrics`. */
export interface NewPoints {
  readonly index: number
  readonly from: number
  readonly points: readonly (readonly [step: number, metrics: readonly (WireNumber | null)[]])[]
}

/** Event `snapshot`: all of a sweep; what was known of it before is void. */
export interface Snapshot {
  readonly sweep: string
  readonly title: string
  readonly question: string
  readonly objective: Objective
  readonly stages: readonly string[]
  readonly axes: readonly string[]
  readonly seeds: readonly string[]
  /** What is the same in every trial. */
  readonly fixed: Readonly<Record<string, ParamValue>>
  readonly trials: readonly TrialCells[]
  readonly metrics: readonly string[]
  readonly rows: readonly RowCells[]
}

/** Event `change`: what happened since the last message. */
export interface Change {
  readonly sweep: string
  /** Trials by which the plan grew. */
  readonly added: readonly TrialCells[]
  /** All names of metrics so far; only ever longer. */
  readonly metrics: readonly string[]
  readonly rows: readonly RowCells[]
  readonly points: readonly NewPoints[]
}

/** Answer of `series`: the course of each trial that was asked for, at most 500 points of each. */
export interface CoursesAnswer {
  readonly trials: readonly {
    readonly index: number
    readonly attempts: number
    /** How many reports lie behind it: the next new point is that one. */
    readonly reports: number
    /** By name of metric. */
    readonly series: Readonly<Record<string, { steps: readonly number[]; values: readonly WireNumber[] }>>
  }[]
}

/** Answer of `trial`. */
export interface TrialAnswer {
  readonly id: string
  readonly index: number
  readonly stage: string
  readonly params: Readonly<Record<string, ParamValue>>
  readonly seeds: Readonly<Record<string, number>>
  readonly parents: readonly string[]
  readonly children: readonly string[]
  readonly attempts: readonly {
    readonly attempt: number
    readonly ended: string
    readonly atMs: number
    readonly isVoid: boolean
    readonly reason?: string
  }[]
  readonly files: readonly { readonly name: string; readonly sizeBytes: number }[]
  /** Why a search that learns suggested it. */
  readonly suggestion?: string
  readonly stack?: string
}

/** Answer of `figures`. */
export interface FiguresAnswer {
  readonly verdicts: readonly {
    readonly claim: string
    readonly statement: string
    readonly state: 'reproduced' | 'not reproduced' | 'inconclusive'
    readonly isCheck: boolean
    readonly cells: readonly string[]
  }[]
  readonly notes: readonly string[]
  /** Each drawing as the address of an image that holds it. */
  readonly figures: readonly { readonly name: string; readonly caption: string; readonly src: string }[]
  readonly troubles: readonly string[]
  /** What made the sweep: spec, plan, code, data, seeds and times, by name. */
  readonly manifest: readonly (readonly [name: string, value: string])[]
  /** How many trials had ended when they were drawn. */
  readonly ended: number
}

/** What a page that asks nobody has in the place of a server: a report. Metrics are rounded to 8 significant digits. */
export interface Frozen {
  /** The newest time in the journal: what is said to be so long ago is so by then. */
  readonly nowMs: number
  readonly line: SweepLine
  readonly snapshot: Snapshot
  /** Of some trials alone, unless all were asked for. */
  readonly courses: CoursesAnswer
  /** Without the drawings: these stand in the page itself, by name. */
  readonly figures: Omit<FiguresAnswer, 'figures'> & {
    readonly figures: readonly Omit<FiguresAnswer['figures'][number], 'src'>[]
  }
  readonly importance: ImportanceAnswer
  /** Seeds that are the same in every trial. */
  readonly seeds: Readonly<Record<string, number>>
  /** By index of trial, what its row does not say. */
  readonly details: readonly (readonly [index: number, details: TrialDetails])[]
  /** The end of each attempt's log, as far as it was asked for, by `TRIAL/ATTEMPT`. */
  readonly logs?: Readonly<Record<string, LogPart>>
}

/** What a trial's row does not say of it; parts that say nothing are left out. */
export interface TrialDetails {
  /** Indices of trials. */
  readonly parents?: readonly number[]
  readonly files?: readonly (readonly [name: string, sizeBytes: number])[]
  /** Left out of a trial whose one attempt is that of its row. */
  readonly attempts?: TrialAnswer['attempts']
  readonly suggestion?: string
  readonly stack?: string
}

/** Event `log`: the next part of a log, and how many bytes before it are left out. */
export interface LogPart {
  readonly skipped: number
  readonly text: string
}

/**
 * Answer of `importance`: how much each axis has to do with being among the best tenth, in shares of 1, the largest first;
 * none of one axis, and of fewer than 20 settings.
 */
export interface ImportanceAnswer {
  readonly settings: number
  readonly shares: readonly (readonly [axis: string, share: number])[]
}

/** Answer of `act`: what came of it, a sentence. */
export interface ActionAnswer {
  readonly told: string
}
