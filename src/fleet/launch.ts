import { Readable } from 'node:stream'
import { UnavailableError } from '../core/errors.js'
import { here, hasNode, misfit, readCheck, unready, type Checked } from './check.js'
import type { Host } from './host.js'
import type { PackShelf } from './pack-shelf.js'
import { checkScript, receiveScript, runFile, startScript, stopScript } from './scripts.js'
import { lastLine, runOnHost, toldBy, type Answer, type SshOptions } from './ssh.js'
import { tarOf, type TarFile } from './tar.js'

/** What a host is given, whichever it is. */
export interface Launch {
  /** Of its files there. */
  readonly place: string
  /** `copy` brings this very mlds along, `none` uses the host's own. */
  readonly install: 'copy' | 'none'
  /** A file that the worker's shell reads before it starts the worker. */
  readonly setup: string | undefined
  readonly workerArgs: readonly string[]
  readonly shelf: Pick<PackShelf, 'pack' | 'open'>
  readonly signal: AbortSignal
}

/** Told as each step is done. */
export type Tell = (step: 'connected' | 'checked' | 'copied' | 'started', detail: string) => void

const minutes = (count: number): number => 60_000 * count
const askMs = minutes(1)
const copyMs = minutes(30)
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** `tar` ends with such a line, whatever was wrong. */
const ofTarItself = /^tar: (?:Exiting with failure status|Error is not recoverable|Child returned status).*$/gm

/** The last line of why not: what a login shell says before it refuses stands on its standard output. */
export const whyNot = ({ stderr, stdout }: Pick<Answer, 'stderr' | 'stdout'>): string =>
  lastLine(stderr.replaceAll(ofTarItself, '')) || lastLine(stdout.replaceAll(/^mlds: .*$/gm, ''))

/** @throws UnavailableError with the host's last line where the script failed. */
export async function askHost(host: Host, script: string, options: SshOptions): Promise<Answer> {
  const answer = await runOnHost(host, script, options)
  if (answer.code !== 0)
    throw new UnavailableError(whyNot(answer) || `the host ended a step with exit code ${answer.code}`)
  return answer
}

/** Looks at a host; changes nothing. @throws UnavailableError when it can't be reached. */
export async function checkHost(
  host: Host,
  { setup, signal, own }: Pick<Launch, 'setup' | 'signal'> & { readonly own: boolean },
): Promise<Checked> {
  const input = setup === undefined ? {} : { input: inputOf(Buffer.from(setup)) }
  const script = checkScript({ setup: setup !== undefined, own })
  const checked = readCheck(await askHost(host, script, { timeoutMs: askMs, signal, ...input }))
  if (checked.home !== '') return checked
  if (checked.arch !== '') throw new UnavailableError('its shell knows no home folder: HOME is not set')
  throw new UnavailableError(
    setup === undefined
      ? 'its shell answers nothing of what it is asked'
      : 'the file of --setup ends the shell that reads it: it holds an exit, or something in it failed',
  )
}

const inputOf = (bytes: Uint8Array): NonNullable<SshOptions['input']> => ({
  when: 'at once',
  open: () => Readable.from([bytes], { objectMode: false }),
})

export const describeChecked = (checked: Checked): string =>
  [
    `${checked.platform} ${checked.arch}`,
    checked.node === undefined ? 'no Node' : `Node ${checked.node}`,
    ...(checked.ownVersion === undefined ? [] : [`mlds ${checked.ownVersion} of its own`]),
    ...(checked.cores === undefined ? [] : [`${checked.cores} cores`]),
    ...(checked.freeBytes === undefined ? [] : [`${(checked.freeBytes / 1e9).toFixed(1)} GB free`]),
  ].join(', ')

/** Why a disk can't take what is copied; `undefined` where it can, or is not known. */
export const tooSmall = (
  { freeBytes = Infinity }: Checked,
  { bytes }: { readonly bytes: number },
): string | undefined =>
  freeBytes < 1.1 * bytes ? `its disk has ${megabytes(freeBytes)} left, and mlds takes ${megabytes(bytes)}` : undefined

/** How mlds is called on a host, and what has to be copied for it. */
export interface Program {
  readonly digest: string | undefined
  readonly call: readonly ({ readonly copied: string } | string)[]
}

/**
 * Brings mlds to a host, with the place.
 * @throws UnavailableError saying why the host can't have it. Nothing is left there then, if it can be reached.
 */
export async function copyToHost(host: Host, checked: Checked, launch: Launch, tell: Tell): Promise<Program> {
  const { place, install, shelf, signal } = launch
  const missing = unready(checked)
  if (missing !== undefined) throw new UnavailableError(missing)
  if (install === 'none') {
    if (!checked.ownMlds.startsWith('/'))
      throw new UnavailableError('there is no mlds on its PATH', {
        hint: 'leave out --install none, or name its place with --setup FILE',
      })
    await receive(host, place, undefined, { timeoutMs: askMs, signal })
    tell(
      'copied',
      `nothing: it has ${checked.ownMlds}${checked.ownVersion === undefined ? '' : ` ${checked.ownVersion}`}`,
    )
    return { digest: undefined, call: [checked.ownMlds] }
  }
  const wrong = misfit(checked, here())
  if (wrong !== undefined) throw new UnavailableError(wrong)
  const pack = shelf.pack(!hasNode(checked))
  let sent: number | undefined
  const input: SshOptions['input'] = {
    when: 'wanted',
    async open() {
      const small = tooSmall(checked, pack)
      if (small !== undefined) throw new UnavailableError(small)
      const { stream, bytes } = await shelf.open(pack)
      sent = bytes
      return stream
    },
  }
  await receive(host, place, pack.digest, { timeoutMs: copyMs, signal, input })
  const what = `mlds${pack.node === undefined ? '' : ` and Node ${process.version}`}`
  tell(
    'copied',
    sent === undefined
      ? `nothing: ${what} is there already`
      : `${what}, ${megabytes(sent)} sent, ${megabytes(pack.bytes)} on its disk`,
  )
  const node = pack.node === undefined ? checked.nodePath : { copied: `${pack.digest}/${pack.node}` }
  return { digest: pack.digest, call: [node, { copied: `${pack.digest}/${pack.run}` }] }
}

async function receive(host: Host, place: string, digest: string | undefined, options: SshOptions): Promise<void> {
  try {
    await askHost(host, receiveScript(place, digest), options)
  } catch (error) {
    throw (error as Error).message.startsWith('a fleet ') ? error : await takenBack(host, { place, digest }, error)
  }
}

/** What a failed start has brought to a host could not be taken back, since that is lost. */
export class LeftBehindError extends UnavailableError {
  /** @param digest of what was copied. */
  constructor(
    why: unknown,
    readonly digest: string | undefined,
  ) {
    super(`${(why as Error).message}; what it was given may still be there`, { cause: why })
  }
}

/** Takes back what a failed start has brought to a host. @returns why it failed, and whether something is left. */
export async function takenBack(
  host: Host,
  { place, digest }: { readonly place: string; readonly digest: string | undefined },
  why: unknown,
): Promise<unknown> {
  const options = { patience: 0, now: true, keep: false }
  const script = stopScript(place, place, digest, options)
  return askHost(host, script, { timeoutMs: askMs }).then(
    () => why,
    () => new LeftBehindError(why, digest),
  )
}

/** Starts the worker, so that it outlives the connection. @throws UnavailableError with the host's last line. */
export async function startOnHost(
  host: Host,
  worker: string,
  program: Program,
  access: readonly TarFile[],
  { place, setup, workerArgs, signal }: Launch,
): Promise<void> {
  const run = runFile({ place, worker, setup: setup !== undefined, program: program.call, args: workerArgs })
  const files: TarFile[] = [
    { path: 'run', executable: true, content: Buffer.from(run) },
    ...(setup === undefined ? [] : [{ path: 'setup', content: Buffer.from(setup) }]),
    ...access,
  ]
  const input = { when: 'at once', open: () => tarOf(files) } as const
  try {
    await askHost(host, startScript(place, worker), { timeoutMs: askMs, signal, input })
  } catch (error) {
    throw await takenBack(host, { place, digest: program.digest }, error)
  }
}

/** Whether the worker of a fleet runs on its host, and the last line it said. */
export async function lookAtWorker(
  host: Host,
  script: string,
  signal?: AbortSignal,
): Promise<{ readonly worker: string; readonly said: string }> {
  const told = toldBy(await askHost(host, script, { timeoutMs: askMs, ...(signal === undefined ? {} : { signal }) }))
  return { worker: told.get('worker') ?? 'gone', said: lastLine(told.get('said') ?? '') }
}
