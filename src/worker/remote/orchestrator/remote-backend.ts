import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node'
import type { ZodType } from 'zod'
import { describeProcess, thisProcess } from '../../../system/process-identity.js'
import { NewerFormatError } from '../../../core/newer-format.js'
import type { Assignment, TrialEvent, TrialId } from '../../../core/trial.js'
import { codeVersion } from '../../../core/version.js'
import type { Backend } from '../../backend.js'
import { EventQueue } from '../../event-queue.js'
import { begunRuns, controlSweep, recallQueued } from '../wire/sweep-control.js'
import { announceSweep, noteCollected, prepareTokens, type SweepRecord } from '../wire/sweep-registry.js'
import type { Needs } from '../wire/needs.js'
import { nameRun, namesOf, runOf, voidsBefore, type RunKey } from '../wire/names.js'
import { attemptMessage, decode, eventMessage } from '../wire/protocol.js'
import { unsealed } from '../wire/run-tokens.js'
import { defaultLeaseMs, openBroker, patiently, tellLease } from '../wire/streams.js'
import { Controls } from './controls.js'
import { Fleet } from './fleet.js'
import { isOpen } from './flight.js'
import { Flights, type TrialInFlight } from './flights.js'
import { GivenUpTrials } from './given-up.js'
import { Lanes } from './lanes.js'
import { LeftRuns } from './left-runs.js'
import { SweepLease } from './lease.js'
import { Outlasted } from './outlasted.js'
import { QueueRepair } from './repair.js'
import { Results } from './results.js'
import { StreamTails } from './stream-tail.js'
import { Suggestions } from './suggestions.js'
import { SweepLink, type SweepLinkOptions } from './sweep-link.js'
import { TrialQueue, type DatasetOffer, type ShippedCode } from './trial-queue.js'
import { Unserved } from './unserved.js'

export type { DatasetOffer, ShippedCode } from './trial-queue.js'

export interface RemoteOptions extends SweepLinkOptions {
  /** Owned by the backend: closed with it. */
  readonly connection: NatsConnection
  readonly tenant: string
  /** Trials queued or running at once. */
  readonly window: number
  /** Attempts before a trial whose workers vanish is dead. */
  readonly maxAttempts: number
  /** How long a delivered trial stays with a silent worker; used when the queue is made. Default 30 s. */
  readonly leaseMs?: number
  /** What its trials need of a worker beside their experiment. Default: nothing. */
  readonly needs?: Partial<Pick<Needs, 'labels' | 'gpu' | 'memoryGb' | 'timeLimitMs'>>
  /** After how long an attempt at a trial of a stage is ended, where stages differ in that. Default: as `needs` says. */
  readonly timeLimitOf?: (stage: string) => number | undefined
  /** Kept on the server, so that any host can resume. Default: nothing is kept. */
  readonly record?: SweepRecord
  /** The data sets that a trial reads. Default: none. */
  readonly datasets?: (assignment: Assignment) => readonly DatasetOffer[]
  /** The experiment's files, for workers that take code of this key. Default: workers have them. */
  readonly code?: ShippedCode | undefined
  /** Trials wait for answers, so no more are queued than the fleet can run soon. Default false. */
  readonly interactive?: boolean
  /** Results that the server has from before are void. Default false. */
  readonly fresh?: boolean
  /** How many times the journal declares all results before void. Default 0. */
  readonly voids?: number
  /** Closing leaves queue and workers alone. Default false. */
  readonly detach?: boolean
  /** Called once all is closed, for what ends with it. */
  readonly afterClose?: () => Promise<void>
  /** What workers must be compatible with. Default: this package's. */
  readonly codeVersion?: string
}

/**
 * Queues trials on JetStream for workers on any host. A trial's result is one message that only the first writer can
 * store; this backend follows those, so that a result counts once however often the trial ran, and a result that came
 * while nobody listened is taken over when the trial is started again.
 */
export class RemoteBackend implements Backend {
  readonly retries = true
  readonly #events = new EventQueue<TrialEvent>()
  readonly #lanes: Lanes
  readonly #flights: Flights
  readonly #results: Results
  readonly #queue: TrialQueue
  readonly #controls: Controls
  readonly #tails: StreamTails
  readonly #outlasted: Outlasted
  readonly #left: LeftRuns
  readonly #live: Subscription[] = []
  suggestions?: Suggestions
  #lease: SweepLease | undefined
  #fleet: Fleet | undefined
  #unserved: Unserved | undefined
  #repair: QueueRepair | undefined
  #closing: Promise<void> | undefined
  /** Another process has the sweep now: hands off its queue. */
  #isLeaseLost = false

  private constructor(
    private readonly options: RemoteOptions,
    private readonly link: SweepLink,
  ) {
    const { maxAttempts, datasets = () => [], codeVersion: version = codeVersion } = options
    const { needs = {}, timeLimitOf, code } = options
    this.#lanes = new Lanes(link, ({ trial }) => {
      const timeLimitMs = timeLimitOf?.(trial.stage)
      return {
        codeVersion: version,
        experiment: trial.experiment,
        version: trial.version,
        ...{ labels: [], gpu: 0, memoryGb: 0, ...needs },
        ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
        ...(code === undefined ? {} : { code: { key: code.key, kind: code.kind } }),
      }
    })
    this.#left = new LeftRuns(link)
    this.#flights = new Flights(
      link,
      this.#events,
      (assignment, run) => this.#lanes.laneOf(assignment, run),
      (run) => this.#left.leave(run),
    )
    this.#results = new Results(link)
    this.#queue = new TrialQueue(link, this.#results, this.#lanes, {
      maxAttempts,
      datasets,
      code,
      codeVersion: version,
    })
    this.#outlasted = new Outlasted(link)
    this.#controls = new Controls(link, this.#flights, this.#queue)
    this.#tails = new StreamTails(link, (error) => this.#fail(error))
  }

  /** Queue few interactive trials: one suggested later can use what running trials have taught. */
  get capacity(): number {
    const { interactive = false, window } = this.options
    return interactive ? Math.min(window, Math.max(8, 2 * (this.#fleet?.slots() ?? 0))) : window
  }

  /**
   * Takes the sweep's lease, makes the streams where they are missing, and reads which results are there already.
   * @throws StoreError when another process runs the sweep.
   */
  static async open(options: RemoteOptions): Promise<RemoteBackend> {
    const { connection, tenant, leaseMs, warn } = options
    let backend: RemoteBackend | undefined
    try {
      const broker = await openBroker(connection, namesOf(tenant), { leaseMs: leaseMs ?? defaultLeaseMs })
      tellLease(broker, leaseMs, warn)
      backend = new RemoteBackend(options, new SweepLink(broker, options))
      await backend.#begin()
      return backend
    } catch (error) {
      if (backend !== undefined) await backend.#lease?.release()
      await connection.close()
      throw error
    }
  }

  async #begin(): Promise<void> {
    const { connection, clock, sweep, store, record, warn, fresh = false, voids: voidsInJournal = 0 } = this.options
    const { broker, names, token } = this.link
    // The client mends a connection for as long as it may; once it is closed, no trial's result can come any more.
    void connection.closed().then((reason) => this.#fail(reason ?? new Error('it is closed')))
    this.#lease = await SweepLease.take({
      leases: broker.leases,
      sweep,
      clock,
      onLost: (by) => this.#onLeaseLost(by),
      say: warn,
    })
    // Whoever starts or resumes a sweep wants it to run.
    const wanted = { wanted: 'run', by: describeProcess(thisProcess()), atMs: clock.now() } as const
    await patiently(() => controlSweep(broker, sweep, wanted))
    // Where nothing is kept of the sweep, nobody could check a token later.
    if (record !== undefined) this.link.tokens = await patiently(() => prepareTokens(broker, sweep))
    const { tokens } = this.link
    await patiently(() => this.#lanes.look())
    this.#fleet = await patiently(() => Fleet.watch(broker.workers, clock, () => this.#unserved?.lookSoon()))
    this.#unserved = new Unserved(this.link, this.#flights, this.#fleet, this.#lanes, this.#queue)
    await new GivenUpTrials(this.link, this.#flights, this.#queue).follow(this.#tails)
    await this.#results.follow(this.#tails, (run, text) => {
      const flight = this.#flights.find(run)
      if (flight !== undefined) void this.#collectResult(flight, text)
      else this.#adopt(run, text).catch((error: Error) => this.#fail(error))
      return flight !== undefined
    })
    const voids = await this.#results.voidEarlier({ fresh, voids: voidsInJournal })
    if (record !== undefined)
      await patiently(() => announceSweep(broker, store, { ...record, ...(voids > 0 && { voids }) }, tokens))
    // Where nothing is kept of the sweep, no host resumes it without its journal.
    if (record !== undefined) this.suggestions = new Suggestions(this.link, voids)
    if (fresh) await this.suggestions?.forgetVoid()
    this.#listen(names.attempt({ sweep: token }), attemptMessage, {
      words: (key, text) => {
        const given = tokens.given(key)
        return given.token === undefined ? text : unsealed(text, given.token)
      },
      hear: (flight, message, { trial }) => {
        this.#outlasted.hear(trial, message)
        this.#flights.take(flight, { type: 'attempt', message })
      },
      left: (key, { standing }) => {
        if (standing !== 'running') this.#left.hear(key)
      },
    })
    this.#listen(names.event({ sweep: token }), eventMessage, {
      words: (_key, text) => text,
      hear: (flight, message, key) => {
        const isShown = tokens.isShown(key, 'event')
        if (message.type === 'progress' && isShown) this.#flights.take(flight, { type: 'progress', message })
        // A worker of an earlier version, which can't read the trial, has no token to show.
        else if (message.type === 'refused')
          this.link.warnOnce(`${message.worker} leaves trials to others: ${message.error.message}`)
      },
    })
    void this.#tails.askAgainAfterCuts()
    await this.#controls.watch()
    this.#repair = new QueueRepair(
      this.link,
      this.#flights,
      this.#queue,
      this.#fleet,
      this.#lanes,
      (flight, text) => void this.#collectResult(flight, text),
    )
    this.#repair.lookLater()
  }

  /**
   * Hears what is published about runs that are waited for, as it happens; what is lost on the way is lost.
   * @param ear `words`: what is to be read of a text; `undefined` for one that nobody wrote who was given the run.
   */
  #listen<T>(
    subject: string,
    schema: ZodType<T>,
    ear: {
      words(key: RunKey, text: string): string | undefined
      hear(flight: TrialInFlight, message: T, key: RunKey): void
      /** It is about a run that nobody waits for. */
      left?(key: RunKey, message: T): void
    },
  ): void {
    const callback = (error: Error | null, message: Msg): void => {
      if (error !== null) return
      const key = runOf(message.subject)
      const text = key === undefined ? undefined : ear.words(key, message.string())
      const words = text === undefined ? undefined : decode(schema, text)
      if (key === undefined || words === undefined) return this.link.complain(`live news: ${message.subject}`)
      const flight = this.#flights.find(key)
      if (flight === undefined) ear.left?.(key, words)
      else if (isOpen(flight.state)) ear.hear(flight, words, key)
    }
    this.#live.push(this.options.connection.subscribe(subject, { callback }))
  }

  /** @throws UnavailableError when the server refuses it, and will again. */
  async start(assignment: Assignment): Promise<void> {
    try {
      await this.#start(assignment)
    } catch (error) {
      throw await this.link.explain(error as Error)
    }
  }

  async #start(assignment: Assignment): Promise<void> {
    if (assignment.copy === true) return this.#startCopy(assignment)
    const { run, sequence } = this.#results.latestRun(assignment.trial.id)
    // At once: it may be taken back while the server is asked.
    let flight = this.#flights.add(assignment, run)
    const text = sequence === undefined ? undefined : await this.#results.read(sequence)
    const { pausedAfter } = assignment
    const isTakenOver = text !== undefined && (await this.#results.counts(run, text, assignment))
    if (flight.state.phase === 'over') return
    if (isTakenOver) {
      this.#leaveFirst(run)
      return void this.#collectResult(flight, text)
    }
    if (this.#controls.cancelled !== undefined) return this.#flights.cancel(flight, this.#controls.cancelled)
    // What ended without a result is asked for anew.
    if (sequence !== undefined) {
      const next = { ...run, generation: run.generation + 1 }
      flight = this.#flights.add(assignment, next, pausedAfter === undefined ? undefined : run)
    }
    await this.#queue.put(flight)
    this.#unserved?.lookSoon()
  }

  /** The result may be that of a copy, of which the orchestrator has died: then the run before it may go on for ever. */
  #leaveFirst(run: RunKey): void {
    const first = { ...run, generation: run.generation - 1 }
    if (first.generation >= 0 && voidsBefore(first.generation) === voidsBefore(run.generation))
      this.link.order(first, { type: 'give-up' })
  }

  /** A copy is a run of its own, of the next generation: no worker that has the trial takes it, and each has its own attempts. */
  async #startCopy(assignment: Assignment): Promise<void> {
    const first = this.#flights.get(assignment.trial.id)
    // It may have ended by now.
    if (first === undefined || !isOpen(first.state)) return
    const { trial, generation: before } = first.state.run
    const generation = this.#results.nextGeneration(trial, before)
    await this.#queue.put(this.#flights.addCopy(first, assignment, { ...first.state.run, generation }))
  }

  /** A copy begins on a worker that has not got the trial, and only where nothing waits for one. */
  mayCopy(trial: TrialId): boolean {
    const flight = this.#flights.get(trial)
    if (
      flight?.state.phase !== 'running' ||
      this.#flights.hasCopy(trial) ||
      this.#queue.paused ||
      this.#controls.cancelled !== undefined
    )
      return false
    if (this.#flights.open().some(({ state }) => state.phase !== 'running')) return false
    const needs = this.#lanes.needs(flight.lane)
    return needs !== undefined && (this.#fleet?.freeSlots(needs, -Infinity, { without: trial }) ?? 0) > 0
  }

  async giveUp(trial: TrialId, attempt: number): Promise<void> {
    const flight = this.#flights.ofAttempt(trial, attempt)
    if (flight !== undefined) this.#flights.take(flight, { type: 'drop' })
  }

  /** A copy that an earlier orchestrator had begun has come to its end: that is the trial's. */
  async #adopt(run: RunKey, text: string): Promise<void> {
    const isNewer = (flight: TrialInFlight | undefined): flight is TrialInFlight =>
      flight !== undefined &&
      isOpen(flight.state) &&
      flight.state.run.generation < run.generation &&
      voidsBefore(flight.state.run.generation) === voidsBefore(run.generation)
    if (!isNewer(this.#flights.get(run.trial)) || !(await this.#results.counts(run, text))) return
    const flight = this.#flights.get(run.trial)
    if (!isNewer(flight)) return
    const left = flight.state.run
    const { sweep, trial, generation } = run
    this.#flights.take(flight, { type: 'adopt', run: { sweep, trial, generation } })
    this.#left.leave(left)
    await this.#collectAs(flight, text)
  }

  /** Tells the sweep of a stored result, once all that the trial saved is here; one that can't be used counts as none. */
  async #collectResult(flight: TrialInFlight, text: string): Promise<void> {
    if (!isOpen(flight.state)) return
    this.#flights.take(flight, { type: 'result' })
    await this.#collectAs(flight, text)
  }

  async #collectAs(flight: TrialInFlight, text: string): Promise<void> {
    try {
      const result = await this.#results.collect(flight.state.run, text)
      this.#flights.take(flight, { type: 'collected', result })
      if (result.checkpointed === true && flight.isPausing !== true) await this.#dropCheckpoints(flight.state.run.trial)
    } catch (error) {
      if (this.#closing !== undefined || flight.state.phase === 'over') return
      // It counts for whoever can read it.
      if (error instanceof NewerFormatError) return this.#flights.fail(flight, error)
      await this.#runAnew(flight, `its result can't be used: ${(error as Error).message}`).catch((failure: Error) =>
        this.#fail(failure),
      )
    }
  }

  /** What is of no use takes room, and no more: what goes wrong here is mended when the sweep ends. */
  async #dropCheckpoints(trial?: TrialId): Promise<void> {
    const { broker, names, token } = this.link
    const filter = names.checkpoint({ sweep: token, ...(trial === undefined ? {} : { trial }) })
    await broker.jsm.streams.purge(names.checkpoints, { filter }).catch(() => {})
  }

  async #runAnew(flight: TrialInFlight, reason: string): Promise<void> {
    const { trial, generation: before } = flight.state.run
    const generation = this.#results.nextGeneration(trial, before)
    this.#flights.take(flight, { type: 'unreadable', reason, generation, atMs: this.options.clock.now() })
    // It failed: that was once too often.
    if (!isOpen(flight.state)) return
    this.options.warn(`trial ${trial} runs anew: ${reason}`)
    await this.#queue.put(flight)
  }

  async stop(trial: TrialId, reason: string, { keep = false } = {}): Promise<void> {
    const flight = this.#flights.get(trial)
    if (flight !== undefined) this.#flights.stop(flight, reason, keep)
  }

  proceed(trial: TrialId): void {
    const flight = this.#flights.get(trial)
    if (flight !== undefined) this.#flights.take(flight, { type: 'proceed' })
  }

  /** Takes back what no worker has begun. */
  async recall(): Promise<TrialId[]> {
    const { broker, token, tokens } = this.link
    await recallQueued(broker, tokens, { sweep: token })
    const begun = await begunRuns(broker, tokens, { sweep: token })
    const waiting = this.#flights.open().filter(({ state }) => !begun.has(nameRun(state.run)))
    for (const flight of waiting) this.#flights.take(flight, { type: 'drop' })
    // Of two runs of a trial, the other may go on.
    return waiting.flatMap(({ state: { run } }) => (this.#flights.get(run.trial) === undefined ? run.trial : []))
  }

  /** Ends the events with an error that will not pass: the sweep ends in order, and can be resumed. */
  #fail(error: Error): void {
    if (this.#closing === undefined) void this.link.explain(error).then((explained) => this.#events.fail(explained))
  }

  /** Another process holds the sweep now: its queue is that one's. */
  #onLeaseLost(by: string): void {
    this.#isLeaseLost = true
    this.options.warn(`another process has taken sweep ${this.options.sweep} over: ${by}; this one lets go of it`)
    void this.close()
  }

  events(): AsyncIterable<TrialEvent> {
    return this.#events
  }

  close(isOver = false): Promise<void> {
    this.#closing ??= this.#takeDown(isOver)
    return this.#closing
  }

  async #takeDown(isOver: boolean): Promise<void> {
    const { connection, detach = false, warn } = this.options
    this.link.end()
    this.#repair?.close()
    this.#unserved?.close()
    this.#events.end()
    const flights = this.#flights.all()
    for (const flight of flights) this.#flights.take(flight, { type: 'drop' })
    if (this.link.malformed > 1) warn(`${this.link.malformed} malformed messages were passed over`)
    if (!this.link.connection.isClosed()) await this.#left.close()
    if (!detach && !this.#isLeaseLost) await this.#leaveQueue(flights, isOver)
    this.#controls.close()
    this.#fleet?.close()
    if (!connection.isClosed()) for (const subscription of this.#live) subscription.unsubscribe()
    await this.#tails.close()
    await this.#lease?.release()
    await connection.flush().catch(() => {})
    await connection.close()
    await this.options.afterClose?.()
  }

  /** Calls back what was under way; where nothing was, the server is told that all results were written down. */
  async #leaveQueue(flights: readonly TrialInFlight[], isOver: boolean): Promise<void> {
    const { broker, names, token, sweep } = this.link
    try {
      for (const { state } of flights) this.link.order(state.run, { type: 'give-up' })
      if (flights.length > 0)
        return void (await broker.jsm.streams.purge(names.trials, { filter: names.trial({ sweep: token }) }))
      await noteCollected(broker, sweep, { upTo: this.#results.lastSequence(), isOver })
      // A trial that waits at a rung, or was handed back, is not in flight, and goes on from what it kept.
      if (isOver) await this.#dropCheckpoints()
      await this.#lanes.close()
    } catch {
      // Without a connection nothing can be called back: workers finish what they have, and a resume takes it over.
    }
  }
}
