import { MldsError, exitCodes, nearest } from '../core/errors.js'
import { describeSystemError } from '../core/system-error.js'

/** oclif's message without what it wraps around those of our own flags, and without advice that does not hold here. */
function plain(message: string): string {
  return message
    .replace(/\nSee more help with --help$/, '')
    .replace(/^Parsing --\S+ \n\t/, '')
    .replace(/^The following errors? occurred:\n {2}/, '')
    .replaceAll(/Missing required flag (?=\w)/g, 'Missing required flag --')
    .replace(/\n\nNote: --[^]*?allow multiple values\.[^]*$/, '')
}

/** The flag of the command that a person meant by one that it does not have. */
function nearestFlag(
  error: Error & { flags?: readonly string[]; parse?: { input?: { flags?: object } } },
): string | undefined {
  const known = Object.keys(error.parse?.input?.flags ?? {}).map((name) => `--${name}`)
  const meant = (error.flags ?? []).map((typed) => nearest(typed, known)).filter((name) => name !== undefined)
  return error.constructor.name === 'NonExistentFlagsError' && meant.length > 0
    ? `did you mean ${meant.join(', ')}?`
    : undefined
}

/** What a person is told of an error, and what the process ends with. */
export function explain(error: Error & { oclif?: { exit?: number } }): {
  message: string
  hint?: string
  code: string
  exitCode: number
} {
  if (error instanceof MldsError) {
    return {
      message: plain(error.message),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      code: error.code,
      exitCode: error.exitCode,
    }
  }
  // oclif's own complaints about flags and arguments already say what was allowed.
  if (error.oclif?.exit !== undefined) {
    return {
      message: plain(error.message),
      hint: nearestFlag(error) ?? 'see --help',
      code: 'USAGE',
      exitCode: error.oclif.exit || exitCodes.usage,
    }
  }
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EPIPE') return { message: 'the output was closed early', code: 'EPIPE', exitCode: exitCodes.ok }
  const system = describeSystemError(error)
  if (system !== undefined) return { message: system, code: code ?? 'SYSTEM', exitCode: exitCodes.environment }
  return {
    message: `something went wrong inside mlds: ${error.message}`,
    hint: 'this is a bug; run again with DEBUG=mlds to see where, and please report it',
    code: 'BUG',
    exitCode: 70,
  }
}
