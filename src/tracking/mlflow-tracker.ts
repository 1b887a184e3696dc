import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import PQueue from 'p-queue'
import { systemClock } from '../clock.js'
import type { TrialEvent, TrialId } from '../trial.js'
import { MlflowError, type MlflowClient, type Point, type Run, type RunStatus, type Tags } from './mlflow-client.js'
import {
  applyEvent,
  endIfLost,
  endTags,
  finalPoints,
  isKeptLive,
  keptReports,
  paramsOf,
  parentKey,
  parentTags,
  pointsOf,
  runKey,
  runName,
  seriesFile,
  seriesPath,
  splitAxes,
  startTags,
  statusOf,
  type Attempt,
} from './projection.js'
import type { SweepInfo, Tracker } from './tracker.js'

/** The story of a sweep as its parent run tells it. */
export interface SweepStory {
  /** Markdown: question, counts, verdicts. */
  readonly note: string
  readonly complete: boolean
  readonly endedAtMs: number
  readonly tags: Tags
  readonly points: readonly Point[]
  /** Artifacts by path. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

export interface MlflowTrackerOptions {
  readonly client: MlflowClient
  readonly experimentName: string
  /** Append-only lines: which run holds which attempt, and what the server has acknowledged of it. */
  readonly acknowledgedFile: string
  /** The journal so far, in order; read when the tracker opens, and again when the server has forgotten everything. */
  readonly history: () => Iterable<{ readonly event: TrialEvent; readonly offset: number }>
  /** A trial's log, if there is one. */
  readonly readLog: (trial: TrialId, attempt: number) => Promise<Uint8Array | undefined>
  readonly warn: (message: string) => void
  /** How long running trials' points are gathered before they are sent. Default 2000. */
  readonly flushMs?: number
}

interface Acknowledgement {
  readonly key: string
  readonly run: string
  readonly artifactUri: string
  /** Journal offset up to which the run holds what it should. */
  readonly offset: number
  readonly done: boolean
}

interface Pending {
  readonly attempt: Attempt
  offset: number
  run: Acknowledgement | undefined
  /** Reports the server has acknowledged. */
  readonly sent: Set<number>
}

/** Attempts that have ended and wait; beyond it a live tracker gives way and a later sync brings the rest. */
const mostWaiting = 5000

/**
 * Projects a journal onto MLflow: a parent run for the sweep, a child run per attempt. Whatever was acknowledged is not
 * sent again; whatever was not may be sent twice without harm, since points carry the journal's own times and runs are
 * found by `mlds.run_key`.
 */
export class MlflowTracker implements Tracker {
  readonly #options: MlflowTrackerOptions
  readonly #current = new Map<TrialId, Attempt>()
  readonly #pending = new Map<string, Pending>()
  readonly #inFlight = new Set<string>()
  #acknowledged = new Map<string, Acknowledgement>()
  #queue = new PQueue({ concurrency: 2 })
  #info: SweepInfo | undefined
  #trials = new Map<TrialId, SweepInfo['trials'][number]>()
  #varying: ReadonlySet<string> = new Set()
  #experimentId = ''
  #parent: Acknowledgement | undefined
  #ready: Promise<void> | undefined
  #cancelFlush: (() => void) | undefined
  #lastOffset = -1
  #closed = false
  #gaveWay = false

  constructor(options: MlflowTrackerOptions) {
    this.#options = options
  }

  /** Takes in the history and begins to connect; a server that does not answer is met again at the next flush. */
  async open(info: SweepInfo): Promise<void> {
    this.#info = info
    this.#trials = new Map(info.trials.map((trial) => [trial.id, trial]))
    this.#varying = splitAxes(info.trials).varying
    this.#acknowledged = readAcknowledged(this.#options.acknowledgedFile)
    for (const { event, offset } of this.#options.history()) this.#feed(event, offset)
    this.#schedule()
  }

  async record(event: TrialEvent, offset: number): Promise<void> {
    if (this.#gaveWay) return
    this.#feed(event, offset)
    this.#schedule()
    if (this.#pending.size > mostWaiting) {
      this.#gaveWay = true
      this.#pending.clear()
      this.#options.warn('MLflow is too slow for this sweep: mlds sync brings the rest later')
    }
  }

  /** Ends the live part: requests under way are finished, nothing more is begun. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelFlush?.()
    this.#queue.clear()
    await this.#queue.onIdle()
  }

  /**
   * Sends everything that is not acknowledged, removes duplicates, tells the story, and settles attempts that nobody
   * runs any more. @throws MlflowError when the server cannot be reached or refuses.
   */
  async complete(
    story: SweepStory,
    running: boolean,
  ): Promise<{ parentRun: string; experiment: string; sent: number }> {
    this.#cancelFlush?.()
    this.#closed = true
    await this.#connect()
    await this.#queue.onIdle()
    if (!running) {
      for (const { attempt } of this.#pending.values()) endIfLost(attempt)
    }
    const sent = this.#pending.size
    let failure: Error | undefined
    const work = [...this.#pending.keys()].map((key) => async () => {
      if (failure !== undefined) return
      await this.#push(key).catch((error: Error) => void (failure ??= error))
    })
    await this.#queue.addAll(work)
    if (failure !== undefined) throw failure
    await this.#removeDuplicates()
    await this.#tell(story, running)
    return { parentRun: this.#parent!.run, experiment: this.#experimentId, sent }
  }

  /** The parent run, if the sweep's story was told when the journal ended at `offset`, and the server still has it. */
  async alreadyHeld(sweep: string, offset: number): Promise<{ parentRun: string; experiment: string } | undefined> {
    const { client, acknowledgedFile } = this.#options
    const parent = readAcknowledged(acknowledgedFile).get(parentKey(sweep))
    if (parent?.done !== true || parent.offset !== offset) return undefined
    const run = await client.findRun(parent.run)
    return run === undefined ? undefined : { parentRun: run.id, experiment: run.experimentId }
  }

  #feed(event: TrialEvent, offset: number): void {
    this.#lastOffset = offset
    const trial = this.#trials.get(event.trial)
    if (trial === undefined) return
    const { current, lost } = applyEvent(trial, this.#current.get(trial.id), event)
    for (const attempt of lost === undefined ? [current] : [lost, current]) this.#await(attempt, offset)
    this.#current.set(trial.id, current)
  }

  #await(attempt: Attempt, offset: number): void {
    const key = runKey(this.#info!.sweep, attempt.trial.id, attempt.attempt)
    const known = this.#acknowledged.get(key)
    if (known?.done === true && offset <= known.offset) {
      // Kept without its points: a lost attempt may yet be declared dead.
      attempt.reports.length = 0
      return
    }
    const pending = this.#pending.get(key)
    if (pending !== undefined) {
      pending.offset = offset
      return
    }
    this.#pending.set(key, { attempt, offset, run: known, sent: new Set() })
  }

  #schedule(): void {
    if (this.#closed || this.#cancelFlush !== undefined) return
    this.#cancelFlush = systemClock.after(this.#options.flushMs ?? 2000, () => {
      this.#cancelFlush = undefined
      void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    try {
      await this.#connect()
    } catch (error) {
      this.#options.warn(`tracking waits: ${(error as Error).message} (nothing is lost: the journal has it all)`)
      return this.#schedule()
    }
    for (const key of this.#pending.keys()) {
      if (this.#inFlight.has(key)) continue
      void this.#queue.add(() =>
        this.#push(key).catch((error: unknown) => {
          if (!this.#closed) this.#options.warn(`tracking has trouble: ${(error as Error).message}`)
          this.#schedule()
        }),
      )
    }
  }

  #connect(): Promise<void> {
    this.#ready ??= this.#openRuns().catch((error: unknown) => {
      this.#ready = undefined
      throw error
    })
    return this.#ready
  }

  /** The experiment and the parent run; runs made before whose names were not written down are found by their keys. */
  async #openRuns(): Promise<void> {
    const { client, experimentName } = this.#options
    const info = this.#info!
    if ((await client.storeType()) === 'FileStore') this.#queue.concurrency = 1
    this.#experimentId = await client.ensureExperiment(experimentName)
    const key = parentKey(info.sweep)
    const known = this.#acknowledged.get(key)
    if (known !== undefined && (await client.findRun(known.run)) === undefined) this.#forget()
    for (const run of await this.#runsOfSweep()) {
      const name = run.tags['mlds.run_key']
      if (name === undefined || this.#acknowledged.has(name)) continue
      this.#acknowledge({ key: name, run: run.id, artifactUri: run.artifactUri, offset: -1, done: false })
    }
    for (const [name, pending] of this.#pending) pending.run = this.#acknowledged.get(name)
    this.#parent =
      this.#acknowledged.get(key) ?? (await this.#create(key, info.sweep, info.openedAtMs, parentTags(info)))
  }

  /** The server is another one at the same address, or was emptied: everything is sent anew. */
  #forget(): void {
    rmSync(this.#options.acknowledgedFile, { force: true })
    this.#acknowledged.clear()
    this.#pending.clear()
    this.#current.clear()
    for (const { event, offset } of this.#options.history()) this.#feed(event, offset)
  }

  #runsOfSweep(): Promise<Run[]> {
    return this.#options.client.searchRuns([this.#experimentId], `tags."mlds.sweep" = '${this.#info!.sweep}'`)
  }

  /** Makes a run, once: after a failure that leaves it open, looks before it tries again. */
  async #create(key: string, name: string, startMs: number, tags: Tags): Promise<Acknowledgement> {
    const { client } = this.#options
    let run: Run | undefined
    for (let tried = 0; run === undefined; tried++) {
      try {
        run = await client.createRun(this.#experimentId, { name, startMs, tags })
      } catch (error) {
        if (!(error instanceof MlflowError) || !error.passing || tried >= client.settings.retries) throw error
        // The search retries patiently by itself, and so waits for a server that is away.
        run = (await client.searchRuns([this.#experimentId], `tags."mlds.run_key" = '${key}'`))[0]
      }
    }
    return this.#acknowledge({ key, run: run.id, artifactUri: run.artifactUri, offset: -1, done: false })
  }

  /** Brings one run up to date: parameters with its creation, new points, and how it ended. */
  async #push(key: string): Promise<void> {
    const pending = this.#pending.get(key)
    if (pending === undefined || this.#inFlight.has(key)) return
    this.#inFlight.add(key)
    try {
      const { client } = this.#options
      const { attempt, offset, sent } = pending
      const { trial } = attempt
      const ended = attempt.end !== undefined
      const count = attempt.reports.length
      const fresh = pending.run === undefined
      pending.run ??= await this.#create(key, runName(attempt), attempt.startedAtMs, {
        ...startTags(this.#info!, attempt, this.#parent!.run),
        ...endTags(attempt),
      })
      const kept = ended ? keptReports(count) : [...Array(count).keys()].filter(isKeptLive)
      const unsent = kept.filter((i) => !sent.has(i))
      if (!fresh && !ended && unsent.length === 0) return
      await client.log(pending.run.run, {
        ...(sent.size === 0 && { params: paramsOf(trial, this.#varying) }),
        ...(!fresh && ended && { tags: endTags(attempt) }),
        points: [...pointsOf(attempt, unsent), ...(ended ? finalPoints(attempt) : [])],
      })
      unsent.forEach((i) => sent.add(i))
      if (ended) {
        if (count > kept.length) await client.putArtifact(pending.run, seriesPath, seriesFile(attempt))
        const log = await this.#options.readLog(trial.id, attempt.attempt)
        if (log !== undefined && log.length > 0) await client.putArtifact(pending.run, 'log.txt', log)
        await client.updateRun(pending.run.run, { status: statusOf(attempt), endMs: attempt.end!.atMs })
      }
      this.#acknowledge({ ...pending.run, offset, done: ended })
      // It may have been declared dead while this was under way: then it is pushed again.
      if (!ended || pending.offset !== offset) return
      this.#pending.delete(key)
      attempt.reports.length = 0
    } finally {
      this.#inFlight.delete(key)
    }
  }

  /** Keeps the run that is written down; a request that arrived twice may have made another. */
  async #removeDuplicates(): Promise<void> {
    for (const run of await this.#runsOfSweep()) {
      const known = this.#acknowledged.get(run.tags['mlds.run_key'] ?? '')
      if (known !== undefined && known.run !== run.id) await this.#options.client.deleteRun(run.id)
    }
  }

  async #tell(story: SweepStory, running: boolean): Promise<void> {
    const { client } = this.#options
    const parent = this.#parent!
    await client.log(parent.run, {
      params: splitAxes(this.#info!.trials).constant,
      tags: { 'mlflow.note.content': story.note.slice(0, 7900), ...story.tags },
      points: story.points,
    })
    for (const [path, bytes] of story.files) await client.putArtifact(parent, path, bytes)
    const status: RunStatus = running ? 'RUNNING' : story.complete ? 'FINISHED' : 'KILLED'
    await client.updateRun(parent.run, { status, ...(running ? {} : { endMs: story.endedAtMs }) })
    await client.setExperimentTag(
      this.#experimentId,
      'mlflow.experiment.primaryMetric.name',
      this.#info!.objective.metric,
    )
    if (!running) this.#acknowledge({ ...parent, offset: this.#lastOffset, done: true })
  }

  #acknowledge(acknowledgement: Acknowledgement): Acknowledgement {
    const { acknowledgedFile } = this.#options
    mkdirSync(dirname(acknowledgedFile), { recursive: true })
    appendFileSync(acknowledgedFile, `${JSON.stringify(acknowledgement)}\n`)
    this.#acknowledged.set(acknowledgement.key, acknowledgement)
    return acknowledgement
  }
}

/** A line torn by a crash is passed over: what it said is found on the server again. */
function readAcknowledged(file: string): Map<string, Acknowledgement> {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  const found = new Map<string, Acknowledgement>()
  for (const line of lines) {
    try {
      const acknowledgement = JSON.parse(line) as Acknowledgement
      found.set(acknowledgement.key, acknowledgement)
    } catch {
      continue
    }
  }
  return found
}
