import PQueue from 'p-queue'
import { systemClock } from '../../core/clock.js'
import type { SweepEvent, TrialId } from '../../core/trial.js'
import { Attempts, endIfLost, endOf, type Attempt, type HistoryEvent } from './projection/attempts.js'
import { lookAtStory } from './audit/deep-look.js'
import { keepBestModel } from './best-model.js'
import { differences, missingParams, type Difference } from './audit/differences.js'
import type { ProgramRun } from './gateway/request.js'
import { runPage, type TrackedRuns } from './projection/first-look.js'
import { MlflowError } from './rest/mlflow-error.js'
import { HeldRuns } from './held-runs.js'
import { Ledger, type Acknowledgement } from './ledger.js'
import { idIfActive, type MlflowClient } from './rest/client.js'
import type { Run } from './rest/wire.js'
import {
  primaryMetricTags,
  sharedTag,
  SweepProjection,
  type NoteLinks,
  type ProjectedRun,
  type ProjectionSources,
} from './projection/projection.js'
import { withPatience, type Patience } from './rest/patience.js'
import { identify, placesOf } from './projection/identity.js'
import { RunWriter } from './run-writer.js'
import { keptReports } from './projection/selection.js'
import { SweepCourse, untold, type SweepStory } from './projection/story.js'
import type { SweepInfo, Tracked, Tracker } from '../tracker.js'

export interface MlflowTrackerOptions extends ProjectionSources {
  readonly client: MlflowClient
  readonly experimentName: string
  /** The person named the experiment: a sweep whose runs are all deleted goes there, and not where they lay. Default false. */
  readonly isExperimentChosen?: boolean
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
  /** Told as `finish` goes on: so many of the runs that it brings are brought. Default: nobody is. */
  readonly onProgress?: ((brought: number, of: number) => void) | undefined
  /** Told once it is closed. */
  readonly onClosed?: () => void
  /** How long `finish` may take. Default: as long as it needs. */
  readonly patience?: Patience
  /** Nobody runs the sweep: nothing is sent before `finish`, which tells the whole story at once. Default false. */
  readonly isOver?: boolean
  /** How long running trials' points are gathered before they are sent. Default 2000. */
  readonly flushMs?: number
  /** Runs brought up to date at once. Default: what the server's store can take, 2 where it is SQLite. */
  readonly inFlight?: number
  /** Compare every point and file with what the server has, not only what a search tells. Default false. */
  readonly deep?: boolean
  /** Attempts that may wait; with more a live tracker gives way until the sweep is over. Default 5000. */
  readonly maxWaiting?: number
}

interface Pending {
  readonly attempt: Attempt
  offset: number
  run: Acknowledgement | undefined
  /** While it is being made. */
  making?: Promise<Acknowledgement>
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
  /** Attempts that are written down as brought: to be held against what the server has, once it answers. */
  readonly #claimed = new Map<string, Pending>()
  /** Keys of runs that were brought to their end, whether while it was followed or by `finish`. */
  readonly #settled = new Set<string>()
  readonly #inFlight = new Set<string>()
  /** Keys of runs that wait for their turn: at each flush anew they would make a queue that grows for as long as the server is slow. */
  readonly #queued = new Set<string>()
  readonly #queue = new PQueue({ concurrency: 2 })
  #projection: SweepProjection | undefined
  #attempts = new Attempts([])
  #course: SweepCourse | undefined
  #experimentId = ''
  #parent: Acknowledgement | undefined
  /** As it was found, if nothing has happened since it was brought: for its end to be held against it. */
  #heldParent: Run | undefined
  #parentPoints = 0
  #parentIsOpen = false
  #ready: Promise<void> | undefined
  #cancelFlush: (() => void) | undefined
  #lastOffset = -1
  #closed = false
  /** True once nobody runs an attempt any more. */
  #isOver = false
  #compared = false
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

  async record(event: SweepEvent, offset: number): Promise<void> {
    if (this.#gaveWay || offset <= this.#lastOffset) return
    this.#feed(event, offset)
    this.#schedule()
    if (this.#pending.size > (this.#options.maxWaiting ?? 5000)) {
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
    this.#queued.clear()
    await this.#queue.onIdle()
  }

  /**
   * Sends everything that is not acknowledged, settles attempts that nobody runs any more, mends runs, then asks for the
   * story and tells it. @throws MlflowError when the server cannot be reached or refuses, or its time is up.
   */
  async finish(story: () => Promise<SweepStory>): Promise<Tracked> {
    const { client, patience } = this.#options
    const bring = (): Promise<Tracked> => this.#bringAll(story)
    if (patience === undefined) return bring()
    // Pushes of the live part may sleep through all the time that is left.
    client.hurry()
    return withPatience(client, patience, bring)
  }

  async #bringAll(story: () => Promise<SweepStory>): Promise<Tracked> {
    await this.#endLive()
    this.#isOver = true
    await this.#connect()
    if (this.#gaveWay) this.#replay()
    for (const { attempt } of this.#pending.values()) endIfLost(attempt)
    let failure: Error | undefined
    let brought = 0
    const work = [...this.#pending.keys()].map((key, _, { length }) => async () => {
      if (failure !== undefined) return
      await this.#push(key).catch((error: Error) => void (failure ??= error))
      this.#options.onProgress?.(++brought, length)
    })
    await this.#queue.addAll(work)
    if (failure !== undefined) throw failure
    for (const key of await this.#writer.mend(await this.#runsOfSweep(), this.#projection!)) this.#settled.add(key)
    // Drawing takes long where there are many trials: what can be brought without it is there by then.
    await this.#tell(await story())
    return { ...this.#links(), sent: this.#settled.size }
  }

  #links(): Omit<Tracked, 'sent'> {
    const { parentKey, view } = this.#projection!
    const others = [...this.#ledger.entries()].filter(({ key }) => key !== parentKey)
    return this.#options.linksTo({
      parentRun: this.#parent!.run,
      trialRuns: others.map(({ run }) => run),
      experiment: this.#experimentId,
      view: view.key,
    })
  }

  #noteLinks(): NoteLinks {
    const pageOf = (trial: TrialId): string | undefined => {
      const newest = this.#attempts.newest(trial)
      const known = newest && this.#ledger.get(this.#projection!.childKey(newest))
      return known && runPage(this.#experimentId, known.run)
    }
    return { run: this.#parent!.run, pageOf }
  }

  /**
   * The run of an attempt, for its program to log to; from here on it says that it is shared.
   * @throws MlflowError when the attempt has not begun as far as is known here, or is over.
   */
  async openToProgram(trial: TrialId, attempt: number): Promise<ProgramRun> {
    await this.#connect()
    const newest = this.#attempts.find(trial, attempt)
    if (newest !== undefined && (newest.attempt > attempt || newest.end !== undefined))
      throw new MlflowError(`attempt ${attempt} at trial ${trial} is over`, 403, false, 'PERMISSION_DENIED')
    const pending = newest && this.#pending.get(this.#projection!.childKey(newest))
    if (newest === undefined || pending === undefined || newest.attempt !== attempt)
      throw new MlflowError(`attempt ${attempt} at trial ${trial} is not known yet`, 503, true)
    const { run, artifactUri } = await this.#runOf(pending)
    if (newest.isShared !== true) await this.#options.client.log(run, { tags: { [sharedTag]: 'true' } })
    newest.isShared = true
    const params = new Set(Object.keys(this.#projection!.child(newest, '').params))
    return { run, experiment: this.#experimentId, artifactUri, params }
  }

  /** The attempt's run, which is made once whoever asks for it first. */
  async #runOf(pending: Pending): Promise<Acknowledgement> {
    if (pending.run !== undefined) return pending.run
    const projected = this.#projection!.child(pending.attempt, this.#parent!.run)
    pending.making ??= this.#writer.create(this.#experimentId, projected)
    try {
      return (pending.run = await pending.making)
    } finally {
      delete pending.making
    }
  }

  /** Where the sweep is, if an earlier `finish` told its story, the journal has not grown since, and the server still has all of it. */
  async alreadyHeld(info: SweepInfo, story: Pick<SweepStory, 'closed'>): Promise<Tracked | undefined> {
    this.#projection = new SweepProjection(info, this.#options)
    this.#replay()
    const told = this.#ledger.get(this.#projection.parentKey)
    if (told?.done !== true || told.offset !== this.#lastOffset || !this.#hasFiles(told)) return undefined
    this.#isOver = true
    await this.#connect()
    const isHeld = this.#pending.size === 0 && this.#parentDifferences({ ...untold, ...story })?.length === 0
    return isHeld ? { ...this.#links(), sent: 0 } : undefined
  }

  /** Undefined where there was no parent run, or one whose sweep has gone on since. */
  #parentDifferences(story: SweepStory): Difference[] | undefined {
    const held = this.#heldParent
    if (held === undefined) return undefined
    // Earlier versions counted otherwise what its points tell.
    const wanted = { ...this.#projection!.parent(this.#course!, story, { run: held.id }), points: [] }
    return [...differences(held, wanted), ...Object.keys(missingParams(held, wanted)).map((what) => ({ what }))]
  }

  async #isParentOtherwise(story: SweepStory): Promise<boolean> {
    const { client, deep = false } = this.#options
    if ((this.#parentDifferences(story)?.length ?? 0) > 0) return true
    return deep && this.#heldParent !== undefined && (await lookAtStory(client, this.#heldParent)).length > 0
  }

  /** A server that refuses it shows the sweep all the same. */
  async #keepView(): Promise<void> {
    const { client } = this.#options
    await client.setExperimentTag(this.#experimentId, ...this.#projection!.view.tag).catch((error: unknown) => {
      if (!(error instanceof MlflowError) || error.passing) throw error
    })
  }

  /** A server that refuses it has the checkpoints among the run's files all the same. */
  async #keepBestModel(): Promise<void> {
    const { client, readArtifact, warn } = this.#options
    if (readArtifact === undefined) return
    const trial = this.#course!.best?.trial
    const attempt = trial === undefined ? undefined : this.#attempts.newest(trial)
    const run = attempt && this.#ledger.get(this.#projection!.childKey(attempt))?.run
    const best = attempt && run !== undefined ? { attempt, run } : undefined
    await keepBestModel(client, this.#experimentId, this.#projection!, best, readArtifact).catch((error: unknown) => {
      if (!(error instanceof MlflowError) || error.passing) throw error
      warn(`MLflow does not list the best trial's checkpoints as a model: ${error.message}`)
    })
  }

  #replay(): void {
    const { info } = this.#projection!
    this.#pending.clear()
    this.#claimed.clear()
    this.#attempts = new Attempts(info.trials)
    this.#course = new SweepCourse(info.objective, info.trials, info.openedAtMs)
    for (const { event, offset } of this.#options.history()) this.#feed(event, offset)
  }

  #feed(event: HistoryEvent, offset: number): void {
    this.#lastOffset = offset
    if (event.type === 'trials-added') this.#projection!.add(event.trials)
    this.#course!.apply(event)
    for (const attempt of this.#attempts.apply(event)) this.#await(attempt, offset)
  }

  #await(attempt: Attempt, offset: number): void {
    const key = this.#projection!.childKey(attempt)
    const known = this.#ledger.get(key)
    const isHeld = known?.done === true && offset <= known.offset && this.#hasFiles(known)
    const [waiting, other] = isHeld ? [this.#claimed, this.#pending] : [this.#pending, this.#claimed]
    other.delete(key)
    if (isHeld && this.#compared) {
      dropReports(attempt)
      return
    }
    const before = waiting.get(key)
    if (before === undefined) waiting.set(key, { attempt, offset, run: known, sent: new Set() })
    else before.offset = offset
  }

  #hasFiles({ checkpoints = false }: Acknowledgement): boolean {
    return checkpoints || this.#options.checkpoints !== true
  }

  #schedule(): void {
    if (this.#closed || this.#options.isOver === true || this.#cancelFlush !== undefined) return
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
    for (const key of this.#pending.keys()) {
      if (this.#inFlight.has(key) || this.#queued.has(key)) continue
      this.#queued.add(key)
      enqueue(() => {
        this.#queued.delete(key)
        return this.#push(key)
      })
    }
  }

  #connect(): Promise<void> {
    this.#ready ??= this.#openRuns().catch((error: unknown) => {
      this.#ready = undefined
      throw error
    })
    return this.#ready
  }

  /** The experiment and the parent run; what the server holds is compared with the journal, and what differs brought again. */
  async #openRuns(): Promise<void> {
    const { client, inFlight, deep = false } = this.#options
    const { parentKey } = this.#projection!
    this.#queue.concurrency = inFlight ?? inFlightFor(await client.storeType())
    const known = this.#ledger.get(parentKey)
    const places = placesOf(await this.#searchSweep())
    this.#experimentId = await this.#chooseHome(places, known?.run)
    const held = new HeldRuns(places.get(this.#experimentId) ?? [], this.#ledger, this.#experimentId)
    const before = held.get(parentKey)
    for (const [key, { attempt }] of [...this.#claimed, ...this.#pending])
      if (sharedTag in (held.get(key)?.tags ?? {})) attempt.isShared = true
    await held.weed(client, this.#wantedRuns(before?.id), { deep, inFlight: this.#queue.concurrency })
    this.#parent = this.#ledger.get(parentKey)
    if (this.#parent === undefined) await this.#createParent()
    else if (known?.done !== true || known.offset === this.#lastOffset) this.#heldParent = before
    for (const [key, waiting] of [...this.#claimed, ...this.#pending]) this.#settleIfHeld(key, waiting, held)
    this.#compared = true
  }

  /** What the server should hold by now; of the parent neither files nor points, since those are brought in any case. */
  #wantedRuns(parentRun = ''): ProjectedRun[] {
    const attempts = [...this.#claimed.values(), ...this.#pending.values()]
    return [
      { ...this.#projection!.parent(this.#course!, untold, { run: parentRun }), files: [], points: [] },
      ...attempts.flatMap((waiting) => this.#wanted(waiting, parentRun) ?? []),
    ]
  }

  #findExperiment(): Promise<string> {
    const { client, experimentName, experimentId } = this.#options
    return experimentId === undefined ? client.ensureExperiment(experimentName) : client.requireExperiment(experimentId)
  }

  async #createParent(): Promise<void> {
    const projected = this.#projection!.parent(this.#course!)
    this.#parent = await this.#writer.create(this.#experimentId, projected)
    await this.#options.client.log(this.#parent.run, { params: projected.params })
    await this.#writer.putDatasets(this.#parent, projected)
  }

  /** The run of an attempt that nobody runs; undefined while somebody may. */
  #wanted({ attempt }: Pending, parentRun: string): ProjectedRun | undefined {
    const isOver = this.#isOver || attempt.end !== undefined || this.#claimed.has(this.#projection!.childKey(attempt))
    return isOver ? this.#projection!.child({ ...attempt, end: endOf(attempt) }, parentRun) : undefined
  }

  /** Settles an attempt that the server has as the journal tells it; any other is brought, whatever is written down. */
  #settleIfHeld(key: string, waiting: Pending, held: HeldRuns): void {
    const { attempt, offset } = waiting
    const wanted = this.#wanted(waiting, this.#parent!.run)
    const known = this.#ledger.get(key)
    this.#claimed.delete(key)
    if (known === undefined || wanted === undefined || !held.agrees(wanted) || !this.#hasFiles(known)) {
      this.#pending.set(key, { ...waiting, run: known })
      return
    }
    if (!known.done || known.offset < offset) this.#ledger.set({ ...known, offset, done: true })
    this.#pending.delete(key)
    dropReports(attempt)
  }

  /** Where the sweep is by what is written down, else where it is found, else where it lay or is to be. */
  async #chooseHome(places: ReadonlyMap<string, readonly Run[]>, parent: string | undefined): Promise<string> {
    for (const [place, runs] of places) if (runs.some(({ id }) => id === parent)) return place
    const [home, ...others] = places.keys()
    if (home !== undefined) return others.length > 0 ? this.#findExperiment() : home
    const { client, experimentId, isExperimentChosen = false } = this.#options
    if (parent === undefined || experimentId !== undefined || isExperimentChosen) return this.#findExperiment()
    // In a deleted experiment all its runs lie: brought elsewhere they would be there twice once it is restored.
    const former = await client.experimentOf(parent)
    return former === undefined ? this.#findExperiment() : idIfActive(former)
  }

  async #runsOfSweep(): Promise<Run[]> {
    return placesOf(await this.#searchSweep()).get(this.#experimentId) ?? []
  }

  /** All runs of the sweep, in whatever experiment they lie; where some are not found, those too that lack the tag by which they are. */
  async #searchSweep(): Promise<Run[]> {
    const { client } = this.#options
    const { sweepKey, parentKey } = this.#projection!
    const experiments = await client.experimentIds()
    const found = await client.searchRuns(experiments, `tags."mlds.sweep_key" = '${sweepKey}'`)
    const keys = new Set(found.map((run) => identify(run).key))
    if ([parentKey, ...this.#claimed.keys(), ...this.#pending.keys()].every((key) => keys.has(key))) return found
    const untagged = await client.searchRuns(experiments, `tags."mlds.run_key" LIKE '${sweepKey}:%'`)
    const ids = new Set(found.map(({ id }) => id))
    return [...found, ...untagged.filter((run) => identify(run).sweepKey === sweepKey && !ids.has(run.id))]
  }

  /** Updates the parent run while the sweep runs. */
  async #pushParent(): Promise<void> {
    const { client } = this.#options
    const parent = this.#parent!
    // Looking at all trials to say nothing new would take time that grows with them.
    if (this.#parentIsOpen && this.#course!.points.length === this.#parentPoints) return
    const { points, tags, status, files } = this.#projection!.parent(this.#course!, undefined, this.#noteLinks())
    if (!this.#parentIsOpen) {
      await client.updateRun(parent.run, { status })
      // At once: should this host be lost, the sweep can be rebuilt from here.
      await this.#writer.putFiles(parent, files)
      await this.#keepView()
    }
    const fresh = points.slice(this.#parentPoints)
    if (!this.#parentIsOpen || fresh.length > 0) await client.log(parent.run, { tags, points: fresh })
    // Last, and once: what failed before it is tried again at the next flush.
    if (!this.#parentIsOpen) this.#options.onOpen?.(this.#links())
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
      const fresh = pending.run === undefined && pending.making === undefined
      const run = await this.#runOf(pending)
      if (!fresh && !ended && projected.points.length === 0) return
      const first = sent.size === 0
      await client.log(run.run, {
        ...(first && { params: projected.params }),
        ...(!fresh && ended && { tags: projected.tags }),
        points: projected.points,
      })
      if (first) await this.#writer.putDatasets(run, projected)
      kept.forEach((i) => sent.add(i))
      if (ended) {
        await this.#writer.putFiles(run, projected.files)
        await client.updateRun(run.run, { status: projected.status, endMs: projected.endMs })
      }
      this.#ledger.set({ ...run, offset, done: ended, ...(ended && checkpoints && { checkpoints }) })
      // It may have been declared dead while this was under way: then it is pushed again.
      if (!ended || pending.offset !== offset) return
      this.#pending.delete(key)
      this.#settled.add(key)
      dropReports(attempt)
    } finally {
      this.#inFlight.delete(key)
    }
  }

  async #tell(story: SweepStory): Promise<void> {
    const { client, checkpoints = false } = this.#options
    const { objective } = this.#projection!.info
    const parent = this.#parent!
    const projected = this.#projection!.parent(this.#course!, story, this.#noteLinks())
    const wasOtherwise = await this.#isParentOtherwise(story)
    await client.log(parent.run, projected)
    await this.#writer.putDatasets(parent, projected)
    const manifest = await this.#projection!.manifest(story, this.#ledger.entries(), projected.files, this.#course!)
    await this.#writer.putFiles(parent, [...projected.files, manifest])
    await client.updateRun(parent.run, { status: projected.status, endMs: projected.endMs! })
    for (const [key, value] of Object.entries(primaryMetricTags(objective)))
      await client.setExperimentTag(this.#experimentId, key, value)
    await this.#keepView()
    if (checkpoints) await this.#keepBestModel()
    if (wasOtherwise) this.#settled.add(parent.key)
    this.#ledger.set({ ...parent, offset: this.#lastOffset, done: true, ...(checkpoints && { checkpoints }) })
  }
}

/** Once it is brought an attempt is kept without its points: a lost one may yet be declared dead. */
function dropReports(attempt: Attempt): void {
  attempt.reports.length = 0
  attempt.isBrought = true
}

/**
 * How many runs a store takes at once. SQLite does no more with eight than with two, and answers the slowest thirty times
 * later; a server does not say which database it is on.
 */
function inFlightFor(storeType: string): number {
  return storeType === 'FileStore' ? 1 : 2
}
