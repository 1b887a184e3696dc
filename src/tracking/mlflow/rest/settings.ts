import { readFileSync } from 'node:fs'
import { MldsError } from '../../../core/errors.js'

/** How to reach an MLflow server. Secrets live in `headers` and `tls` only: never print or store a settings object. */
export interface MlflowSettings extends NamedExperiment {
  /** Without credentials and without a slash at its end: safe to print and to keep. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly insecure: boolean }
  /** Given up after this long without an answer; default 120 000. */
  readonly timeoutMs: number
  /** Further tries after a failure that may pass; default 7. */
  readonly retries: number
  /** The first pause between tries; it doubles, with jitter, up to 30 s. Default 500. */
  readonly backoffMs: number
  /** Runs brought up to date at once; what the server's store can take unless told otherwise. */
  readonly inFlight?: number
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Settings for `url` from MLflow's own variables: MLFLOW_TRACKING_USERNAME and _PASSWORD (Basic) before
 * MLFLOW_TRACKING_TOKEN (Bearer), _INSECURE_TLS, _SERVER_CERT_PATH, _CLIENT_CERT_PATH, MLFLOW_HTTP_REQUEST_TIMEOUT (s),
 * _MAX_RETRIES, MLFLOW_EXPERIMENT_NAME or _ID, MLFLOW_WORKSPACE. Credentials written into the URL win over all of them.
 * @throws MldsError when the URL or a number is not one.
 */
export function mlflowSettings(url: string, env: Environment): MlflowSettings {
  const parsed = parseUrl(url)
  const authorization = authorizationFor(parsed, env)
  parsed.username = parsed.password = ''
  const workspace = env['MLFLOW_WORKSPACE']
  const tls = tlsFrom(env)
  const inFlight = wholeNumber(env, 'MLDS_TRACKING_IN_FLIGHT', 0)
  return {
    url: `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, ''),
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(workspace === undefined ? {} : { 'x-mlflow-workspace': workspace }),
    },
    ...(tls === undefined ? {} : { tls }),
    timeoutMs: 1000 * wholeNumber(env, 'MLFLOW_HTTP_REQUEST_TIMEOUT', 120),
    retries: wholeNumber(env, 'MLFLOW_HTTP_REQUEST_MAX_RETRIES', 7),
    backoffMs: wholeNumber(env, 'MLDS_TRACKING_BACKOFF_MS', 500),
    ...experimentFrom(env),
    ...(inFlight === 0 ? {} : { inFlight }),
  }
}

/** The MLflow experiment that sweeps go to: by its name, or by MLflow's id of one that is there already. */
export interface NamedExperiment {
  readonly experimentName?: string
  readonly experimentId?: string
}

const maxExperimentNameLength = 500

/**
 * What MLFLOW_EXPERIMENT_NAME says, else MLFLOW_EXPERIMENT_ID, as MLflow's own client reads them; empty when nothing.
 * @throws MldsError when the name is too long for MLflow.
 */
export function experimentFrom(env: Environment): NamedExperiment {
  const [name, id] = [env['MLFLOW_EXPERIMENT_NAME'], env['MLFLOW_EXPERIMENT_ID']]
  if (name === undefined || name === '') return id === undefined || id === '' ? {} : { experimentId: id }
  if (name.length <= maxExperimentNameLength) return { experimentName: name }
  throw new MldsError(
    'USAGE',
    `MLFLOW_EXPERIMENT_NAME: ${name.length} characters (at most ${maxExperimentNameLength}): ${name.slice(0, 60)}…`,
  )
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !['http:', 'https:'].includes(parsed.protocol)) {
    throw new MldsError('USAGE', `not an MLflow server: ${url} (an address such as http://127.0.0.1:5000)`, {
      hint: 'for a folder of files use: mlds export SWEEP --format mlruns',
    })
  }
  return parsed
}

function authorizationFor(url: URL, env: Environment): string | undefined {
  const basic = (user: string, password: string): string =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  if (url.username !== '') return basic(decodeURIComponent(url.username), decodeURIComponent(url.password))
  const [user, password] = [env['MLFLOW_TRACKING_USERNAME'], env['MLFLOW_TRACKING_PASSWORD']]
  if (user !== undefined && password !== undefined) return basic(user, password)
  const token = env['MLFLOW_TRACKING_TOKEN']
  return token === undefined ? undefined : `Bearer ${token}`
}

function tlsFrom(env: Environment): MlflowSettings['tls'] {
  const read = (name: string): string | undefined => {
    const file = env[name]
    if (file === undefined || file === '') return undefined
    try {
      return readFileSync(file, 'utf8')
    } catch (error) {
      throw new MldsError('USAGE', `${name}: ${file} can't be read: ${(error as Error).message}`, { cause: error })
    }
  }
  const ca = read('MLFLOW_TRACKING_SERVER_CERT_PATH')
  // One PEM file with certificate and key, as MLflow's own client takes it.
  const client = read('MLFLOW_TRACKING_CLIENT_CERT_PATH')
  const insecure = ['true', '1'].includes(env['MLFLOW_TRACKING_INSECURE_TLS']?.toLowerCase() ?? '')
  if (ca === undefined && client === undefined && !insecure) return undefined
  return { ...(ca && { ca }), ...(client && { cert: client, key: client }), insecure }
}

function wholeNumber(env: Environment, name: string, fallback: number): number {
  const raw = env[name]
  if (raw === undefined || raw === '') return fallback
  const value = Number(raw)
  if (Number.isInteger(value) && value >= 0) return value
  throw new MldsError('USAGE', `${name}: ${raw} is not a whole number of at least 0`)
}

/** The server a person named: the flag, else MLFLOW_TRACKING_URI when it is an address (folders are not servers). */
export function trackingUrl(flag: string | undefined, env: Environment = process.env): string | undefined {
  if (flag !== undefined) return flag
  const uri = env['MLFLOW_TRACKING_URI']
  return uri !== undefined && /^https?:/.test(uri) ? uri : undefined
}
