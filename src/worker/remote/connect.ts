import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { connect, credsAuthenticator, nkeyAuthenticator } from '@nats-io/transport-node'
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import { UnavailableError } from '../../errors.js'

type Settings = Partial<
  Record<'url' | 'creds' | 'nkey' | 'user' | 'password' | 'token' | 'ca' | 'cert' | 'key' | 'inbox_prefix', string>
>

/**
 * Connects as the `nats` command does: `url`, else NATS_URL and its companions, else the context that NATS_CONTEXT
 * names. Secrets come from there or from the URL, never from flags.
 * @throws UnavailableError when nobody answers, or the server refuses.
 */
export async function connectNats(url: string | undefined, clientName: string): Promise<NatsConnection> {
  const options = connectionOptions(url, process.env)
  try {
    return await connect({ ...options, name: clientName })
  } catch (error) {
    throw new UnavailableError(`no connection to NATS at ${String(options.servers)}: ${(error as Error).message}`, {
      hint: 'start one with: mlds nats up',
      cause: error,
    })
  }
}

export function connectionOptions(url: string | undefined, env: NodeJS.ProcessEnv): NodeConnectionOptions {
  const settings = resolveSettings(url, env)
  const where = new URL(settings.url ?? 'nats://127.0.0.1:4222')
  // The client ignores a name and password inside the URL, and would send them to no one.
  const user = settings.user ?? (where.username === '' ? undefined : decodeURIComponent(where.username))
  const pass = settings.password ?? (where.password === '' ? undefined : decodeURIComponent(where.password))
  const secured = where.protocol === 'tls:' || settings.ca !== undefined || settings.cert !== undefined
  return {
    servers: where.host,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 1_000,
    pingInterval: 15_000,
    maxPingOut: 2,
    ...(settings.inbox_prefix === undefined ? {} : { inboxPrefix: settings.inbox_prefix }),
    ...(user === undefined ? {} : { user }),
    ...(pass === undefined ? {} : { pass }),
    ...(settings.token === undefined ? {} : { token: settings.token }),
    ...(settings.creds === undefined ? {} : { authenticator: credsAuthenticator(readFileSync(settings.creds)) }),
    ...(settings.nkey === undefined
      ? {}
      : { authenticator: nkeyAuthenticator(new TextEncoder().encode(readFileSync(settings.nkey, 'utf8').trim())) }),
    // Without this option the client takes tls:// for a plain connection and sends everything in the clear.
    ...(secured
      ? {
          tls: {
            ...(settings.ca === undefined ? {} : { caFile: settings.ca }),
            ...(settings.cert === undefined ? {} : { certFile: settings.cert }),
            ...(settings.key === undefined ? {} : { keyFile: settings.key }),
          },
        }
      : {}),
  }
}

function resolveSettings(url: string | undefined, env: NodeJS.ProcessEnv): Settings {
  const settings: Settings = env['NATS_CONTEXT'] === undefined ? {} : readContext(env['NATS_CONTEXT'], env)
  for (const name of ['url', 'creds', 'nkey', 'user', 'password', 'ca', 'cert', 'key'] as const) {
    const value = env[`NATS_${name.toUpperCase()}`]
    if (value !== undefined && value !== '') settings[name] = value
  }
  if (url !== undefined) settings.url = url
  return settings
}

/** A context of the `nats` command (ADR-21). */
function readContext(name: string, env: NodeJS.ProcessEnv): Settings {
  const file = join(env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'nats', 'context', `${name}.json`)
  try {
    const stored = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    return Object.fromEntries(Object.entries(stored).filter(([, value]) => typeof value === 'string' && value !== ''))
  } catch (error) {
    throw new UnavailableError(`the NATS context ${name} can't be read: ${file}: ${(error as Error).message}`, {
      hint: 'unset NATS_CONTEXT, or make it with: nats context add',
      cause: error,
    })
  }
}
