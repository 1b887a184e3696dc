import type { Clock } from '../../../core/clock.js'
import type { MlflowSettings } from './settings.js'
import { batches, cautiousBatches, type Batch } from './batches.js'
import { MlflowError, isUniqueViolation } from './mlflow-error.js'
import { LoggedModels } from './models.js'
import { MlflowTransport, type FirstAnswer } from './transport.js'
import {
  decodePoint,
  decodeRun,
  pairs,
  pointKey,
  type Point,
  type Run,
  type RunStatus,
  type Tags,
  type WireExperiment,
  type WirePoint,
  type WireRun,
} from './wire.js'

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

/** An experiment of the server, or one in its bin. */
export interface FoundExperiment {
  readonly id: string
  readonly name: string
  readonly isDeleted: boolean
}

export interface NewRun {
  readonly name: string
  readonly startMs: number
  readonly tags: Tags
}

const maxRunsPerPage = 1000
/** A database takes no list of any length. */
const maxExperimentsPerSearch = 500
/** Of `metrics/get-history-bulk-interval`: at most 100 runs a call, and 25,000 points of all together. */
const maxRunsPerHistory = 80
const maxPointsPerRun = 305

/**
 * The part of MLflow's REST API 2.0 that sweeps need, on `fetch`. Every call may be repeated without harm, and is, after
 * network failures and passing errors; facts about the wire are in docs/tracking.md.
 */
export class MlflowClient {
  readonly #transport: MlflowTransport
  readonly models: LoggedModels
  #storeType: string | undefined

  constructor(
    readonly settings: MlflowSettings,
    signal?: AbortSignal,
    clock?: Clock,
    random?: () => number,
    firstAnswer?: FirstAnswer,
  ) {
    this.#transport = new MlflowTransport(settings, signal, clock, random, firstAnswer)
    this.models = new LoggedModels(this.#transport)
  }

  get url(): string {
    return this.settings.url
  }

  /** True when the server has answered anything at all, if only with a refusal. */
  get hasAnswered(): boolean {
    return this.#transport.hasAnswered
  }

  /** Somebody waits for the end: pauses are short from now on, and tries go on until the signal ends them. */
  hurry(): void {
    this.#transport.hurry()
  }

  /** `FileStore` or `SqlStore`; `unknown` where the server does not say: older ones, plug-ins, other vendors. */
  async storeType(): Promise<string> {
    if (this.#storeType !== undefined) return this.#storeType
    try {
      const info = await this.#transport.send('GET', '/api/3.0/mlflow/server-info')
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
      const made = await this.#transport.call<{ experiment_id: string }>('POST', 'experiments/create', { name })
      return made.experiment_id
    } catch (error) {
      if (!(error instanceof MlflowError) || error.mlflowCode !== 'RESOURCE_ALREADY_EXISTS') throw error
    }
    const { experiment } = await this.#transport.call<{ experiment: WireExperiment }>(
      'GET',
      `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`,
    )
    return idIfActive(decodeExperiment(experiment))
  }

  /** @throws MlflowError when there is no live experiment of this id. */
  async requireExperiment(id: string): Promise<string> {
    return idIfActive(await this.#getExperiment(id))
  }

  async experimentIds(): Promise<string[]> {
    const found: string[] = []
    let pageToken: string | undefined
    do {
      const page = await this.#transport.call<{ experiments?: WireExperiment[]; next_page_token?: string }>(
        'POST',
        'experiments/search',
        { max_results: maxRunsPerPage, view_type: 'ACTIVE_ONLY', ...(pageToken && { page_token: pageToken }) },
      )
      for (const { experiment_id } of page.experiments ?? []) found.push(experiment_id)
      pageToken = page.next_page_token
    } while (pageToken !== undefined && pageToken !== '')
    return found
  }

  async setExperimentTag(experimentId: string, key: string, value: string): Promise<void> {
    await this.#transport.call('POST', 'experiments/set-experiment-tag', { experiment_id: experimentId, key, value })
  }

  /**
   * Makes the run that the value of its tag `key` names. A failure may leave open whether the server made it: then it is
   * looked for by that tag before it is asked for again.
   */
  async createRun(experimentId: string, run: NewRun, key: string): Promise<Run> {
    const body = { experiment_id: experimentId, run_name: run.name, start_time: run.startMs, tags: pairs(run.tags) }
    let inDoubt = false
    return this.#transport.patiently(async () => {
      if (inDoubt) {
        const page = await this.#searchPage([experimentId], `tags."${key}" = '${run.tags[key]}'`)
        if (page.runs?.[0] !== undefined) return decodeRun(page.runs[0])
      }
      inDoubt = true
      return decodeRun((await this.#transport.once<{ run: WireRun }>('POST', 'runs/create', body)).run)
    })
  }

  /** A live run by its id; undefined when there is none, or it was deleted. */
  async findRun(id: string): Promise<Run | undefined> {
    const run = await this.#getRun(id)
    return run === undefined || run.info.lifecycle_stage === 'deleted' ? undefined : decodeRun(run)
  }

  /** The experiment that a run lies in or, if it was deleted, lay in; undefined when the server knows no such run. */
  async experimentOf(runId: string): Promise<FoundExperiment | undefined> {
    const run = await this.#getRun(runId)
    if (run === undefined) return undefined
    return this.#getExperiment(run.info.experiment_id)
  }

  /** Live or deleted. */
  async #getExperiment(id: string): Promise<FoundExperiment> {
    const path = `experiments/get?experiment_id=${encodeURIComponent(id)}`
    return decodeExperiment((await this.#transport.call<{ experiment: WireExperiment }>('GET', path)).experiment)
  }

  /** Live or deleted. */
  async #getRun(id: string): Promise<WireRun | undefined> {
    try {
      return (await this.#transport.call<{ run: WireRun }>('GET', `runs/get?run_id=${encodeURIComponent(id)}`)).run
    } catch (error) {
      if (error instanceof MlflowError && error.mlflowCode === 'RESOURCE_DOES_NOT_EXIST') return undefined
      throw error
    }
  }

  async updateRun(id: string, change: { status: RunStatus; endMs?: number }): Promise<void> {
    const { status, endMs } = change
    await this.#transport.call('POST', 'runs/update', {
      run_id: id,
      status,
      ...(endMs !== undefined && { end_time: endMs }),
    })
  }

  /** One that is not there, or not any more, is no error. */
  async deleteTag(id: string, key: string): Promise<void> {
    await this.#transport.call('POST', 'runs/delete-tag', { run_id: id, key }).catch((error: unknown) => {
      if (!(error instanceof MlflowError) || error.mlflowCode !== 'RESOURCE_DOES_NOT_EXIST') throw error
    })
  }

  async deleteRun(id: string): Promise<void> {
    await this.#transport.call('POST', 'runs/delete', { run_id: id })
  }

  /** All live runs that fit `filter`, of each experiment's the oldest first; each once although pages shift while runs are made. */
  async searchRuns(experimentIds: readonly string[], filter: string): Promise<Run[]> {
    const found = new Map<string, Run>()
    for (let at = 0; at < experimentIds.length; at += maxExperimentsPerSearch) {
      const some = experimentIds.slice(at, at + maxExperimentsPerSearch)
      let pageToken: string | undefined
      do {
        const page = await this.#transport.patiently(() => this.#searchPage(some, filter, pageToken))
        for (const run of (page.runs ?? []).map(decodeRun)) found.set(run.id, run)
        pageToken = page.next_page_token
      } while (pageToken !== undefined && pageToken !== '')
    }
    return [...found.values()]
  }

  #searchPage(
    experimentIds: readonly string[],
    filter: string,
    pageToken?: string,
  ): Promise<{ runs?: WireRun[]; next_page_token?: string }> {
    return this.#transport.once('POST', 'runs/search', {
      experiment_ids: experimentIds,
      filter,
      max_results: maxRunsPerPage,
      order_by: ['attributes.start_time ASC'],
      ...(pageToken && { page_token: pageToken }),
    })
  }

  /** Logs in as few requests as the limits allow, in order: parameters, tags, points. */
  async log(id: string, what: { params?: Tags; tags?: Tags; points?: readonly Point[] }): Promise<void> {
    for (const batch of batches(what)) await this.#logBatch(id, batch)
  }

  async #logBatch(id: string, batch: Batch): Promise<void> {
    const act = (part: Partial<Batch>): Promise<void> => this.#transport.patiently(() => this.#sendBatch(id, part))
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
    if (!isEmpty) await this.#transport.once('POST', 'runs/log-batch', { run_id: id, ...others, metrics: lacking })
  }

  /** A database passes over points that it has; a store of files would append them, so it is asked first. */
  async #lackingPoints(id: string, points: readonly Point[]): Promise<readonly Point[]> {
    if (points.length === 0 || (await this.storeType()) !== 'FileStore') return points
    const held = new Set<string>()
    for (const key of new Set(points.map((point) => point.key)))
      for (const point of await this.#history(id, key)) held.add(pointKey(point))
    return points.filter((point) => !held.has(pointKey(point)))
  }

  /** Every point of a metric. */
  history(id: string, key: string): Promise<Point[]> {
    return this.#transport.patiently(() => this.#history(id, key))
  }

  async #history(id: string, key: string): Promise<Point[]> {
    const points: Point[] = []
    let pageToken: string | undefined
    do {
      const query = new URLSearchParams({ run_id: id, metric_key: key, max_results: '25000' })
      if (pageToken !== undefined) query.set('page_token', pageToken)
      const path = `metrics/get-history?${query.toString()}`
      const page = await this.#transport.once<{ metrics?: WirePoint[]; next_page_token?: string }>('GET', path)
      for (const point of page.metrics ?? []) points.push(decodePoint(point))
      pageToken = page.next_page_token
    } while (pageToken !== undefined && pageToken !== '')
    return points
  }

  /** Names the data sets that a run has read to train on; the same once more changes nothing. */
  async logInputs(id: string, datasets: readonly DatasetInput[]): Promise<void> {
    const inputs = datasets.map(({ name, digest, sourceType, source }) => ({
      dataset: { name, digest, source_type: sourceType, source },
      tags: [{ key: 'mlflow.data.context', value: 'training' }],
    }))
    const act = (): Promise<unknown> =>
      this.#transport.once('POST', 'runs/log-inputs', { run_id: id, datasets: inputs })
    await this.#transport.patiently(() =>
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
    for (let at = 0; at < ids.length; at += maxRunsPerHistory) {
      const query = new URLSearchParams({ metric_key: key, max_results: '2500' })
      for (const id of ids.slice(at, at + maxRunsPerHistory)) query.append('run_ids', id)
      const path = `metrics/get-history-bulk-interval?${query.toString()}`
      const answer = await this.#transport.call<{ metrics?: (WirePoint & { run_id: string })[] }>('GET', path)
      for (const point of answer.metrics ?? []) {
        const points = found.get(point.run_id)
        if (points === undefined) found.set(point.run_id, [decodePoint(point)])
        else if (points.length < maxPointsPerRun) points.push(decodePoint(point))
      }
    }
    for (const points of found.values()) points.sort(byStepThenTime)
    return found
  }

  async putArtifact(run: Pick<Run, 'artifactUri'>, path: string, bytes: Uint8Array): Promise<void> {
    await this.#transport.send('PUT', this.#artifactPath(run, path), bytes, 'application/octet-stream')
  }

  async getArtifact(run: Pick<Run, 'artifactUri'>, path: string): Promise<Uint8Array> {
    return this.#transport.send('GET', this.#artifactPath(run, path))
  }

  #artifactPath({ artifactUri }: Pick<Run, 'artifactUri'>, path: string): string {
    const root = /^mlflow-artifacts:(?:\/\/[^/]*)?\/(.+)$/.exec(artifactUri)?.[1]
    if (root === undefined) {
      throw new MlflowError(`artifacts of this server are not served by it: ${artifactUri}`, undefined, false)
    }
    return `/api/2.0/mlflow-artifacts/artifacts/${`${root}/${path}`.split('/').map(encodeURIComponent).join('/')}`
  }
}

function decodeExperiment({ experiment_id: id, name, lifecycle_stage }: WireExperiment): FoundExperiment {
  return { id, name, isDeleted: lifecycle_stage !== 'active' }
}

/** @throws MlflowError when it is deleted. */
export function idIfActive({ id, name, isDeleted }: FoundExperiment): string {
  if (!isDeleted) return id
  throw new MlflowError(`the MLflow experiment is deleted: ${name}`, undefined, false, undefined, undefined, {
    hint: 'restore it in MLflow, or choose another name with MLFLOW_EXPERIMENT_NAME',
  })
}

const byStepThenTime = (a: Point, b: Point): number => a.step - b.step || a.timestamp - b.timestamp
