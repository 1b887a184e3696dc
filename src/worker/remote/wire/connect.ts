import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import {
  connect,
  credsAuthenticator,
  jwtAuthenticator,
  nkeyAuthenticator,
  PermissionViolationError,
  type Authenticator,
  type NatsConnection,
  type NodeConnectionOptions,
} from '@nats-io/transport-node'
import { systemClock } from '../../../core/clock.js'
import { UnavailableError } from '../../../core/errors.js'
import { retry } from '../../../system/retry.js'
import { resolveNatsSettings, type NatsSettings } from './nats-settings.js'

export interface ConnectOptions {
  /** Told when the connection is lost, is back, or when the server refuses something. Default: nobody. */
  readonly say?: (message: string) => void
  /** Wait for a server that is not there yet, until aborted. Default: an error at once. */
  readonly waitUntil?: AbortSignal
  /** After two unanswered pings a connection counts as dead. Default 15 s. */
  readonly pingMs?: number
  /** Default: those of the process. */
  readonly env?: NodeJS.ProcessEnv
}

/** Where each connection's JetStream answers, if not where every server's does. */
const apiPrefixes = new WeakMap<NatsConnection, string>()

/** What requests to JetStream begin with on this connection. */
export const apiPrefixOf = (connection: NatsConnection): string => apiPrefixes.get(connection) ?? '$JS.API'

/** Subjects, by their beginnings, that a connection tries to publish to though the server may not let it. */
const tried = new WeakMap<NatsConnection, string[]>()

/** From now on a refusal of what begins so is no news for a person: whoever tries it goes another way then. */
export function expectRefusals(connection: NatsConnection, beginning: string): void {
  tried.set(connection, [...(tried.get(connection) ?? []), beginning])
}

const isExpected = (connection: NatsConnection, error: Error): boolean =>
  error instanceof PermissionViolationError &&
  (tried.get(connection) ?? []).some((beginning) => error.subject.startsWith(beginning))

const firstConnectRetryMs = 1_000

/**
 * Connects to the server that {@link resolveNatsSettings} finds. The connection mends itself for ever; secrets come
 * from the environment, contexts and files, are read anew for each attempt, and stand in no message.
 * @param url as given by a flag.
 * @throws UnavailableError when nobody answers, the server refuses, or a file of credentials can't be used.
 */
export async function connectNats(
  url: string | undefined,
  clientName: string,
  { say = () => {}, waitUntil, pingMs = 15_000, env = process.env }: ConnectOptions = {},
): Promise<NatsConnection> {
  const settings = resolveNatsSettings(url, env)
  const options = connectionOptions(settings)
  const { jetstream_domain: domain, jetstream_api_prefix: prefix } = settings
  const where = (options.servers as string[]).join(', ')
  let isWaiting = false
  try {
    const connection = await retry(() => connect({ ...options, pingInterval: pingMs, name: clientName }), {
      clock: systemClock,
      ...(waitUntil === undefined ? {} : { signal: waitUntil }),
      mayPass: (error) => waitUntil !== undefined && refusal(error as Error, settings) === undefined,
      pauseMs: () => firstConnectRetryMs,
      say({ message }) {
        if (!isWaiting) say(`NATS at ${where} does not answer yet (${message}): waiting for it`)
        isWaiting = true
      },
    })
    if (prefix !== undefined) apiPrefixes.set(connection, prefix)
    else if (domain !== undefined) apiPrefixes.set(connection, `$JS.${domain}.API`)
    void tellStatus(connection, say)
    return connection
  } catch (error) {
    throw new UnavailableError(`no connection to NATS at ${where}: ${(error as Error).message}`, {
      hint: refusal(error as Error, settings) ?? 'start one with: mlds nats up',
      cause: error,
    })
  }
}

/** What to do when the server was reached and said no, as far as the message tells; `undefined` when it was not. */
function refusal({ name, message }: Error, { nkey }: NatsSettings): string | undefined {
  if (name === 'AuthorizationError' || /authorization|authentication/i.test(message))
    return nkey === undefined
      ? 'the server wants other credentials: NATS_NKEY, NATS_CREDS, NATS_USER and NATS_PASSWORD, or NATS_CONTEXT'
      : `the server does not know the key in ${nkey}: it was deleted there, or added since the server started, which must then be started again`
  if (/does not support 'tls'|tls.*not available/i.test(message))
    return 'the server speaks without TLS: give it a certificate, or connect with nats:// and neither NATS_CA nor NATS_CERT'
  if (/certificate|altname|self.signed|ssl|tls/i.test(message))
    return "NATS_CA names the authority that signed the server's certificate; NATS_CERT and NATS_KEY are this side's own"
  return undefined
}

export function connectionOptions(settings: NatsSettings): NodeConnectionOptions {
  const urls = settings.url.split(',').map((text) => parseServer(text.trim()))
  const inUrl = urls.find(({ username }) => username !== '')
  return {
    servers: urls.map(({ host }) => host),
    maxReconnectAttempts: -1,
    // A stack kept for every request in case it fails cost a twentieth of a worker's time for small trials.
    noAsyncTraces: true,
    timeout: 10_000,
    reconnectTimeWait: 1_000,
    // The client's own default takes minutes to notice a cut network.
    pingInterval: 15_000,
    maxPingOut: 2,
    ...(settings.inbox_prefix === undefined ? {} : { inboxPrefix: settings.inbox_prefix }),
    ...identityOf(settings, inUrl),
    ...tlsOf(settings, urls),
  }
}

function parseServer(text: string): URL {
  let url: URL | undefined
  try {
    url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `nats://${text}`)
  } catch {
    // Told below, without the text: it may hold a password.
  }
  if (url === undefined || url.host === '')
    throw new UnavailableError('not the address of a NATS server (nats://host:4222 or tls://host:4222)')
  if (url.protocol !== 'nats:' && url.protocol !== 'tls:')
    throw new UnavailableError(`not an address that mlds can use for NATS: ${url.protocol}//${url.host}`, {
      hint: 'nats://host:4222 or tls://host:4222',
    })
  return url
}

/** The client ignores a name and password inside the URL, and would send them to no one: they are taken out here. */
function identityOf(settings: NatsSettings, inUrl: URL | undefined): Partial<NodeConnectionOptions> {
  const { creds, nkey, user_jwt: jwt, user, password, token } = settings
  if (creds !== undefined) return { authenticator: checked(credsAuthenticator(reader(creds, 'credentials')), creds) }
  if (jwt !== undefined)
    return {
      authenticator: jwtAuthenticator(jwt, ...(nkey === undefined ? [] : [reader(nkey, 'nkey')])),
    }
  if (nkey !== undefined) return { authenticator: checked(nkeyAuthenticator(reader(nkey, 'nkey')), nkey) }
  if (user !== undefined && password !== undefined) return { user, pass: password }
  if (token !== undefined) return { token }
  if (inUrl === undefined) return {}
  const [name, pass] = [decodeURIComponent(inUrl.username), decodeURIComponent(inUrl.password)]
  return pass === '' ? { token: name } : { user: name, pass }
}

/** Read again for each connection, so that renewed credentials count without a restart. */
function reader(file: string, kind: string): () => Uint8Array {
  return () => {
    try {
      return new TextEncoder().encode(`${readFileSync(file, 'utf8').trim()}${kind === 'nkey' ? '' : '\n'}`)
    } catch (error) {
      throw new UnavailableError(`the NATS ${kind} file can't be read: ${file}: ${(error as Error).message}`)
    }
  }
}

/** Tried once now: what is wrong with a file is told as that, not as a server's refusal. */
function checked(authenticator: Authenticator, file: string): Authenticator {
  try {
    authenticator('nonce')
  } catch (error) {
    if (error instanceof UnavailableError) throw error
    throw new UnavailableError(`no NATS credentials are in this file: ${file}`, { cause: error })
  }
  return authenticator
}

/** Without this option the client takes tls:// for a plain connection and sends everything in the clear. */
function tlsOf(settings: NatsSettings, urls: readonly URL[]): Partial<NodeConnectionOptions> {
  const { ca, cert, key, tls_first: handshakeFirst } = settings
  const wanted = [ca, cert, key, handshakeFirst].some((value) => value !== undefined)
  if (!wanted && !urls.some(({ protocol }) => protocol === 'tls:')) return {}
  // For an address the client names no host to verify, and Node would then look for "localhost" in the certificate.
  const address = urls.length === 1 ? urls[0]!.hostname.replaceAll(/[[\]]/g, '') : ''
  const tls = {
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(cert === undefined ? {} : { certFile: cert }),
    ...(key === undefined ? {} : { keyFile: key }),
    ...(handshakeFirst === undefined ? {} : { handshakeFirst }),
    ...(isIP(address) === 0 ? {} : { host: address }),
  }
  return { tls }
}

async function tellStatus(connection: NatsConnection, say: (message: string) => void): Promise<void> {
  const refusals = new Set<string>()
  for await (const event of connection.status()) {
    if (event.type === 'disconnect') say(`the connection to NATS at ${event.server} is lost: trying until it is back`)
    else if (event.type === 'reconnect') say(`connected to NATS at ${event.server} again`)
    else if (event.type === 'error' && !refusals.has(event.error.message) && !isExpected(connection, event.error)) {
      refusals.add(event.error.message)
      say(`NATS reports: ${event.error.message}`)
    }
  }
}
