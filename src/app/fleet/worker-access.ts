import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MldsError, UnavailableError } from '../../core/errors.js'
import type { Host } from '../../fleet/host.js'
import type { TarFile } from '../../fleet/tar.js'
import { resolveNatsSettings, type NatsSettings } from '../../worker/remote/wire/nats-settings.js'

/** How workers elsewhere come to the server: a context of NATS, and the files that it names. */
export interface WorkerAccess {
  readonly url: string
  /** For the folder of a fleet; where the queue is at another address, the context says that. */
  files(url?: string): TarFile[]
}

export interface AccessChoice {
  readonly nats: string | undefined
  /** A context of the workers', by name or file. */
  readonly context: string | undefined
  readonly fleet: string
  readonly env: NodeJS.ProcessEnv
}

const keyFiles = ['creds', 'nkey', 'ca', 'cert', 'key'] as const
const identities = ['user', 'token', 'creds', 'nkey', 'user_jwt', 'cert'] as const

/**
 * What workers are given. A person's own credentials never go to a host: workers get those of `--context`, else of the
 * `worker.json` that `mlds nats init` wrote beside the context in use, else none.
 * @throws MldsError when the server wants credentials and none are there for workers.
 */
export function workerAccess({ nats, context, fleet, env }: AccessChoice): WorkerAccess {
  const mine = resolveNatsSettings(nats, env)
  const named = context ?? besideOwn(env)
  const { HOME, XDG_CONFIG_HOME } = env
  const settings =
    named === undefined ? mine : resolveNatsSettings(undefined, { HOME, XDG_CONFIG_HOME, NATS_CONTEXT: named })
  if (named === undefined && (identities.some((name) => mine[name] !== undefined) || mine.url.includes('@')))
    throw new MldsError(
      'USAGE',
      'the server wants credentials, and yours are not for workers: no context of theirs is named',
      {
        hint: 'give one: --context worker.json (mlds nats init writes it)',
      },
    )
  const url = nats ?? (named === undefined ? mine.url : settings.url)
  const { files, references } = copied(settings, fleet)
  return {
    url,
    files: (at = url) => [
      { path: 'context.json', content: Buffer.from(JSON.stringify({ ...settings, ...references, url: at })) },
      ...files,
    ],
  }
}

function besideOwn({ NATS_CONTEXT: own = '' }: NodeJS.ProcessEnv): string | undefined {
  const file = join(dirname(own), 'worker.json')
  return own.endsWith('orchestrator.json') && existsSync(file) ? file : undefined
}

/** Files of credentials under names that a home folder does not have. */
function copied(settings: NatsSettings, fleet: string): { files: TarFile[]; references: Partial<NatsSettings> } {
  const files: TarFile[] = []
  const references: Record<string, string> = {}
  for (const kind of keyFiles) {
    const file = settings[kind]
    if (file === undefined) continue
    references[kind] = `mlds-fleet-${fleet}.${kind}`
    try {
      files.push({ path: references[kind], content: readFileSync(file) })
    } catch (error) {
      throw new UnavailableError(`the NATS ${kind} file can't be read: ${file}: ${(error as Error).message}`)
    }
  }
  return { files, references }
}

const ownName = /^(?:localhost|127(?:\.\d+){3}|\[?::1\]?)$/

/** Host and port of the first server of an address. */
export function firstServer(url: string): { readonly host: string; readonly port: number } {
  const [first = ''] = url.split(',')
  const { hostname, port } = new URL(/^[a-z]+:\/\//i.test(first.trim()) ? first.trim() : `nats://${first.trim()}`)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 4222) }
}

/** The address as a host finds it through a tunnel: the same scheme and user, its own port. */
export function tunnelled(url: string, port: number): string {
  const [first = ''] = url.split(',')
  return first
    .trim()
    .replace(/^([a-z]+:\/\/)?([^@]*@)?.*$/i, (_, scheme = 'nats://', user = '') => `${scheme}${user}127.0.0.1:${port}`)
}

/** Whether an address leads each host to itself. */
export const isOwnAddress = (url: string): boolean => ownName.test(firstServer(url).host)

/** @throws MldsError when the address would lead each host to itself. */
export function refuseOwnAddress(url: string, hosts: readonly Host[]): void {
  const there = hosts.filter(({ destination }) => !ownName.test(destination.replace(/^.*@/, '')))
  if (there.length === 0 || !isOwnAddress(url)) return
  throw new MldsError('USAGE', `${url} is each host's own address: ${there[0]!.name} can't find the server by it`, {
    hint: 'give an address that the hosts can reach (--nats URL), or --tunnel',
  })
}
