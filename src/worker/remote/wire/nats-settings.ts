import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { MldsError, UnavailableError } from '../../../core/errors.js'

/** Where NATS is and as whom to come there, as text; files are named, not read. */
export interface NatsSettings {
  /** Several, separated by commas, are the hosts of one cluster. */
  readonly url: string
  readonly user?: string
  readonly password?: string
  readonly token?: string
  /** A credentials file: a user's JWT and its nkey seed. */
  readonly creds?: string
  /** A file with an nkey seed. */
  readonly nkey?: string
  readonly user_jwt?: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly tls_first?: boolean
  /** Subjects of replies begin with it; a server may permit one client no others. */
  readonly inbox_prefix?: string
  /** Whose JetStream is meant, when several can be reached (leaf nodes). */
  readonly jetstream_domain?: string
  /** Requests to JetStream begin with it; instead of a domain, where an account imports the API of another. */
  readonly jetstream_api_prefix?: string
}

type Partly = { -readonly [name in keyof NatsSettings]?: NatsSettings[name] }

/** Ways to say who one is. They exclude each other: the place that names any of them is taken whole. */
const identities = ['user', 'password', 'token', 'creds', 'nkey', 'user_jwt'] as const
const files = ['creds', 'nkey', 'ca', 'cert', 'key'] as const
/** Keys of a context (ADR-21) that say who one is in a way that mlds does not know. */
const unsupported = ['nsc', 'windows_cert_store'] as const

/**
 * Settings in the order of the `nats` command: the URL given, then NATS_URL, NATS_USER, NATS_PASSWORD, NATS_TOKEN,
 * NATS_CREDS, NATS_NKEY, NATS_CA, NATS_CERT, NATS_KEY, NATS_INBOX_PREFIX, then the context that NATS_CONTEXT names (or
 * the file it points to), else the one selected with `nats context select`, then nats://127.0.0.1:4222.
 * @throws MldsError when a secret stands in `flag`, since every user of the host can read a command line.
 * @throws UnavailableError when a context can't be read, or wants what mlds can't do.
 */
export function resolveNatsSettings(flag: string | undefined, env: NodeJS.ProcessEnv): NatsSettings {
  if (flag?.includes('@') === true) {
    const hidden = flag.replaceAll(/\/\/[^@/]*@|^[^@/]*@/g, (match) => (match.startsWith('//') ? '//' : ''))
    throw new MldsError('USAGE', `--nats: a secret in a command line can be read by everyone on this host: ${hidden}`, {
      hint: `export NATS_USER and NATS_PASSWORD (or NATS_CREDS, NATS_NKEY) and give --nats ${hidden}`,
    })
  }
  const environment = fromEnvironment(env)
  // The flag can't say who one is, so what NATS_URL says of the same servers goes with them.
  const url = flag !== undefined && isSameServers(flag, environment.url) ? environment.url : flag
  const layers = [url === undefined ? {} : { url }, environment, fromContext(env)]
  const known = layers.find((layer) => identities.some((name) => layer[name] !== undefined)) ?? {}
  const merged: Partly = Object.assign({}, ...layers.toReversed()) as Partly
  for (const name of identities) delete merged[name]
  for (const name of identities) if (known[name] !== undefined) merged[name] = known[name]
  // As for the `nats` command, a user without a password is a token.
  if (merged.user !== undefined && merged.password === undefined) {
    merged.token ??= merged.user
    delete merged.user
  }
  return { ...merged, url: merged.url ?? 'nats://127.0.0.1:4222' }
}

const isSameServers = (flag: string, url = ''): boolean => serversOf(flag) === serversOf(url)

/** Hosts and ports of an address, without who one is there. */
const serversOf = (url: string): string =>
  url
    .split(',')
    .map((one) =>
      one
        .trim()
        .replace(/^[a-z]+:\/\//i, '')
        .replace(/^[^@]*@/, '')
        .replace(/\/$/, ''),
    )
    .map((server) => (/:\d+$/.test(server) ? server : `${server}:4222`))
    .join()

function fromEnvironment(env: NodeJS.ProcessEnv): Partly {
  const names = ['url', 'user', 'password', 'token', 'creds', 'nkey', 'ca', 'cert', 'key', 'inbox_prefix'] as const
  const settings: Partly = {}
  for (const name of names) {
    const value = env[`NATS_${name.toUpperCase()}`]
    if (value !== undefined && value !== '') settings[name] = value
  }
  for (const name of files) if (settings[name] !== undefined) settings[name] = expandHome(settings[name], env)
  return settings
}

function fromContext(env: NodeJS.ProcessEnv): Partly {
  const folder = join(env['XDG_CONFIG_HOME'] ?? join(env['HOME'] ?? homedir(), '.config'), 'nats')
  const named = env['NATS_CONTEXT']
  if (named !== undefined && named !== '') {
    const isFile = named.endsWith('.json') && existsSync(named)
    return readContext(named, isFile ? resolve(named) : contextFile(folder, named), env)
  }
  const selection = join(folder, 'context.txt')
  if (!existsSync(selection)) return {}
  const selected = readFileSync(selection, 'utf8').trim()
  return selected === '' ? {} : readContext(selected, contextFile(folder, selected), env)
}

function contextFile(folder: string, name: string): string {
  if (!/^[^/\\]+$/.test(name) || name.startsWith('.'))
    throw new UnavailableError(`not a NATS context: ${name} (a name, or a file that ends with .json)`)
  return join(folder, 'context', `${name}.json`)
}

function readContext(name: string, file: string, env: NodeJS.ProcessEnv): Partly {
  let stored: Record<string, unknown>
  try {
    stored = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  } catch (error) {
    throw new UnavailableError(`the NATS context ${name} can't be read: ${file}: ${withoutContent(error)}`, {
      hint: 'unset NATS_CONTEXT, or see the contexts with: nats context ls',
      cause: error,
    })
  }
  for (const key of unsupported)
    if (typeof stored[key] === 'string' && stored[key] !== '')
      throw new UnavailableError(`the NATS context ${name} sets ${key}, which mlds does not know: ${file}`, {
        hint: 'give --nats URL and NATS_CREDS or NATS_NKEY, or name another context in NATS_CONTEXT',
      })
  const settings: Partly = {}
  const places = ['inbox_prefix', 'jetstream_domain', 'jetstream_api_prefix'] as const
  const names = ['url', ...identities, 'ca', 'cert', 'key', ...places] as const
  for (const key of names) {
    const value = stored[key]
    if (typeof value === 'string' && value !== '') settings[key] = value
  }
  if (stored['tls_first'] === true) settings.tls_first = true
  for (const key of files)
    if (settings[key] !== undefined) settings[key] = besideContext(expandHome(settings[key], env), file)
  return settings
}

/** A parser's complaint quotes the text around the fault, which may be a password. */
function withoutContent(error: unknown): string {
  return error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message
}

/** From the working folder as for the `nats` command, else from the context's own, so that both can be copied together. */
function besideContext(path: string, contextFile: string): string {
  return isAbsolute(path) || existsSync(path) ? path : join(dirname(contextFile), path)
}

function expandHome(path: string, env: NodeJS.ProcessEnv): string {
  return path.startsWith('~/') ? join(env['HOME'] ?? homedir(), path.slice(2)) : path
}
