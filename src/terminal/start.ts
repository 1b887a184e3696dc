import { homedir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { isatty } from 'node:tty'
import { exitCodes } from '../core/errors.js'
import { systemReason } from '../core/system-error.js'
import { explain } from './explain-error.js'

/**
 * Runs the command line. Whatever goes wrong, also before a command is found or in something that nobody waits for, is
 * told as a sentence with an honest exit code.
 * @param program the URL of the file that was started.
 */
export async function start(program: string): Promise<void> {
  endWithTerminal()
  const isOutputError = keepGoingWithoutOutput()
  process.on('uncaughtException', (error) => {
    if (!isOutputError(error)) fail(error)
  })
  ensureHome()
  try {
    const { run } = await import('@oclif/core')
    // Nothing that lies in a home folder takes part, and so it need not be readable.
    const config = { root: fileURLToPath(program), userPlugins: false }
    const typed = withHelpAsFlag(process.argv.slice(2))
    await run(typed, config).catch(async (error: Error) => {
      if (!/^Command .* not found\.$/.test(error.message)) throw error
      // Help about what is no command: answered as the command would be, with the nearest.
      const words = typed.filter((word) => word !== '--help' && word !== '-h')
      await run(words, config)
    })
    if (Number(process.exitCode ?? 0) !== 0) endOncePrinted()
  } catch (error) {
    fail(error)
  }
}

const lingerMs = 1_000

/** A library may leave a socket open to a server that takes a connection and says nothing: it keeps no command that has failed. */
function endOncePrinted(): void {
  const { stdout, stderr } = process
  setInterval(() => {
    if (stdout.writableLength + stderr.writableLength === 0) process.exit()
  }, lingerMs).unref()
}

/** `mlds help sweep` asks what `mlds sweep --help` does. */
function withHelpAsFlag([first, ...rest]: string[]): string[] {
  return first === undefined ? [] : first === 'help' ? [...rest, '--help'] : [first, ...rest]
}

/** A user without a home, as in a container, has the one that systems name for those: libraries ask and take no for an error. */
function ensureHome(): void {
  try {
    homedir()
  } catch {
    process.env['HOME'] = '/nonexistent'
  }
}

/** A thrown error is the end, but for those that oclif ends a command with. */
function fail(thrown: unknown): void {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const { code, oclif } = error as Error & { code?: string; oclif?: { exit?: number } }
  if (code === 'EEXIT') process.exit(oclif?.exit ?? exitCodes.ok)
  const { message, hint, exitCode } = explain(error)
  process.stderr.write(`Error: ${message}\n${hint === undefined ? '' : `  ${hint}\n`}`)
  if (process.env['DEBUG'] !== undefined) process.stderr.write(`${error.stack}\n`)
  process.exit(exitCode)
}

/**
 * Where the terminal went, the process ends by SIGHUP, which a shell sees as 129: on its way out Node would set the terminal
 * back as it was, and abort over that.
 */
function endWithTerminal(): void {
  const terminals = [0, 1, 2].filter((file) => isatty(file))
  process.on('exit', () => {
    if (terminals.every((file) => isatty(file))) return
    process.removeAllListeners('SIGHUP')
    process.kill(process.pid, 'SIGHUP')
  })
}

/**
 * What can't be printed must not take a night of results with it: it is said once where that is possible, the command
 * goes on, and the exit code tells. A reader that has seen enough (`| head`) is no fault.
 * @returns whether an error is one of standard output's, which oclif throws again.
 */
function keepGoingWithoutOutput(): (error: unknown) => boolean {
  const seen = new Set<unknown>()
  let lost = false
  const take = (name: string, error: Error): void => {
    seen.add(error)
    if (lost || (error as NodeJS.ErrnoException).code === 'EPIPE') return
    lost = true
    if (name === 'output') process.stderr.write(`what is printed is lost: ${systemReason(error) ?? error.message}\n`)
  }
  process.stdout.on('error', (error: Error) => take('output', error))
  process.stderr.on('error', (error: Error) => take('errors', error))
  process.on('exit', (code) => {
    if (lost && code === exitCodes.ok) process.exitCode = exitCodes.environment
  })
  return (error) => seen.has(error)
}
