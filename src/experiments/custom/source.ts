import type { Space } from '../../core/space.js'
import type { Objective, Params } from '../../core/trial.js'
import type { ProgramUser } from '../../system/program-user.js'
import type { Guard } from '../../system/watchdog.js'

/** Where an experiment that is not built in comes from; plain data, kept with the sweep. */
export type CustomSource =
  /** A module that default-exports one; the path is absolute. */
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'command'; readonly command: CommandDefinition }
  /** An object of the program that runs the sweep; nothing else can open it. */
  | { readonly kind: 'program' }
  /** A study: its trials are run by the program that asks for them, and told by it. */
  | { readonly kind: 'study'; readonly axes: Space }

/** An experiment that is not built in, under the name that its code has given it. */
export interface CustomExperiment {
  readonly name: string
  readonly source: CustomSource
}

/** Any program as an experiment: what is run for each trial. */
export interface CommandDefinition {
  /** The program and its arguments; `{axis}` and `{seed}` stand for values. Never given to a shell. */
  readonly argv: readonly string[]
  /** Absolute. */
  readonly cwd: string
  /** Relative to `cwd`, with placeholders. Default: `cwd` itself. */
  readonly workingFolder?: string
  readonly env: Readonly<Record<string, string>>
  /**
   * True where `{{` stands for a brace and `env` has placeholders. Absent where the command has neither, and in plans of
   * earlier versions, which knew neither.
   */
  readonly escapes?: true
  readonly timeLimitMs?: number
  /** Patterns with named groups by which its lines are read, and nothing else then. */
  readonly parse?: readonly string[]
  /** Files and folders, relative to `cwd`, that the program consists of. Default: those of its folder. */
  readonly code?: readonly string[]
  /** True where words such as `--config=file` name files, which count as the program's. Absent in plans of earlier versions. */
  readonly namesInOptions?: true
  /** A file of metrics, CSV or JSON, that the program leaves in the trial's folder. */
  readonly metricsFile?: string
  /** An expression over the axes: what a trial takes in proportion to others, of which the costliest run first. Default: all the same. */
  readonly cost?: string
  /** Values of axes that the spec gives none. */
  readonly defaults: Params
  /** Every axis by name, once the spec is known. */
  readonly axes?: Space
  readonly objective?: Objective
  /** Where the files of the program's folder `root` are taken from; a choice of the sweep that runs it, never kept with one. */
  readonly copy?: {
    readonly root: string
    readonly folder: string
    /** True where the folder itself is another host's: the program works in the copy. */
    readonly isAll?: true
  }
  /** The name of this stage where there are several. Default: `main`. */
  readonly stage?: string
  /** Stages after the first, whose program works on what an earlier one saved. */
  readonly later?: readonly LaterStage[]
  /** Whose rights the program has; a choice of the host that runs it, never kept with a sweep. Default: those of mlds. */
  readonly user?: ProgramUser
  /** What keeps the program from outliving the process that runs it; given by that process. Default: nothing does. */
  readonly guard?: Guard
}

/** Which trials of an earlier stage one of a later stage works on. */
export interface ProgramDerivation {
  readonly from: string
  /** Each alone; every two with equal seeds that differ in one of `axes` alone; or those that are alike in `axes`. */
  readonly by: 'each' | 'pairs' | 'groups'
  readonly axes: readonly string[]
}

/** A program that works on what trials of an earlier stage saved. */
export interface LaterStage {
  readonly derive: ProgramDerivation
  readonly command: Omit<CommandDefinition, 'later'>
}
