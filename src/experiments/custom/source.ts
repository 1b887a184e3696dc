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
  readonly env: Readonly<Record<string, string>>
  readonly timeLimitMs?: number
  /** Values of axes that the spec gives none. */
  readonly defaults: Params
  /** Every axis by name, once the spec is known. */
  readonly axes?: Space
  readonly objective?: Objective
  /** Whose rights the program has; a choice of the host that runs it, never kept with a sweep. Default: those of mlds. */
  readonly user?: ProgramUser
  /** What keeps the program from outliving the process that runs it; given by that process. Default: nothing does. */
  readonly guard?: Guard
}
