import { systemClock, type Clock } from '../../../core/clock.js'
import { retry } from '../../../system/retry.js'
import type { MlflowSettings } from './settings.js'
import { MlflowError, passingStatuses, retryAfterMs } from './mlflow-error.js'

const maxPauseMs = 30_000
/** While somebody waits for the end of a sweep. */
const maxHurriedPauseMs = 5_000
/** Tries after a proxy's page of status 404: it may come while a server starts, or for ever from what is no MLflow. */
const triesAfterPage = 4

/** How long a person who waits for it gives a server that has not answered yet. */
export interface FirstAnswer {
  /** Told once what is waited for, after 2 s. */
  readonly say: (sentence: string) => void
  /** Milliseconds after which a call gives up. Default 12 000. */
  readonly withinMs?: number
}

const quietMs = 2_000
const firstAnswerMs = 12_000

/** Node's own fetch, or undici's with an agent that knows the certificates. */
async function fetchFor({ tls }: MlflowSettings): Promise<typeof fetch> {
  if (tls === undefined) return fetch
  const undici = await import('undici')
  const { insecure, ...certificates } = tls
  const dispatcher = new undici.Agent({ connect: { ...certificates, rejectUnauthorized: !insecure } })
  return ((url: string, init: object) => undici.fetch(url, { ...init, dispatcher })) as unknown as typeof fetch
}

/** JSON lacks NaN and infinities: MLflow takes them as words. `"nan"` in small letters would store a bogus zero. */
function encodeNumber(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

/** Requests to one MLflow server, on `fetch`; what a failure means, and whether it is worth another try. */
export class MlflowTransport {
  readonly #fetch: Promise<typeof fetch>
  #answered = false
  #saidWhatWaits = false
  readonly #tooLate = new AbortController()
  readonly #hurry = new AbortController()
  readonly #ends: AbortSignal

  constructor(
    readonly settings: MlflowSettings,
    signal: AbortSignal = new AbortController().signal,
    private readonly clock: Clock = systemClock,
    private readonly random: () => number = Math.random,
    private readonly firstAnswer?: FirstAnswer,
  ) {
    this.#ends = AbortSignal.any([signal, this.#tooLate.signal])
    this.#fetch = fetchFor(settings)
    // A missing undici is told by the first call, not by a crash.
    this.#fetch.catch(() => {})
  }

  get url(): string {
    return this.settings.url
  }

  /** True when the server has answered anything at all, if only with a refusal. */
  get hasAnswered(): boolean {
    return this.#answered
  }

  /** From now on pauses are of 5 s at most, and tries go on until the signal ends them; ends the pauses under way. */
  hurry(): void {
    this.#hurry.abort()
  }

  /** Bytes, repeated while a failure may pass. */
  send(method: string, path: string, body?: Uint8Array, type?: string): Promise<Buffer> {
    return this.patiently(() => this.#answer(method, path, body, type))
  }

  /** One request in JSON to API 2.0, not repeated. */
  async once<T>(method: string, path: string, body?: unknown): Promise<T> {
    const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body, encodeNumber))
    const bytes = await this.#answer(method, `/api/2.0/mlflow/${path}`, sent, 'application/json')
    try {
      return JSON.parse(bytes.toString()) as T
    } catch (error) {
      // A proxy's page with status 200, or an answer cut short.
      throw new MlflowError(`${this.url} did not answer in JSON to ${path}`, 200, true, undefined, undefined, {
        cause: error,
      })
    }
  }

  /** One request in JSON to API 2.0 that may be repeated without harm, and is. */
  call<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    return this.patiently(() => this.once<T>(method, path, body))
  }

  /** Tries again while a failure may pass, waiting as long as the server asks or twice as long each time. */
  async patiently<T>(act: () => Promise<T>): Promise<T> {
    if (this.firstAnswer === undefined) return this.#retry(act)
    if (this.#answered) return this.#retry(act, this.firstAnswer.say)
    const { say, withinMs = firstAnswerMs } = this.firstAnswer
    const cancels = [
      this.clock.after(quietMs, () => {
        if (this.#answered || this.#saidWhatWaits) return
        this.#saidWhatWaits = true
        say(`No answer from ${this.url} yet; it is given up after ${withinMs / 1000} s.`)
      }),
      this.clock.after(withinMs, () => {
        if (!this.#answered) this.#tooLate.abort()
      }),
    ]
    try {
      return await this.#retry(act, say)
    } catch (cause) {
      if (!this.#tooLate.signal.aborted) throw cause
      const hint = 'is the MLflow server running there? (mlflow server, or mlds ui)'
      const message = `no answer from ${this.url} within ${withinMs / 1000} s`
      throw new MlflowError(message, undefined, false, undefined, undefined, { hint, cause })
    } finally {
      cancels.forEach((cancel) => cancel())
    }
  }

  #retry<T>(act: () => Promise<T>, say?: (sentence: string) => void): Promise<T> {
    const { retries, backoffMs } = this.settings
    const beganMs = this.clock.now()
    let [failures, pages] = [0, 0]
    const isHurried = (): boolean => this.#hurry.signal.aborted
    return retry(act, {
      ...{ clock: this.clock, signal: this.#ends, wake: this.#hurry.signal },
      mayPass: (error) => {
        if (!(error instanceof MlflowError) || !error.passing) return false
        if (error.status === 404 && ++pages > triesAfterPage) return false
        return ++failures <= retries || isHurried()
      },
      pauseMs: (count, error) => {
        const { retryAfterMs: asked, message } = error as MlflowError
        const pauseMs = Math.min(
          isHurried() ? maxHurriedPauseMs : maxPauseMs,
          asked ?? backoffMs * 2 ** (count - 1) * (0.5 + this.random()),
        )
        const isLong = this.clock.now() + pauseMs - beganMs >= quietMs
        if (isLong && say !== undefined && this.#answered && !this.#saidWhatWaits) {
          this.#saidWhatWaits = true
          say(`Waiting for ${this.url}: ${message}`)
        }
        return pauseMs
      },
    })
  }

  async #answer(method: string, path: string, body: Uint8Array | undefined, type?: string): Promise<Buffer> {
    const act = await this.#fetch
    let response: Response
    let bytes: Buffer
    try {
      response = await act(this.url + path, {
        method,
        headers: { ...this.settings.headers, ...(body && type && { 'content-type': type }) },
        signal: AbortSignal.any([this.#ends, AbortSignal.timeout(this.settings.timeoutMs)]),
        ...(body && { body }),
      })
      bytes = Buffer.from(await response.arrayBuffer())
      this.#answered = true
    } catch (error) {
      const { message, cause } = error as Error & { cause?: { code?: string; message?: string } }
      const reason = cause?.code ?? cause?.message ?? message
      const isDistrusted = /CERT|UNABLE_TO_VERIFY/.test(reason)
      throw new MlflowError(`no answer from ${this.url}: ${reason}`, undefined, !isDistrusted, undefined, undefined, {
        hint: isDistrusted
          ? 'name the certificate of its authority with MLFLOW_TRACKING_SERVER_CERT_PATH'
          : 'is the MLflow server running there? (mlflow server, or mlds ui)',
        cause: error,
      })
    }
    const isPage = response.headers.get('content-type')?.startsWith('text/html') === true
    if (response.redirected && (isPage || !response.ok)) throw this.#sentOn(method, response)
    if (response.ok) {
      if (!isPage || (method === 'GET' && path.endsWith('.html'))) return bytes
      // A sign-in page or a proxy's notice: the request has not met MLflow, whatever the status says.
      throw new MlflowError(`${this.url} answered ${method} with a page, not as MLflow does`, response.status, true)
    }
    throw this.#refusal(method, path, response, bytes.toString())
  }

  /** To the same server by https, or to a page where people sign in: on the way a request becomes another. */
  #sentOn(method: string, { url, status }: Response): MlflowError {
    const { origin } = new URL(url)
    const message = `${this.url} sends requests on to ${origin}, where ${method} came to ${status}`
    const hint = 'give the address at which MLflow answers by itself, and its login if it has one'
    return new MlflowError(message, status, false, undefined, undefined, { hint })
  }

  #refusal(method: string, path: string, response: Response, text: string): MlflowError {
    const { status } = response
    let said: { error_code?: string; message?: string } = {}
    try {
      said = JSON.parse(text) as typeof said
    } catch {
      // HTML of a proxy or plain text: the status and the beginning say enough.
    }
    // Servers before 3.10 answer so to what of API 3.0 they do not know.
    const isPage = said.error_code === undefined && /^\s*<(!doctype|html|h1|title)/i.test(text)
    const isProxy = status === 404 && isPage && !path.startsWith('/api/3.0/')
    const detail = said.message ?? wordsOfPage(text, status)
    const hint =
      status === 401
        ? this.settings.headers['authorization'] === undefined
          ? 'set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN'
          : 'the user name with its password, or the token, that was given is not one of this server’s'
        : status === 403 && /host header/i.test(text)
          ? 'start the server with --allowed-hosts and the name you reach it by'
          : status === 404 && said.error_code === undefined
            ? 'is this the address of an MLflow server?'
            : undefined
    return new MlflowError(
      `${this.url} refused ${method} ${path.split('?')[0]!.replace('/api/2.0/', '')}: ${status} ${detail}`,
      status,
      passingStatuses.has(status) || isProxy,
      said.error_code,
      retryAfterMs(response.headers.get('retry-after'), this.clock.now()),
      hint === undefined ? {} : { hint },
    )
  }
}

/** What a page says, by its title if it has one, without the status that the message gives already. */
function wordsOfPage(text: string, status: number): string {
  const words = (/<title>([^<]+)<\/title>/i.exec(text)?.[1] ?? text)
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return (words.startsWith(`${status} `) ? words.slice(`${status} `.length) : words).slice(0, 200)
}
