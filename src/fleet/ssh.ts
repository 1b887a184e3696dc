import { execFile, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { UnavailableError } from '../core/errors.js'
import { printableLine } from '../core/printable.js'
import { thisHost, type Host } from './host.js'

/** What a host answered to one script. */
export interface Answer {
  /** Of the script; 255 is `ssh` itself, unless it was this side that gave up. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface SshOptions {
  readonly timeoutMs: number
  /** Sent to the script's standard input; called when the script says that it wants it (`mlds: want`), or at once. */
  readonly input?: { readonly when: 'at once' | 'wanted'; open(): Readable | Promise<Readable> }
  readonly signal?: AbortSignal
}

/**
 * No question is ever asked; a host that is cut off is noticed within 45 s. A command that the user has for logins would take the
 * place of the script. Everything else is the user's own configuration.
 */
const quiet = [
  'BatchMode=yes',
  'ConnectTimeout=20',
  'ServerAliveInterval=15',
  'ServerAliveCountMax=3',
  'RemoteCommand=none',
  // A banner or a warning would stand where a host says why not.
  'LogLevel=ERROR',
]
/**
 * What would send `ssh` to the background, start nothing on the host or send it nothing. OpenSSH knows them as options since 8.7,
 * and ends at one that it does not know; `IgnoreUnknown` would take the place of the user's own.
 */
const ofLogins = { forkafterauthentication: 'no', sessiontype: 'default', stdinnull: 'no' }
let knownOfLogins: Promise<readonly string[]> | undefined

/** The words for `ssh` that undo those of them which it knows. It is asked once, without the user's configuration. */
export function asPipe(): Promise<readonly string[]> {
  knownOfLogins ??= promisify(execFile)('ssh', ['-F', '/dev/null', '-G', 'localhost'], { timeout: 10_000 }).then(
    ({ stdout }) =>
      Object.entries(ofLogins)
        .filter(([option]) => new RegExp(`^${option} `, 'm').test(stdout))
        .flatMap(([option, value]) => ['-o', `${option}=${value}`]),
    // Before 6.8 it answers nothing of this kind; what else is wrong with it is said where it is used.
    () => [],
  )
  return knownOfLogins
}

/** Ports that the user forwards at logins may be taken by one of these already. */
const noForwards = ['-o', 'ClearAllForwardings=yes']
const ownFailure = 255
/** A background master of the user's own may hold the streams open when `ssh` itself has ended. */
const lastWordsMs = 500
/** What `ssh` says last when its way to a host ends early: why is said before, by a jump host's `ssh` or a ProxyCommand. */
const ofTheWayThere = /^(?:(?:kex|ssh)_exchange_identification:|Connection (?:closed|reset) by UNKNOWN port).*$/gm
const maxAnswerCharacters = 1_000_000

export const destinationArgs = ({ destination, port }: Host): string[] => [
  ...(port === undefined ? [] : ['-p', String(port)]),
  ...['--', destination],
]
export const quietArgs: readonly string[] = quiet.flatMap((option) => ['-o', option])

/**
 * Runs a script of POSIX sh on a host by the user's own `ssh`. The script holds no quotes, backslashes or lines, so that
 * whatever shell the user has there hands it to `sh` as it is.
 * @throws UnavailableError when there is no `ssh`, it can't reach the host, or time is up; says the last line of why not.
 */
export async function runOnHost(host: Host, script: string, options: SshOptions): Promise<Answer> {
  if (/['\\\n]/.test(script)) throw new Error(`a script for any shell can't hold this: ${script}`)
  // A group of its own: Ctrl-C is mlds' to answer, which ends this by the signal.
  const [program, args] =
    host === thisHost
      ? ['sh', ['-c', script]]
      : [
          'ssh',
          ['-T', ...(await asPipe()), ...quietArgs, ...noForwards, ...destinationArgs(host), `exec sh -c '${script}'`],
        ]
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  let [stdout, stderr, why] = ['', '', '']
  const sending = new AbortController()
  const end = (reason: string): void => {
    why ||= reason
    sending.abort()
    child.kill('SIGKILL')
  }
  const send = (): void => {
    const { input } = options
    if (input === undefined) child.stdin.end()
    else
      void Promise.resolve(input.open())
        .then((stream) => pipeline(stream, child.stdin, { signal: sending.signal }))
        .catch((error: NodeJS.ErrnoException) => {
          // What the script says of it tells more than that it no longer listens.
          if (!['EPIPE', 'ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET'].includes(error.code ?? ''))
            end(error.message)
        })
  }
  child.stdin.on('error', () => {})
  let isSent = options.input?.when !== 'wanted'
  if (isSent) send()
  child.stdout.on('data', (chunk: Buffer) => {
    if (stdout.length < maxAnswerCharacters) stdout += chunk.toString()
    if (isSent || !/^mlds: (want|have)$/m.test(stdout)) return
    isSent = true
    if (/^mlds: want$/m.test(stdout)) send()
    else child.stdin.end()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < maxAnswerCharacters) stderr += chunk.toString()
  })
  const timer = setTimeout(() => end(`no answer within ${Math.round(options.timeoutMs / 1_000)} s`), options.timeoutMs)
  const stop = (): void => end('stopped')
  options.signal?.addEventListener('abort', stop, { once: true })
  if (options.signal?.aborted === true) stop()
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', (error: NodeJS.ErrnoException) =>
        reject(
          error.code === 'ENOENT'
            ? new UnavailableError('there is no ssh on this host', { hint: 'install OpenSSH’s client' })
            : error,
        ),
      )
      child.on('close', resolve)
      child.on('exit', (ended) => void setTimeout(() => resolve(ended), lastWordsMs).unref())
    })
    if (why !== '') throw new UnavailableError(why)
    if (code === null || (code === ownFailure && host !== thisHost))
      throw unreachable(
        host,
        lastLine(stderr.replaceAll(ofTheWayThere, '')) || lastLine(stderr) || 'the connection was lost',
      )
    return { code, stdout, stderr }
  } finally {
    clearTimeout(timer)
    sending.abort()
    options.signal?.removeEventListener('abort', stop)
    child.stdout.destroy()
    child.stderr.destroy()
  }
}

/** What `ssh` itself said, and what a person can do about it. */
function unreachable({ name }: Host, said: string): UnavailableError {
  if (/permission denied|too many authentication/i.test(said))
    return new UnavailableError(said, {
      hint: `ssh ${name} has to let you in without a question: by a key, an agent, or a connection that your ControlMaster holds open`,
    })
  if (/host key verification failed/i.test(said))
    return new UnavailableError(said, {
      hint: `its key is not the one you know, or you know none: see with ssh ${name}`,
    })
  return new UnavailableError(said)
}

/** What a script said by lines `mlds: KEY VALUE`, whatever else the host's profile prints. */
export const toldBy = ({ stdout }: Pick<Answer, 'stdout'>): Map<string, string> =>
  new Map([...stdout.matchAll(/^mlds: ([a-z]+)(?: (.*?))?\r?$/gm)].map(([, key, value = '']) => [key!, value.trim()]))

/** The last line that is not empty, as one line for a terminal; at most 300 characters. */
export function lastLine(text: string): string {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  return printableLine((lines.at(-1) ?? '').trim()).slice(0, 300)
}
