import PQueue from 'p-queue'
import { systemClock } from '../../core/clock.js'
import type { TrialEvent } from '../../core/trial.js'
import { Attempts, endIfLost, type Attempt, type HistoryEvent } from './attempts.js'
import { Ledger, type Acknowledgement } from './ledger.js'
import type { MlflowClient } from './client.js'
import type { Run } from './wire.js'
import { primaryMetricTags, SweepProjection, type ProjectionSources } from './projection.js'
import { withPatience, type Patience } from './patience.js'
import { RunWriter } from './run-writer.js'
import { keptReports } from './selection.js'
import { SweepCourse, type SweepStory } from './story.js'
import type { SweepInfo, Tracked, Tracker } from '../tracker.js'

export interface MlflowTrackerOptions extends ProjectionSources {
  readonly client: MlflowClient
  readonly experimentName: string
  /** MLflow's id of an experiment that is there already, instead of the name. */
  readonly experimentId?: string
  /** Append-only lines: which run holds which attempt, and what the server has acknowledged of it. */
  readonly acknowledgedFile: string
  /** The journal so far, in order; read when the tracker opens, and again when it has lost count. */
  readonly history: () => Iterable<{ readonly event: HistoryEvent; readonly offset: number }>
  readonly warn: (message: string) => void
  /** Pages of the server: the table of runs, and the sweep's own. */
  readonly linksTo: (runs: TrackedRuns) => Omit<Tracked, 'sent'>
  /** Told once where the sweep is to be seen, when one that goes on has its parent run. */
  readonly onOpen?: (links: Omit<Tracked, 'sent'>) => void
  /** Told once it is closed. */
  readonly onClosed?: () => void
  /** How long `finish` may take. Default: as long as it needs. */
  readonly patience?: Patience
  /** How long running trials' points are gathered before they are sent. Default 2000. */
  readonly flushMs?: number
  /** Runs brought up to date at once. Default: what the server's store can take, 2 where it is SQLite. */
  readonly inFlight?: number
  /** Attempts that may wait; with more a live tracker gives way until the sweep is over. Default 5000. */
  readonly mostWaiting?: number
}

/** Where a sweep's runs are. */
export interface TrackedRuns {
  readonly parentRun: string
  /** MLflow's id of the experiment. */
  readonly experiment: string
}

interface Pending {
  readonly attempt: Attempt
  offset: number
  run: Acknowledgement | undefined
  /** Reports the server has acknowledged. */
  readonly sent: Set<number>
}

/**
 * Brings a sweep's projection to MLflow: a parent run for the sweep, a child run per attempt. Whatever was acknowledged
 * is not sent again; whatever was not may be sent twice without harm, since points carry the journal's own times and
 * runs are found by `mlds.run_key`.
 */
export class MlflowTracker implements Tracker {
  readonly #options: MlflowTrackerOptions
  readonly #ledger: Ledger
  readonly #writer: RunWriter
  readonly #pending = new Map<string, Pending>()
  /** Keys of runs that were brought to their end, whether while it was followed or by `finish`. */
  readonly #settled = new Set<string>()
  readonly #inFlight = new Set<string>()
  readonly #queue = new PQueue({ concurrency: 2 })
  #projection: SweepProjection | undefined
  #attempts = new Attempts([])
  #course: SweepCourse | undefined
  #experimentId = ''
  #parent: Acknowledgement | undefined
  #parentPoints = 0
  #parentIsOpen = false
  #ready: Promise<void> | undefined
  #cancelFlush: (() => void) | undefined
  #lastOffset = -1
  #closed = false
  #closing: Promise<void> | undefined
  #gaveWay = false

  constructor(options: MlflowTrackerOptions) {
    this.#options = options
    this.#ledger = new Ledger(options.acknowledgedFile, options.warn)
    this.#writer = new RunWriter(options.client, this.#ledger)
  }

  /** Takes in the history and begins to connect; a server that does not answer is met again at the next flush. */
  async open(info: SweepInfo): Promise<void> {
    this.#projection = new SweepProjection(info, this.#options)
    this.#replay()
    this.#schedule()
  }

  async record(event: TrialEvent, offset: number): Promise<void> {
    if (this.#gaveWay || offset <= this.#lastOffset) return
    this.#feed(event, offset)
    this.#schedule()
    if (this.#pending.size > (this.#options.mostWaiting ?? 5000)) {
      this.#gaveWay = true
      this.#pending.clear()
      this.#options.warn('MLflow is too slow to follow this sweep: it gets the rest when the sweep is over')
    }
  }

  async close(): Promise<void> {
    this.#closing ??= this.#takeDown()
    await this.#closing
  }

  async #takeDown(): Promise<void> {
    this.#closed = true
    // Whoever has no time to wait for the server in the end has none here.
    this.#options.patience?.giveUp.abort()
    await this.#endLive()
    this.#options.onClosed?.()
  }

  /** Requests under way are finished, nothing more is begun. */
  async #endLive(): Promise<void> {
    this.#closed = true
    this.#cancelFlush?.()
    this.#queue.clear()
    await this.#queue.onIdle()
  }

  /**
   * Sends everything that is not acknowledged, settles attempts that nobody runs any more, mends runs, tells the
   * story. @throws MlflowError when the server cannot be reached or refuses, or its time is up.
   */
  async finish(story: () => Promise<SweepStory>): Promise<Tracked> {
    const { client, patience } = this.#options
    const bring = async (): Promise<Tracked> => this.#bringAll(await story())
    return patience === undefined ? bring() : withPatience(client, patience, bring)
  }

  async #bringAll(story: SweepStory): Promise<Tracked> {
    await this.#endLive()
    await this.#connect()
    if (this.#gaveWay) this.#replay()
    for (const { attempt } of this.#pending.values()) endIfLost(attempt)
    let failure: Error | undefined
    const work = [...this.#pending.keys()].map((key) => async () => {
      if (failure === undefined) await this.#push(key).catch((error: Error) => void (failure ??= error))
    })
    await this.#queue.addAll(work)
    if (failure !== undefined) throw failure
    await this.#writer.mend(await this.#runsOfSweep(), this.#projection!)
    await this.#tell(story)
    return { ...this.#links(), sent: this.#settled.size }
  }

  #links(): Omit<Tracked, 'sent'> {
    return this.#options.linksTo({ parentRun: this.#parent!.run, experiment: this.#experimentId })
  }

  /** Where the sweep is, if an earlier `finish` told its story, the journal has not grown since, and the server still has it. */
  async alreadyHeld(info: SweepInfo): Promise<Tracked | undefined> {
    let last = -1
    for (const { offset } of this.#options.history()) last = offset
    const parent = this.#ledger.get(new SweepProjection(info, this.#options).parentKey)
    if (parent?.done !== true || parent.offset !== last || !this.#hasFiles(parent)) return undefined
    const run = await this.#options.client.findRun(parent.run)
    if (run === undefined) return undefined
    return { ...this.#options.linksTo({ parentRun: run.id, experiment: run.experimentId }), sent: 0 }
  }

  #replay(): void {
    const { info } = this.#projection!
    this.#pending.clear()
    this.#attempts = new Attempts(info.trials)
    this.#course = new SweepCourse(info.objective, info.trials, info.openedAtMs)
    for (const { event, offset } of this.#options.history()) this.#feed(event, offset)
  }

  #feed(event: HistoryEvent, offset: number): void {
    this.#lastOffset = offset
    this.#course!.apply(event)
    for (const attempt of this.#attempts.apply(event)) this.#await(attempt, offset)
  }

  #await(attempt: Attempt, offset: number): void {
    const key = this.#projection!.childKey(attempt)
    const known = this.#ledger.get(key)
    if (known?.done === true && offset <= known.offset && this.#hasFiles(known)) {
      // Kept without its points: a lost attempt may yet be declared dead.
      attempt.reports.length = 0
      this.#pending.delete(key)
      return
    }
    const pending = this.#pending.get(key)
    if (pending === undefined) this.#pending.set(key, { attempt, offset, run: known, sent: new Set() })
    else pending.offset = offset
  }

  #hasFiles({ checkpoints = false }: Acknowledgement): boolean {
    return checkpoints || this.#options.checkpoints !== true
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
      if (this.#closed) return
      this.#options.warn(`tracking waits: ${(error as Error).message} (nothing is lost: the journal has it all)`)
      return this.#schedule()
    }
    const enqueue = (push: () => Promise<void>): void =>
      void this.#queue.add(() =>
        push().catch((error: unknown) => {
          if (!this.#closed) this.#options.warn(`tracking has trouble: ${(error as Error).message}`)
          this.#schedule()
        }),
      )
    if (this.#closed) return
    enqueue(() => this.#pushParent())
    for (const key of this.#pending.keys()) if (!this.#inFlight.has(key)) enqueue(() => this.#push(key))
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
    const { client, experimentName, experimentId, inFlight } = this.#options
    const { parentKey } = this.#projection!
    this.#queue.concurrency = inFlight ?? inFlightFor(await client.storeType())
    this.#experimentId =
      experimentId === undefined
        ? await client.ensureExperiment(experimentName)
        : await client.requireExperiment(experimentId)
    const known = this.#ledger.get(parentKey)
    if (known !== undefined && (await client.findRun(known.run)) === undefined) {
      this.#ledger.clear()
      this.#replay()
    }
    for (const run of await this.#runsOfSweep()) {
      const key = run.tags['mlds.run_key']
      if (key === undefined || this.#ledger.get(key) !== undefined) continue
      this.#ledger.set({ key, run: run.id, artifactUri: run.artifactUri, offset: -1, done: false })
    }
    for (const [key, pending] of this.#pending) pending.run ??= this.#ledger.get(key)
    const projected = this.#projection!.parent(this.#course!)
    this.#parent = this.#ledger.get(parentKey)
    if (this.#parent !== undefined) return
    this.#parent = await this.#writer.create(this.#experimentId, projected)
    await client.log(this.#parent.run, { params: projected.params })
    await this.#writer.putDatasets(this.#parent, projected)
  }

  #runsOfSweep(): Promise<Run[]> {
    return this.#options.client.searchRuns(
      [this.#experimentId],
      `tags."mlds.sweep_key" = '${this.#projection!.sweepKey}'`,
    )
  }

  /** Updates the parent run while the sweep runs. */
  async #pushParent(): Promise<void> {
    const { client } = this.#options
    const parent = this.#parent!
    const { points, tags, status, files } = this.#projection!.parent(this.#course!, undefined, parent.run)
    if (!this.#parentIsOpen) {
      await client.updateRun(parent.run, { status })
      // At once: should this host be lost, the sweep can be rebuilt from here.
      await this.#writer.putFiles(parent, files)
      this.#options.onOpen?.(this.#links())
    }
    const fresh = points.slice(this.#parentPoints)
    if (!this.#parentIsOpen || fresh.length > 0) await client.log(parent.run, { tags, points: fresh })
    this.#parentIsOpen = true
    this.#parentPoints = points.length
  }

  /** Brings one run up to date: parameters with its creation, new points, and how it ended. */
  async #push(key: string): Promise<void> {
    const pending = this.#pending.get(key)
    if (pending === undefined || this.#inFlight.has(key)) return
    this.#inFlight.add(key)
    try {
      const { client, checkpoints = false } = this.#options
      const { attempt, offset, sent } = pending
      const projected = this.#projection!.child(attempt, this.#parent!.run, sent)
      const ended = projected.endMs !== undefined
      const kept = keptReports(attempt.reports.length, ended)
      const fresh = pending.run === undefined
      pending.run ??= await this.#writer.create(this.#experimentId, projected)
      if (!fresh && !ended && projected.points.length === 0) return
      const first = sent.size === 0
      await client.log(pending.run.run, {
        ...(first && { params: projected.params }),
        ...(!fresh && ended && { tags: projected.tags }),
        points: projected.points,
      })
      if (first) await this.#writer.putDatasets(pending.run, projected)
      kept.forEach((i) => sent.add(i))
      if (ended) {
        await this.#writer.putFiles(pending.run, projected.files)
        await client.updateRun(pending.run.run, { status: projected.status, endMs: projected.endMs })
      }
      this.#ledger.set({ ...pending.run, offset, done: ended, ...(ended && checkpoints && { checkpoints }) })
      // It may have been declared dead while this was under way: then it is pushed again.
      if (!ended || pending.offset !== offset) return
      this.#pending.delete(key)
      this.#settled.add(key)
      attempt.reports.length = 0
    } finally {
      this.#inFlight.delete(key)
    }
  }

  async #tell(story: SweepStory): Promise<void> {
    const { client, checkpoints = false } = this.#options
    const { objective } = this.#projection!.info
    const parent = this.#parent!
    const projected = this.#projection!.parent(this.#course!, story, parent.run)
    await client.log(parent.run, projected)
    await this.#writer.putDatasets(parent, projected)
    await this.#writer.putFiles(parent, [...projected.files, this.#projection!.manifest(story, this.#ledger.entries())])
    await client.updateRun(parent.run, { status: projected.status, endMs: projected.endMs! })
    for (const [key, value] of Object.entries(primaryMetricTags(objective)))
      await client.setExperimentTag(this.#experimentId, key, value)
    this.#ledger.set({ ...parent, offset: this.#lastOffset, done: true, ...(checkpoints && { checkpoints }) })
  }
}

/**
 * How many runs a store takes at once. SQLite does no more with eight than with two, and answers the slowest thirty times
 * later; a server does not say which database it is on.
 */
function inFlightFor(storeType: string): number {
  return storeType === 'FileStore' ? 1 : 2
}
