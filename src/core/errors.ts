import { problemOf } from './system-error.js'

/**
 * Every error a person can meet, in one place. A message says: what, a colon, the value, what would be right.
 * `exitCode` is what the command line ends with; see docs/cli.md.
 */
export const exitCodes = {
  ok: 0,
  incomplete: 1,
  usage: 2,
  environment: 3,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const

export interface MldsErrorOptions {
  readonly hint?: string
  readonly cause?: unknown
  readonly exitCode?: number
}

/** Keys and indices that lead to a value of a sweep file: `['search', 'axes', 'lr']`. */
export type SpecPath = readonly (string | number)[]

export class MldsError extends Error {
  readonly code: string
  readonly hint: string | undefined
  readonly exitCode: number
  /** Where in a sweep file it was written, key by key; unset where nobody knew. */
  path: SpecPath | undefined

  constructor(code: string, message: string, options: MldsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.hint = options.hint
    this.exitCode = options.exitCode ?? exitCodes.usage
  }
}

/** A value or axis that the space does not allow. */
export class SpaceError extends MldsError {
  constructor(message: string, options: MldsErrorOptions = {}) {
    super('SPACE', message, options)
  }
}

/** A sweep file or flag that cannot be understood; `where` is `file:line:column` or the flag as typed. */
export class SpecError extends MldsError {
  constructor(
    readonly where: string,
    message: string,
    options: MldsErrorOptions = {},
  ) {
    super('SPEC', `${where}: ${message}`, options)
  }
}

export class UnknownNameError extends MldsError {
  constructor(kind: string, name: string, known: readonly string[], options: MldsErrorOptions = {}) {
    const near = nearest(name, known)
    super('UNKNOWN', `unknown ${kind}: ${name}`, {
      hint:
        known.length === 0
          ? 'there is none yet'
          : near === undefined
            ? `known: ${known.join(', ')}`
            : `did you mean ${near}? known: ${known.join(', ')}`,
      ...options,
    })
  }
}

/** Errors met while what is written at `path` is read are told so; the innermost path stays. */
export function writtenAt<T>(path: SpecPath, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof MldsError) error.path ??= path
    throw error
  }
}

/** The store, or a file in it, cannot be read or written. */
export class StoreError extends MldsError {
  constructor(message: string, options: MldsErrorOptions = {}) {
    super('STORE', message, { exitCode: exitCodes.environment, ...options })
  }
}

/** A data set that is missing, short, altered or of another kind than its name says. */
export class DataError extends MldsError {
  constructor(message: string, options: MldsErrorOptions = {}) {
    super('DATA', message, { exitCode: exitCodes.environment, ...options })
  }
}

/** Something outside mlds that the person asked for is not there: a server, a program, an engine. */
export class UnavailableError extends MldsError {
  constructor(message: string, options: MldsErrorOptions = {}) {
    super('UNAVAILABLE', message, { exitCode: exitCodes.environment, ...options })
  }
}

/** An engine that does not load on this host; another may have it. */
export class EngineError extends MldsError {
  constructor(engine: string, reason: string, options: MldsErrorOptions = {}) {
    super('ENGINE', `the ${engine} engine does not load on this host: ${reason}`, {
      hint: 'mlds doctor says which engines work',
      exitCode: exitCodes.environment,
      ...options,
    })
  }
}

/** An operation that the compiled engine cannot lower; names the op, and the layer when one is known. */
export class LoweringError extends MldsError {
  constructor(
    readonly op: string,
    readonly layer: string | undefined,
    detail = '',
  ) {
    super(
      'LOWERING',
      `the compiled engine cannot lower: ${op}${layer === undefined ? '' : ` (in ${layer})`}${detail}`,
      {
        hint: 'run this trial with --engine cpu, or with --engine tfjs-node when it is installed (docs/engines.md)',
      },
    )
  }
}

/** Training diverged: the metric became NaN or infinite. Not a failure: the trial ends as diverged. */
export class DivergedError extends MldsError {
  constructor(
    readonly metric: string,
    value: number,
    readonly step?: number,
  ) {
    super('DIVERGED', `${metric} is not a finite number: ${value}${step === undefined ? '' : ` at step ${step}`}`, {
      hint: 'a smaller learning rate usually helps',
      exitCode: exitCodes.incomplete,
    })
  }
}

/** Why a file can't be read, as a person says it. */
export function fileProblem(error: unknown): string {
  return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : problemOf(error)
}

/** The known name within two edits of `name`, if there is just one closest. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((k) => ({ k, d: editDistance(name.toLowerCase(), k.toLowerCase()) }))
    .sort((a, b) => a.d - b.d)
  const best = ranked[0]
  return best !== undefined && best.d <= Math.max(2, Math.floor(name.length / 3)) ? best.k : undefined
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitute = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitute, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
