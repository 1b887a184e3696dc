import { MldsError, exitCodes } from '../../core/errors.js'
import { systemClock, type Clock } from '../../core/clock.js'
import { retry } from '../../system/retry.js'
import type { MlflowSettings } from './settings.js'

/** A metric's value at a step; `timestamp` is Unix time in ms. Replaying the same point changes nothing. */
export interface Point {
  readonly key: string
  readonly value: number
  readonly timestamp: number
  readonly step: number
}
export type Tags = Readonly<Record<string, string>>
export type RunStatus = 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED'

export interface Run {
  readonly id: string
  readonly experimentId: string
  readonly name: string
  readonly status: string
  readonly startMs: number
  readonly endMs: number | undefined
  readonly artifactUri: string
  readonly tags: Tags
  readonly params: Tags
  readonly metricKeys: readonly string[]
  /** Unix time in ms of the newest of its metrics' latest points; undefined when it has none. */
  readonly lastPointMs: number | undefined
}

/** A data set as a run's input. */
export interface DatasetInput {
  /** At most 500 characters. */
  readonly name: string
  /** At most 36 characters; name and digest together say which it is. */
  readonly digest: string
  readonly sourceType: string
  /** Where it is from, as JSON. */
  readonly source: string
}

export interface NewRun {
  readonly name: string
  readonly startMs: number
  readonly tags: Tags
}

/** An answer that is not a success. `passing` failures may go away by themselves; the others need a person. */
export class MlflowError extends MldsError {
  constructor(
    message: string,
    readonly status: number | undefined,
    readonly passing: boolean,
    readonly mlflowCode?: string,
    readonly retryAfterMs?: number,
    options: { hint?: string; cause?: unknown } = {},
  ) {
    super('TRACKING', message, { exitCode: exitCodes.environment, ...options })
  }
}

const passingStatuses = new Set([408, 429, 500, 502, 503, 504])
const longestPauseMs = 30_000
const largestPage = 1000
/** Of `metrics/get-history-bulk-interval`: at most 100 runs a call, and 25,000 points of all together. */
const mostRunsPerHistory = 80
const mostPointsPerRun = 305

/**
 * The part of MLflow's REST API 2.0 that sweeps need, on `fetch`. Every call may be repeated without harm, and is, after
 * network failures and passing errors; facts about the wire are in docs/tracking.md.
 */
export class MlflowClient {
  readonly #fetch: Promise<typeof fetch>
  #answered = false
  #storeType: string | undefined

  constructor(
    readonly settings: MlflowSettings,
    private readonly signal: AbortSignal = new AbortController().signal,
    private readonly clock: Clock = systemClock,
    private readonly random: () => number = Math.random,
  ) {
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

  /** `FileStore` or `SqlStore`; `unknown` where the server does not say: older ones, plug-ins, other vendors. */
  async storeType(): Promise<string> {
    if (this.#storeType !== undefined) return this.#storeType
    try {
      const info = await this.#send('GET', '/api/3.0/mlflow/server-info')
      const { store_type: said } = JSON.parse(info.toString()) as { store_type?: string | null }
      this.#storeType = said ?? 'unknown'
    } catch (error) {
      // A page with status 200 is what some proxies have for addresses that they do not know.
      if (error instanceof MlflowError && error.passing && error.status !== 200) throw error
      this.#storeType = 'unknown'
    }
    return this.#storeType
  }

  /** The experiment's id, making it when it is not there; safe when two processes do so at once. */
  async ensureExperiment(name: string): Promise<string> {
    try {
      const made = await this.#call<{ experiment_id: string }>('POST', 'experiments/create', { name })
      return made.experiment_id
    } catch (error) {
      if (!(error instanceof MlflowError) || error.mlflowCode !== 'RESOURCE_ALREADY_EXISTS') throw error
    }
    const { experiment } = await this.#call<{ experiment: WireExperiment }>(
      'GET',
      `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`,
    )
    return idIfActive(experiment)
  }

  /** @throws MlflowError when there is no live experiment of this id. */
  async requireExperiment(id: string): Promise<string> {
    const path = `experiments/get?experiment_id=${encodeURIComponent(id)}`
    const { experiment } = await this.#call<{ experiment: WireExperiment }>('GET', path)
    return idIfActive(experiment)
  }

  async experimentIds(): Promise<string[]> {
    const ids: string[] = []
    let pageToken: string | undefined
    do {
      const page = await this.#call<{ experiments?: { experiment_id: string }[]; next_page_token?: string }>(
        'POST',
        'experiments/search',
        { max_results: largestPage, ...(pageToken && { page_token: pageToken }) },
      )
      for (const { experiment_id } of page.experiments ?? []) ids.push(experiment_id)
      pageToken = page.next_page_token
    } while (pageToken !== undefined && pageToken !== '')
    return ids
  }

  async setExperimentTag(experimentId: string, key: string, value: string): Promise<void> {
    await this.#call('POST', 'experiments/set-experiment-tag', { experiment_id: experimentId, key, value })
  }

  /**
   * Makes the run that the value of its tag `key` names. A failure may leave open whether the server made it: then it is
   * looked for by that tag before it is asked for again.
   */
  async createRun(experimentId: string, run: NewRun, key: string): Promise<Run> {
    const body = { experiment_id: experimentId, run_name: run.name, start_time: run.startMs, tags: pairs(run.tags) }
    let inDoubt = false
    return this.#patiently(async () => {
      if (inDoubt) {
        const page = await this.#searchPage([experimentId], `tags."${key}" = '${run.tags[key]}'`)
        if (page.runs?.[0] !== undefined) return decodeRun(page.runs[0])
      }
      inDoubt = true
      return decodeRun((await this.#once<{ run: WireRun }>('POST', 'runs/create', body)).run)
    })
  }

  /** A live run by its id; undefined when there is none, or it was deleted. */
  async findRun(id: string): Promise<Run | undefined> {
    try {
      const { run } = await this.#call<{ run: WireRun }>('GET', `runs/get?run_id=${encodeURIComponent(id)}`)
      return run.info.lifecycle_stage === 'deleted' ? undefined : decodeRun(run)
    } catch (error) {
      if (error instanceof MlflowError && error.mlflowCode === 'RESOURCE_DOES_NOT_EXIST') return undefined
      throw error
    }
  }

  async updateRun(id: string, change: { status: RunStatus; endMs?: number }): Promise<void> {
    const { status, endMs } = change
    await this.#call('POST', 'runs/update', { run_id: id, status, ...(endMs !== undefined && { end_time: endMs }) })
  }

  async deleteRun(id: string): Promise<void> {
    await this.#call('POST', 'runs/delete', { run_id: id })
  }

  /** All live runs that fit `filter`, oldest first; each once although pages shift while runs are made. */
  async searchRuns(experimentIds: readonly string[], filter: string): Promise<Run[]> {
    const found = new Map<string, Run>()
    let pageToken: string | undefined
    do {
      const page = await this.#patiently(() => this.#searchPage(experimentIds, filter, pageToken))
      for (const run of (page.runs ?? []).map(decodeRun)) found.set(run.id, run)
      pageToken = page.next_page_token
    } while (pageToken !== undefined && pageToken !== '')
    return [...found.values()]
  }

  #searchPage(
    experimentIds: readonly string[],
    filter: string,
    pageToken?: string,
  ): Promise<{ runs?: WireRun[]; next_page_token?: string }> {
    return this.#once('POST', 'runs/search', {
      experiment_ids: experimentIds,
      filter,
      max_results: largestPage,
      order_by: ['attributes.start_time ASC'],
      ...(pageToken && { page_token: pageToken }),
    })
  }

  /** Logs in as few requests as the limits allow, in order: parameters, tags, points. */
  async log(id: string, what: { params?: Tags; tags?: Tags; points?: readonly Point[] }): Promise<void> {
    for (const batch of batches(what)) await this.#logBatch(id, batch)
  }

  async #logBatch(id: string, batch: Batch): Promise<void> {
    const act = (part: Partial<Batch>): Promise<void> => this.#patiently(() => this.#sendBatch(id, part))
    try {
      await act(batch)
    } catch (error) {
      if (!(error instanceof MlflowError) || !isUniqueViolation(error) || batch.metrics.length === 0) throw error
      // Servers before 3.10 refuse points that they have, unless they come by the hundred and NaN alone; a refusal then
      // says that they are there. Parameters are in before points are looked at, tags only afterwards.
      for (const metrics of cautiousBatches(batch.metrics)) {
        await act({ metrics }).catch((refusal: unknown) => {
          if (!(refusal instanceof MlflowError) || !isUniqueViolation(refusal)) throw refusal
        })
      }
      if (batch.tags.length > 0) await act({ tags: batch.tags })
    }
  }

  async #sendBatch(id: string, { metrics = [], ...others }: Partial<Batch>): Promise<void> {
    const lacking = await this.#lackingPoints(id, metrics)
    const isEmpty = [lacking, ...Object.values(others)].every((items) => items.length === 0)
    if (!isEmpty) await this.#once('POST', 'runs/log-batch', { run_id: id, ...others, metrics: lacking })
  }

  /** A database passes over points that it has; a store of files would append them, so it is asked first. */
  async #lackingPoints(id: string, points: readonly Point[]): Promise<readonly Point[]> {
    if (points.length === 0 || (await this.storeType()) !== 'FileStore') return points
    const held = new Set<string>()
    for (const key of new Set(points.map((point) => point.key))) {
      const query = new URLSearchParams({ run_id: id, metric_key: key, max_results: '25000' })
      const path = `metrics/get-history?${query.toString()}`
      const { metrics = [] } = await this.#once<{ metrics?: WirePoint[] }>('GET', path)
      for (const point of metrics) held.add(pointKey(decodePoint(point)))
    }
    return points.filter((point) => !held.has(pointKey(point)))
  }

  /** Names the data sets that a run has read to train on; the same once more changes nothing. */
  async logInputs(id: string, datasets: readonly DatasetInput[]): Promise<void> {
    const inputs = datasets.map(({ name, digest, sourceType, source }) => ({
      dataset: { name, digest, source_type: sourceType, source },
      tags: [{ key: 'mlflow.data.context', value: 'training' }],
    }))
    const act = (): Promise<unknown> => this.#once('POST', 'runs/log-inputs', { run_id: id, datasets: inputs })
    await this.#patiently(() =>
      act().catch((error: unknown) => {
        // Another process has brought the same new set meanwhile: the next try finds it.
        if (error instanceof MlflowError && isUniqueViolation(error)) return act()
        throw error
      }),
    )
  }

  /** A metric's history in many runs at once; only for series of at most 300 points, longer ones come back sampled. */
  async histories(ids: readonly string[], key: string): Promise<Map<string, Point[]>> {
    const found = new Map<string, Point[]>()
    for (let at = 0; at < ids.length; at += mostRunsPerHistory) {
      const query = new URLSearchParams({ metric_key: key, max_results: '2500' })
      for (const id of ids.slice(at, at + mostRunsPerHistory)) query.append('run_ids', id)
      const path = `metrics/get-history-bulk-interval?${query.toString()}`
      const answer = await this.#call<{ metrics?: (WirePoint & { run_id: string })[] }>('GET', path)
      for (const point of answer.metrics ?? []) {
        const points = found.get(point.run_id)
        if (points === undefined) found.set(point.run_id, [decodePoint(point)])
        else if (points.length < mostPointsPerRun) points.push(decodePoint(point))
      }
    }
    for (const points of found.values()) points.sort(byStepThenTime)
    return found
  }

  async putArtifact(run: Pick<Run, 'artifactUri'>, path: string, bytes: Uint8Array): Promise<void> {
    await this.#send('PUT', this.#artifactPath(run, path), bytes, 'application/octet-stream')
  }

  async getArtifact(run: Pick<Run, 'artifactUri'>, path: string): Promise<Uint8Array> {
    return this.#send('GET', this.#artifactPath(run, path))
  }

  #artifactPath({ artifactUri }: Pick<Run, 'artifactUri'>, path: string): string {
    const root = /^mlflow-artifacts:(?:\/\/[^/]*)?\/(.+)$/.exec(artifactUri)?.[1]
    if (root === undefined) {
      throw new MlflowError(`artifacts of this server are not served by it: ${artifactUri}`, undefined, false)
    }
    return `/api/2.0/mlflow-artifacts/artifacts/${`${root}/${path}`.split('/').map(encodeURIComponent).join('/')}`
  }

  #call<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#patiently(() => this.#once<T>(method, path, body))
  }

  #send(method: string, path: string, body?: Uint8Array, type?: string): Promise<Buffer> {
    return this.#patiently(() => this.#answer(method, path, body, type))
  }

  async #once<T>(method: string, path: string, body?: unknown): Promise<T> {
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

  /** Tries again while a failure may pass, waiting as long as the server asks or twice as long each time. */
  #patiently<T>(act: () => Promise<T>): Promise<T> {
    const { retries, backoffMs } = this.settings
    return retry(act, {
      clock: this.clock,
      signal: this.signal,
      mayPass: (error) => error instanceof MlflowError && error.passing,
      pauseMs: (failures, error) =>
        Math.min(
          longestPauseMs,
          (error as MlflowError).retryAfterMs ?? backoffMs * 2 ** (failures - 1) * (0.5 + this.random()),
        ),
      maxFailures: retries + 1,
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
        signal: AbortSignal.any([this.signal, AbortSignal.timeout(this.settings.timeoutMs)]),
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
    if (response.ok) {
      const isPage = response.headers.get('content-type')?.startsWith('text/html') === true
      if (!isPage || (method === 'GET' && path.endsWith('.html'))) return bytes
      // A sign-in page or a proxy's notice: the request has not met MLflow, whatever the status says.
      throw new MlflowError(`${this.url} answered ${method} with a page, not as MLflow does`, response.status, true)
    }
    throw this.#refusal(method, path, response, bytes.toString())
  }

  #refusal(method: string, path: string, response: Response, text: string): MlflowError {
    const { status } = response
    let said: { error_code?: string; message?: string } = {}
    try {
      said = JSON.parse(text) as typeof said
    } catch {
      // HTML of a proxy or plain text: the status and the beginning say enough.
    }
    const detail =
      said.message ??
      text
        .replaceAll(/<[^>]*>/g, ' ')
        .replaceAll(/\s+/g, ' ')
        .trim()
        .slice(0, 200)
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
      passingStatuses.has(status),
      said.error_code,
      retryAfterMs(response.headers.get('retry-after'), this.clock.now()),
      hint === undefined ? {} : { hint },
    )
  }
}

interface WireExperiment {
  readonly experiment_id: string
  readonly name: string
  readonly lifecycle_stage: string
}

function idIfActive({ experiment_id, name, lifecycle_stage }: WireExperiment): string {
  if (lifecycle_stage === 'active') return experiment_id
  throw new MlflowError(`the MLflow experiment is deleted: ${name}`, undefined, false, undefined, undefined, {
    hint: 'restore it in MLflow, or choose another name with MLFLOW_EXPERIMENT_NAME',
  })
}

/** Hundreds, and each NaN by itself. */
function* cautiousBatches(points: readonly Point[]): Generator<Point[]> {
  for (const point of points) if (Number.isNaN(point.value)) yield [point]
  const numbers = points.filter((point) => !Number.isNaN(point.value))
  for (let at = 0; at < numbers.length; at += 100) yield numbers.slice(at, at + 100)
}

/** The server's database has this row already. */
function isUniqueViolation({ status, message }: MlflowError): boolean {
  return status === 400 && /unique constraint|duplicate (key|entry)/i.test(message)
}

/** Node's own fetch, or undici's with an agent that knows the certificates. */
async function fetchFor({ tls }: MlflowSettings): Promise<typeof fetch> {
  if (tls === undefined) return fetch
  const undici = await import('undici')
  const { insecure, ...certificates } = tls
  const dispatcher = new undici.Agent({ connect: { ...certificates, rejectUnauthorized: !insecure } })
  return ((url: string, init: object) => undici.fetch(url, { ...init, dispatcher })) as unknown as typeof fetch
}

function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined
  const seconds = Number(header)
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000)
  const atMs = Date.parse(header)
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}

/** JSON lacks NaN and infinities: MLflow takes them as words. `"nan"` in small letters would store a bogus zero. */
function encodeNumber(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

interface WirePoint {
  readonly key: string
  readonly value: number | string
  readonly timestamp: number | string
  readonly step?: number | string
}

/** MLflow clamps infinities to the largest double; no loss ever is that number by itself. */
function decodePoint({ key, value, timestamp, step }: WirePoint): Point {
  const number = Number(value)
  const unclamped = Math.abs(number) === Number.MAX_VALUE ? Math.sign(number) * Infinity : number
  return { key, value: unclamped, timestamp: Number(timestamp), step: Number(step ?? 0) }
}

const pointKey = ({ key, value, timestamp, step }: Point): string => `${timestamp} ${step} ${value} ${key}`

const byStepThenTime = (a: Point, b: Point): number => a.step - b.step || a.timestamp - b.timestamp

interface Pair {
  readonly key: string
  readonly value: string
}
interface WireRun {
  readonly info: {
    readonly run_id: string
    readonly experiment_id: string
    readonly run_name?: string
    readonly status: string
    readonly lifecycle_stage?: string
    readonly start_time?: number | string
    readonly end_time?: number | string
    readonly artifact_uri: string
  }
  readonly data?: {
    readonly tags?: readonly Pair[]
    readonly params?: readonly Pair[]
    readonly metrics?: readonly WirePoint[]
  }
}

function decodeRun({ info, data }: WireRun): Run {
  return {
    id: info.run_id,
    experimentId: info.experiment_id,
    name: info.run_name ?? '',
    status: info.status,
    startMs: Number(info.start_time ?? 0),
    endMs: info.end_time === undefined || Number(info.end_time) === 0 ? undefined : Number(info.end_time),
    artifactUri: info.artifact_uri,
    tags: Object.fromEntries((data?.tags ?? []).map(({ key, value }) => [key, value])),
    params: Object.fromEntries((data?.params ?? []).map(({ key, value }) => [key, value])),
    metricKeys: (data?.metrics ?? []).map(({ key }) => key),
    lastPointMs: data?.metrics?.reduce((latest, { timestamp }) => Math.max(latest, Number(timestamp)), 0),
  }
}

function pairs(values: Tags): Pair[] {
  return Object.entries(values).map(([key, value]) => ({ key, value }))
}

const limits = { items: 1000, params: 100, tags: 100, bytes: 900_000 }

type Batch = { params: Pair[]; tags: Pair[]; metrics: Point[] }

/** Cuts to what one log-batch may hold: 1000 items of which 100 parameters and 100 tags, and under a megabyte. */
function* batches(what: { params?: Tags; tags?: Tags; points?: readonly Point[] }): Generator<Batch> {
  const empty = (): Batch => ({ params: [], tags: [], metrics: [] })
  let batch = empty()
  let bytes = 0
  const full = (size: number): boolean =>
    batch.params.length + batch.tags.length + batch.metrics.length >= limits.items || bytes + size > limits.bytes
  for (const kind of ['params', 'tags'] as const) {
    for (const pair of pairs(what[kind] ?? {})) {
      const size = 30 + 3 * (pair.key.length + pair.value.length)
      if (full(size) || batch[kind].length >= limits[kind]) {
        yield batch
        batch = empty()
        bytes = 0
      }
      batch[kind].push(pair)
      bytes += size
    }
  }
  for (const point of what.points ?? []) {
    const size = 100 + 3 * point.key.length
    if (full(size)) {
      yield batch
      batch = empty()
      bytes = 0
    }
    batch.metrics.push(point)
    bytes += size
  }
  if (bytes > 0) yield batch
}
