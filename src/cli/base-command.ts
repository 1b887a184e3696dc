import { Command, Flags, type Interfaces } from '@oclif/core'
import { MldsError, exitCodes } from '../errors.js'
import type { Store } from '../store.js'

export type FlagsOf<T extends typeof Command> = Interfaces.InferredFlags<(typeof BaseCommand)['baseFlags'] & T['flags']>

/** What every command shares: where the state lies, `--json`, and errors as sentences with honest exit codes. */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true

  static override baseFlags = {
    store: Flags.string({
      description: 'folder that holds sweeps, results and data',
      env: 'MLDS_STORE',
      default: '.mlds',
      helpGroup: 'GLOBAL',
    }),
  }

  protected async openStore(folder: string): Promise<Store> {
    const { openStore } = await import('../store.js')
    return openStore(folder)
  }

  /** Prints what the person should do, never a stack trace (unless DEBUG asks for it), and sets the exit code. */
  protected override async catch(error: Error & { exitCode?: number; oclif?: { exit?: number } }): Promise<void> {
    const { message, hint, code, exitCode } = explain(error)
    if (this.jsonEnabled()) {
      process.stdout.write(
        `${JSON.stringify({ error: { code, message, ...(hint === undefined ? {} : { hint }) } }, null, 2)}\n`,
      )
    } else {
      process.stderr.write(`Error: ${message}\n${hint === undefined ? '' : `  ${hint}\n`}`)
    }
    if (process.env['DEBUG'] !== undefined && error.stack !== undefined) process.stderr.write(`${error.stack}\n`)
    process.exitCode = exitCode
  }
}

/** oclif's message without what it wraps around those of our own flags, and without advice that does not hold here. */
function plain(message: string): string {
  return message
    .replace(/\nSee more help with --help$/, '')
    .replace(/^Parsing --\S+ \n\t/, '')
    .replace(/^The following errors? occurred:\n {2}/, '')
    .replaceAll(/Missing required flag (?=\w)/g, 'Missing required flag --')
    .replace(/\n\nNote: --[^]*?allow multiple values\.[^]*$/, '')
}

function explain(error: Error & { oclif?: { exit?: number } }): {
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
      hint: 'see --help',
      code: 'USAGE',
      exitCode: error.oclif.exit || exitCodes.usage,
    }
  }
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EPIPE') return { message: 'the output was closed early', code: 'EPIPE', exitCode: exitCodes.ok }
  return {
    message: `something went wrong inside mlds: ${error.message}`,
    hint: 'this is a bug; run again with DEBUG=mlds to see where, and please report it',
    code: 'BUG',
    exitCode: 70,
  }
}
