import { randomUUID } from 'node:crypto'
import { DeliverPolicy, JetStreamApiError, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream'
import type { KvWatchEntry } from '@nats-io/kv'
import type { Msg, NatsConnection, QueuedIterator, Subscription } from '@nats-io/transport-node'
import type { ZodType } from 'zod'
import type { Clock } from '../../../core/clock.js'
import { UnavailableError } from '../../../core/errors.js'
import { NewerFormatError } from '../../../core/newer-format.js'
import type { ArtifactRef, Assignment, TrialEvent, TrialId } from '../../../core/trial.js'
import { codeVersion } from '../../../core/version.js'
import { describeProcess, thisProcess } from '../../../system/process-identity.js'
import { retry } from '../../../system/retry.js'
import type { Store } from '../../../system/store.js'
import type { Backend } from '../../backend.js'
import { EventQueue } from '../../event-queue.js'
import { Fleet } from './fleet.js'
import { SweepLease } from './lease.js'
import {
  attemptMessage,
  controlMessage,
  deadLetter,
  decode,
  decodeKept,
  encode,
  eventMessage,
  protocolVersion,
  type ControlMessage,
  type AttemptMessage,
  type DatasetMessage,
  type EventMessage,
  type OrderMessage,
  type ProgressMessage,
  type ResultMessage,
} from '../wire/protocol.js'
import {
  firstGenerationAfter,
  namesOf,
  runOf,
  sweepToken,
  voidsBefore,
  nameRun,
  type Names,
  type RunKey,
} from '../wire/names.js'
import { QueueWatch } from './queue-health.js'
import { announceSweep, noteCollected, readSweep, type SweepRecord } from '../admin/sweep-registry.js'
import { controlSweep, recallQueued } from '../admin/sweep-control.js'
import { openResult } from '../admin/stored-results.js'
import {
  consumerConfig,
  maxInlineBytes,
  openBroker,
  runsOf,
  subjectsOf,
  type OrchestratorBroker,
} from '../wire/streams.js'
import { isDenied, isQueuedAlready, isTaken, isPassing } from '../wire/nats-errors.js'
import { fetchObject, sendObject } from '../wire/objects.js'

export interface RemoteOptions {
  /** Owned by the backend: closed with it. */
  readonly connection: NatsConnection
  readonly tenant: string
  readonly sweep: string
  /** Where artifacts come to and parents' artifacts are read from. */
  readonly store: Store
  readonly clock: Clock
  /** Trials queued or running at once. */
  readonly window: number
  /** Attempts before a trial whose workers vanish is dead. */
  readonly maxAttempts: number
  /** How long a delivered trial stays with a silent worker; used when the queue is made. */
  readonly leaseMs: number
  readonly warn: (message: string) => void
  /** Kept on the server, so that any host can resume. Default: nothing is kept. */
  readonly record?: SweepRecord
  /** The data sets that a trial reads. Default: none. */
  readonly datasets?: (assignment: Assignment) => readonly DatasetOffer[]
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

/** A data set that workers may have, and its bytes for those who have not. */
export interface DatasetOffer {
  readonly message: DatasetMessage
  readonly read?: () => Promise<Uint8Array>
}

interface Flight extends RunKey {
  readonly assignment: Assignment
  generation: number
  /** The number that the run's first attempt has for the sweep, less one. */
  base: number
  /** The attempt that is told of now; 0 before the first. */
  attempt: number
  /** Its end without an outcome was told. */
  lost: boolean
  /** Reports of this attempt passed on. */
  told: number
  /** Reports that were answered, for interactive trials. */
  answered: number
  settling: boolean
  /** Results of this trial that could not be used. */
  spoilt: number
  /** Why workers left it to others, by worker. */
  readonly refusals: Map<string, { name: string; message: string }>
  cancelResend: () => void
}

/** A stop is repeated until it is honoured: the message may be lost, or the trial may be with nobody yet. */
const repeatStopMs = 2_000
/**
 * How long one request for further results is open. After a cut the client waits as long before it asks anew: with its
 * own 30 s, a sweep stands still for a minute when a server restarts.
 */
const tailMs = 4_000
/** Times that a trial runs anew because its result can't be read. */
const maxSpoilt = 2

/**
 * Queues trials on JetStream for workers on any host. A trial's result is one message that only the first writer can
 * store; this backend follows those, so that a result counts once however often the trial ran, and a result that came
 * while nobody listened is taken over when the trial is started again.
 */
export class RemoteBackend implements Backend {
  readonly retries = true
  readonly #events = new EventQueue<TrialEvent>()
  readonly #flights = new Map<TrialId, Flight>()
  /** Every result of this sweep by trial: its latest generation and where it lies. */
  readonly #results = new Map<TrialId, { generation: number; sequence: number }>()
  /** Results of earlier generations are void, also those that are still to come. */
  #firstGeneration = 0
  /** Objects known to be on the server. */
  readonly #sent = new Map<string, Promise<unknown>>()
  /** Queued runs that the server will deliver no more. */
  readonly #exhausted = new Map<string, number>()
  readonly #watch = new QueueWatch()
  readonly #said = new Set<string>()
  readonly #names: Names
  readonly #token: string
  #broker!: OrchestratorBroker
  #lease: SweepLease | undefined
  #fleet: Fleet | undefined
  #live: Subscription[] = []
  readonly #tails = new Set<ConsumerMessages>()
  #controls: QueuedIterator<KvWatchEntry> | undefined
  #cancelWatch = (): void => {}
  #closing: Promise<void> | undefined
  /** Aborts once it is being closed. */
  readonly #ending = new AbortController()
  #paused = false
  /** Why nothing runs any more. */
  #cancelled: string | undefined
  /** Another process has the sweep now: hands off its queue. */
  #ousted = false
  #malformed = 0

  private constructor(private readonly options: RemoteOptions) {
    this.#names = namesOf(options.tenant)
    this.#token = sweepToken(options.sweep)
  }

  /** An interactive trial that waits in a queue is one that nothing was learnt for. */
  get capacity(): number {
    const { interactive = false, window } = this.options
    return interactive ? Math.min(window, Math.max(8, 2 * (this.#fleet?.slots() ?? 0))) : window
  }

  /**
   * Takes the sweep's lease, makes the streams where they are missing, and reads which results are there already.
   * @throws StoreError when another process runs the sweep.
   */
  static async open(options: RemoteOptions): Promise<RemoteBackend> {
    const backend = new RemoteBackend(options)
    try {
      await backend.#begin()
      return backend
    } catch (error) {
      await backend.#lease?.release()
      await options.connection.close()
      throw error
    }
  }

  async #begin(): Promise<void> {
    const { connection, leaseMs, clock, sweep, store, record, warn } = this.options
    const broker = (this.#broker = await openBroker(connection, this.#names, { leaseMs }))
    // The client mends a connection for as long as it may; once it is closed, no trial's result can come any more.
    void connection.closed().then((reason) => this.#fail(reason ?? new Error('it is closed')))
    this.#lease = await SweepLease.take({
      leases: broker.leases,
      sweep,
      clock,
      onLost: (by) => this.#oust(by),
      say: warn,
    })
    // Whoever starts or resumes a sweep wants it to run.
    await controlSweep(broker, sweep, { wanted: 'run', by: describeProcess(thisProcess()), atMs: clock.now() })
    this.#fleet = await Fleet.watch(broker.workers, clock)
    const letters: Promise<void>[] = []
    await this.#tail(this.#names.deadLetters, this.#names.givenUp, (message) => void letters.push(this.#bury(message)))
    await Promise.all(letters)
    await this.#tail(this.#names.results, this.#names.result({ sweep: this.#token }), (message) =>
      this.#follow(message),
    )
    const voids = await this.#countVoids()
    this.#firstGeneration = firstGenerationAfter(voids)
    if (record !== undefined) await announceSweep(broker, store, { ...record, ...(voids > 0 && { voids }) })
    this.#listen(this.#names.attempt({ sweep: this.#token }), attemptMessage, (flight, message) =>
      this.#hearAttempt(flight, message),
    )
    this.#listen(this.#names.event({ sweep: this.#token }), eventMessage, (flight, message) => {
      if (message.type === 'progress') this.#tell(flight, message)
      else this.#refuse(flight, message).catch((error: Error) => this.#warnOnce(error.message))
    })
    void this.#followAnew()
    this.#controls = await broker.controls.watch({ key: this.#token })
    void this.#obey(this.#controls)
    this.#watchLater()
  }

  /** As the journal and the server know it, the other may have been lost; one more when this sweep begins afresh. */
  async #countVoids(): Promise<number> {
    const { fresh = false, voids = 0, sweep } = this.options
    const generations = [...this.#results.values()].map(({ generation }) => generation)
    const announced = (await readSweep(this.#broker, sweep))?.voids ?? 0
    const known = Math.max(announced, voidsBefore(generations.reduce((a, b) => Math.max(a, b), 0)))
    return Math.max(voids, fresh && (generations.length > 0 || known > 0) ? known + 1 : known)
  }

  /** Of the results that came; 0 before the first. */
  #lastSequence(): number {
    return [...this.#results.values()].reduce((last, { sequence }) => Math.max(last, sequence), 0)
  }

  /** Hears what is published about runs that are waited for, as it happens; what is lost on the way is lost. */
  #listen<T>(subject: string, schema: ZodType<T>, hear: (flight: Flight, message: T) => void): void {
    const callback = (error: Error | null, message: Msg): void => {
      if (error !== null) return
      const run = runOf(message.subject)
      const words = decode(schema, message.string())
      if (run === undefined || words === undefined) return this.#complain(`live news: ${message.subject}`)
      const flight = this.#flights.get(run.trial)
      if (flight?.generation === run.generation && !flight.settling) hear(flight, words)
    }
    this.#live.push(this.options.connection.subscribe(subject, { callback }))
  }

  /** Follows a stream from its beginning, through cuts of the connection; resolves when what was there has been read. */
  async #tail(stream: string, filter: string, take: (message: JsMsg) => void): Promise<void> {
    let last = 0
    const open = async (): Promise<{ messages: ConsumerMessages; known: number }> => {
      const consumer = await this.#broker.js.consumers.get(stream, {
        filter_subjects: filter,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: last + 1,
      })
      const { num_pending: known } = await consumer.info()
      // A server that restarted has forgotten this consumer: silence for two beats, and it is made anew where it left off.
      const messages = await consumer.consume({ expires: tailMs, idle_heartbeat: tailMs / 2 })
      this.#tails.add(messages)
      return { messages, known }
    }
    let { messages, known } = await open()
    await new Promise<void>((resolve) => {
      if (known === 0) resolve()
      const follow = async (): Promise<void> => {
        while (this.#closing === undefined) {
          for await (const message of messages) {
            last = message.seq
            take(message)
            if (--known === 0) resolve()
          }
          this.#tails.delete(messages)
          if (this.#closing === undefined) ({ messages } = await this.#persist(open))
        }
      }
      follow().catch((error: Error) => this.#fail(error))
    })
  }

  /** What the server sent into a dead connection is asked for again: the client would notice only at the next message. */
  async #followAnew(): Promise<void> {
    for await (const { type } of this.options.connection.status())
      if (type === 'reconnect') for (const tail of this.#tails) tail.stop()
  }

  #follow(message: JsMsg): void {
    const run = runOf(message.subject)
    if (run === undefined) return this.#complain(`a result: ${message.subject}`)
    const latest = this.#results.get(run.trial)
    if (latest === undefined || latest.generation <= run.generation)
      this.#results.set(run.trial, { generation: run.generation, sequence: message.seq })
    const flight = this.#flights.get(run.trial)
    if (flight?.generation === run.generation) void this.#settle(flight, message.string())
  }

  /** @throws UnavailableError when the server refuses it, and will again. */
  async start(assignment: Assignment): Promise<void> {
    try {
      await this.#start(assignment)
    } catch (error) {
      throw await this.#explain(error as Error)
    }
  }

  async #start(assignment: Assignment): Promise<void> {
    const { id } = assignment.trial
    const stored = this.#results.get(id)
    const isVoid = stored === undefined || stored.generation < this.#firstGeneration
    const text = isVoid ? undefined : await this.#readResult(stored.sequence)
    const flight: Flight = {
      sweep: this.#token,
      trial: id,
      generation: isVoid ? this.#firstGeneration : stored.generation,
      assignment,
      base: assignment.attempt - 1,
      attempt: 0,
      lost: false,
      told: 0,
      answered: 0,
      settling: false,
      spoilt: 0,
      refusals: new Map(),
      cancelResend: () => {},
    }
    this.#flights.set(id, flight)
    if (text !== undefined && (await this.#holdsMetrics(text))) return void this.#settle(flight, text)
    if (this.#cancelled !== undefined) return this.#cancel(flight, this.#cancelled)
    // What ended without a result is asked for anew.
    if (!isVoid) flight.generation++
    if (!this.#paused) await this.#enqueue(flight)
  }

  async #readResult(sequence: number): Promise<string | undefined> {
    const { jsm } = this.#broker
    const message = await this.#persist(() => jsm.streams.getMessage(this.#names.results, { seq: sequence }))
    return message?.string()
  }

  /** A result that can't be read, and not for a moment only, holds none. */
  async #holdsMetrics(text: string): Promise<boolean> {
    try {
      const result = await this.#persist(() => openResult(this.#broker, this.options.store, text))
      return result !== undefined && 'metrics' in result.outcome
    } catch (error) {
      if (error instanceof NewerFormatError) throw error
      return false
    }
  }

  async #enqueue(flight: Flight): Promise<void> {
    const { publisher, jsm } = this.#broker
    const subject = this.#names.trial(flight)
    const { sweep, trial, generation } = flight
    const message = await this.#persist(() => this.#compose(flight))
    const isWanted = (): boolean =>
      this.#flights.get(trial) === flight && flight.generation === generation && !this.#paused
    // Taken back, or paused, while its data were on their way.
    if (!isWanted()) return
    await this.#persist(async () => {
      try {
        await publisher.publish(subject, message)
      } catch (error) {
        if (!isQueuedAlready(error)) throw error
        if (!this.#exhausted.delete(subject)) return
        // It is there and will never be delivered: a new copy has all its deliveries before it.
        await jsm.streams.purge(this.#names.trials, { filter: subject })
        await publisher.publish(subject, message)
      }
    })
    // Or while it was published itself: whoever looked at the queue did not see it there.
    const hasResult = (this.#results.get(trial)?.generation ?? -1) >= generation
    if (!isWanted() && !hasResult && this.#closing === undefined)
      await recallQueued(this.#broker, { sweep, trial, generation })
  }

  /** The message of a trial, once everything that it needs is on the server. */
  async #compose({ assignment, base }: Flight): Promise<string> {
    const { store, maxAttempts, datasets: offersOf } = this.options
    const offers = offersOf?.(assignment) ?? []
    for (const ref of assignment.parents.flatMap((parent) => Object.values(parent.artifacts))) await this.#provide(ref)
    for (const { message, read } of offers)
      if (message.object !== undefined && read !== undefined) await this.#provide(message.object, read)
    const facts = {
      v: protocolVersion,
      codeVersion: this.options.codeVersion ?? codeVersion,
      maxAttempts,
      datasets: offers.map(({ message }) => message),
    }
    // What it reads is what the message's data sets are called.
    const { reads: _, ...told } = { ...assignment, attempt: base + 1 }
    const text = encode({ ...facts, assignment: told })
    if (Buffer.byteLength(text) <= maxInlineBytes) return text
    const object = await store.putObject(Buffer.from(encode({ assignment: told })))
    await this.#provide(object)
    return encode({ ...facts, object })
  }

  /** Brings an object to the server once. */
  #provide(ref: ArtifactRef, read?: () => Promise<Uint8Array>): Promise<unknown> {
    const sent =
      this.#sent.get(ref.sha256) ??
      sendObject(this.#broker.objects, read === undefined ? this.options.store : { readObject: read }, ref)
    this.#sent.set(ref.sha256, sent)
    return sent.catch((error: unknown) => {
      this.#sent.delete(ref.sha256)
      throw error
    })
  }

  /** Repeats through troubles of the connection: a message may be stored and its answer lost, which is harmless here. */
  #persist<T>(act: () => Promise<T>): Promise<T> {
    const { clock, connection } = this.options
    return retry(act, {
      clock,
      signal: this.#ending.signal,
      mayPass: (error) => isPassing(error) && !connection.isClosed(),
      pauseMs: () => 500,
    })
  }

  #hearAttempt(flight: Flight, { standing, reason = standing, atMs, ...facts }: AttemptMessage): void {
    if (standing === 'running') return this.#tell(flight, { ...facts, from: 0, reports: [] })
    if (standing === 'given up' || facts.attempt !== flight.attempt || flight.lost) return
    flight.lost = true
    this.#events.push({ ...factsOf(flight), type: 'lost', atMs, reason })
  }

  #tell(flight: Flight, event: Omit<ProgressMessage, 'v' | 'type'>): void {
    if (event.attempt < flight.attempt || (event.attempt === flight.attempt && flight.lost)) return
    if (event.attempt > flight.attempt) {
      if (flight.attempt > 0 && !flight.lost)
        this.#events.push({
          ...factsOf(flight),
          type: 'lost',
          atMs: event.startedAtMs,
          reason: 'its worker vanished',
        })
      Object.assign(flight, { attempt: event.attempt, lost: false, told: 0, answered: 0 })
      this.#events.push({ ...factsOf(flight), type: 'started', atMs: event.startedAtMs, worker: event.worker })
    }
    // After a gap nothing is told until the result brings the whole course.
    if (event.from > flight.told) return
    const fresh = event.reports.slice(flight.told - event.from)
    for (const report of fresh) this.#events.push({ ...factsOf(flight), type: 'report', ...report })
    flight.told += fresh.length
    // A report that comes again was answered already, and the answer was lost.
    if (fresh.length === 0 && event.reports.length > 0 && flight.answered >= event.from + event.reports.length)
      this.#order(flight, { type: 'proceed', until: flight.answered })
  }

  async #settle(flight: Flight, text: string): Promise<void> {
    if (flight.settling) return
    flight.settling = true
    try {
      const result = await this.#persist(() => this.#collect(text))
      if (this.#flights.get(flight.trial) !== flight) return
      // Reports of another attempt are the same: what was told of one is not told again.
      if (result.outcome.state === 'dead') flight.attempt = Math.max(flight.attempt, result.attempt)
      else if (result.attempt > 0) {
        const attempt = Math.max(result.attempt, flight.lost ? flight.attempt + 1 : flight.attempt)
        this.#tell(flight, { ...result, attempt, from: 0 })
      }
      this.#drop(flight)
      const { atMs, outcome, log } = result
      this.#events.push({ ...factsOf(flight), type: 'ended', atMs, outcome, ...(log === undefined ? {} : { log }) })
    } catch (error) {
      if (this.#closing !== undefined || this.#flights.get(flight.trial) !== flight) return
      // It counts for whoever can read it.
      if (error instanceof NewerFormatError) return this.#failTrial(flight, error)
      const reason = `its result can't be used: ${(error as Error).message}`
      await this.#runAnew(flight, reason).catch((failure: Error) => this.#fail(failure))
    }
  }

  /** The result and all that it saved. @throws Error when it is none, or something is missing. */
  async #collect(text: string): Promise<ResultMessage> {
    const { store } = this.options
    const result = await openResult(this.#broker, store, text)
    if (result === undefined) throw new Error('it is malformed')
    if ('artifacts' in result.outcome)
      for (const ref of Object.values(result.outcome.artifacts)) await fetchObject(this.#broker.objects, store, ref)
    return result
  }

  /** A result that can't be used counts as none. */
  async #runAnew(flight: Flight, reason: string): Promise<void> {
    const atMs = this.options.clock.now()
    if (flight.spoilt++ >= maxSpoilt) return this.#failTrial(flight, { name: 'StoreError', message: reason })
    this.options.warn(`trial ${flight.trial} runs anew: ${reason}`)
    if (flight.attempt > 0) {
      if (!flight.lost) this.#events.push({ ...factsOf(flight), type: 'lost', atMs, reason })
      flight.base += flight.attempt
    }
    const generation = Math.max(flight.generation, this.#results.get(flight.trial)?.generation ?? 0) + 1
    Object.assign(flight, { generation, attempt: 0, lost: false, told: 0, answered: 0, settling: false })
    if (!this.#paused) await this.#enqueue(flight)
  }

  /** Here alone: nothing is said of it on the server. */
  #failTrial(flight: Flight, { name, message }: { readonly name: string; readonly message: string }): void {
    this.#drop(flight)
    const outcome = { state: 'failed' as const, error: { name, message } }
    this.#events.push({ ...factsOf(flight), type: 'ended', atMs: this.options.clock.now(), outcome })
  }

  /** Left to others, unless there are none: a trial that no worker can run has failed. */
  async #refuse(flight: Flight, { worker, error }: Extract<EventMessage, { type: 'refused' }>): Promise<void> {
    flight.refusals.set(worker, error)
    this.#warnOnce(`${worker} leaves trials to others: ${error.message}`)
    if (this.#mayStillRun(flight) ?? true) return
    await this.#conclude(flight, { state: 'failed', error })
  }

  /** Whether a worker has not left the trial to others yet; `undefined` while there is no worker at all. */
  #mayStillRun({ refusals }: Flight): boolean | undefined {
    const staying = this.#fleet!.workers().filter(({ draining }) => !draining)
    return staying.length === 0 ? undefined : staying.some(({ worker }) => !refusals.has(worker))
  }

  /** Commits an outcome in place of a worker; if one has committed meanwhile, that counts. */
  async #conclude(flight: Flight, outcome: ResultMessage['outcome']): Promise<void> {
    const atMs = this.options.clock.now()
    const result: ResultMessage = {
      v: protocolVersion,
      worker: 'orchestrator',
      nonce: randomUUID(),
      attempt: flight.attempt,
      startedAtMs: atMs,
      atMs,
      outcome,
      reports: [],
    }
    try {
      await this.#persist(() => this.#broker.publisher.publish(this.#names.result(flight), encode(result), 0))
    } catch (error) {
      if (!isTaken(error)) throw error
    }
    const { jsm } = this.#broker
    await this.#persist(() => jsm.streams.purge(this.#names.trials, { filter: this.#names.trial(flight) }))
  }

  /** The server gave a message up: its trial is dead while it is waited for, and queued afresh when it is started. */
  async #bury(message: JsMsg): Promise<void> {
    const letter = decode(deadLetter, message.string())
    if (letter?.stream !== this.#names.trials || letter.consumer !== this.#names.durable) return
    const stored = await this.#broker.jsm.streams
      .getMessage(this.#names.trials, { seq: letter.stream_seq })
      .catch(() => null)
    const run = stored === null ? undefined : runOf(stored.subject)
    if (stored === null || run?.sweep !== this.#token) return
    this.#exhausted.set(stored.subject, letter.stream_seq)
    const flight = this.#flights.get(run.trial)
    if (flight?.generation !== run.generation) return
    // Deliveries to workers that can't run it say nothing of the trial while another can and is busy.
    if (flight.refusals.size > 0 && this.#mayStillRun(flight) !== false) return this.#enqueue(flight).catch(() => {})
    const refused = [...flight.refusals].map(([worker, { message: why }]) => `; ${worker}: ${why}`).join('')
    await this.#conclude(flight, {
      state: 'dead',
      reason: `${letter.deliveries} deliveries came to nothing${refused}`.slice(0, 4_000),
    }).catch(() => {})
  }

  #drop(flight: Flight): void {
    flight.cancelResend()
    this.#flights.delete(flight.trial)
  }

  async stop(trial: TrialId, reason: string): Promise<void> {
    const flight = this.#flights.get(trial)
    if (flight === undefined) return
    const send = (): void => {
      this.#order(flight, { type: 'stop', reason })
      flight.cancelResend = this.options.clock.after(repeatStopMs, send)
    }
    flight.cancelResend()
    send()
  }

  proceed(trial: TrialId): void {
    const flight = this.#flights.get(trial)
    if (flight === undefined) return
    flight.answered++
    this.#order(flight, { type: 'proceed', until: flight.answered })
  }

  #order(flight: Flight, message: OrderMessage): void {
    if (!this.options.connection.isClosed()) this.options.connection.publish(this.#names.order(flight), encode(message))
  }

  /** What a person wants of the sweep, from whatever host. */
  async #obey(entries: AsyncIterable<KvWatchEntry>): Promise<void> {
    for await (const entry of entries) {
      const control = this.#read(entry)
      if (control === undefined) continue
      try {
        if (control.wanted === 'cancel') await this.#cancelAll(`cancelled by ${control.by}`)
        else if (control.wanted === 'pause') await this.#pause(control.by)
        else await this.#goOn(control.by)
      } catch (error) {
        this.options.warn(`what ${control.by} wants (${control.wanted}) could not be done: ${(error as Error).message}`)
      }
    }
  }

  #read(entry: KvWatchEntry): ControlMessage | undefined {
    try {
      return entry.operation === 'PUT'
        ? decodeKept(controlMessage, entry.string(), 'what somebody wants of the sweep')
        : undefined
    } catch (error) {
      this.options.warn(`${(error as Error).message}: it is not obeyed`)
      return undefined
    }
  }

  async #pause(by: string): Promise<void> {
    if (this.#paused || this.#cancelled !== undefined) return
    this.#paused = true
    const recalled = await recallQueued(this.#broker, { sweep: this.#token })
    this.options.warn(
      `paused by ${by}: ${recalled.length} trials wait here, what runs goes on; mlds resume ${this.options.sweep} sets it going again`,
    )
  }

  async #goOn(by: string): Promise<void> {
    if (!this.#paused) return
    this.#paused = false
    this.options.warn(`set going again by ${by}`)
    for (const flight of [...this.#flights.values()]) if (!flight.settling) await this.#enqueue(flight)
  }

  async #cancelAll(reason: string): Promise<void> {
    if (this.#cancelled !== undefined) return
    this.#cancelled = reason
    this.options.warn(reason)
    for (const flight of [...this.#flights.values()]) if (!flight.settling) this.#cancel(flight, reason)
    await this.#broker.jsm.streams.purge(this.#names.trials, { filter: this.#names.trial({ sweep: this.#token }) })
  }

  #cancel(flight: Flight, reason: string): void {
    this.#order(flight, { type: 'give-up' })
    this.#drop(flight)
    const atMs = this.options.clock.now()
    this.#events.push({ ...factsOf(flight), type: 'ended', atMs, outcome: { state: 'cancelled', reason } })
  }

  /** Takes back what no worker has begun. */
  async recall(): Promise<TrialId[]> {
    await recallQueued(this.#broker, { sweep: this.#token })
    const { jsm } = this.#broker
    const begun = new Set(
      (await runsOf(jsm, this.#names.attempts, this.#names.attempt({ sweep: this.#token }))).map(nameRun),
    )
    const waiting = [...this.#flights.values()].filter((flight) => !flight.settling && !begun.has(nameRun(flight)))
    for (const flight of waiting) this.#drop(flight)
    return waiting.map(({ trial }) => trial)
  }

  /** Ends the events with an error that will not pass: the sweep ends in order, and can be resumed. */
  #fail(error: Error): void {
    if (this.#closing === undefined) void this.#explain(error).then((explained) => this.#events.fail(explained))
  }

  /** What a person can do about an error of the server; others are told as they are. */
  async #explain(error: Error): Promise<Error> {
    const { connection, sweep } = this.options
    const isGone = connection.isClosed()
    if (!isGone && !isDenied(error) && !(error instanceof JetStreamApiError)) return error
    const { message } = (isGone ? await connection.closed() : undefined) ?? error
    const what = isGone
      ? 'the NATS server ended the connection for good'
      : 'the NATS server refuses what the sweep needs'
    return new UnavailableError(`${what}: ${message}`, {
      hint: `nothing is lost; when the server lets this sweep in again, go on with: mlds resume ${sweep}`,
      cause: error,
    })
  }

  /** Once a lease: what the queue lost is queued again, and a consumer that delivers nothing is made anew. */
  #watchLater(): void {
    this.#cancelWatch = this.options.clock.after(this.#broker.leaseMs, () => {
      this.#repair().then(
        () => this.#closing ?? this.#watchLater(),
        (error: Error) => {
          if (!isPassing(error)) this.#warnOnce(`the queue can't be looked after: ${error.message}`)
          return this.#closing ?? this.#watchLater()
        },
      )
    })
  }

  async #repair(): Promise<void> {
    const { jsm, leaseMs } = this.#broker
    const { warn } = this.options
    const awaited = new Map(
      [...this.#flights.values()]
        .filter((flight) => !flight.settling && !this.#paused)
        .map((flight) => [this.#names.trial(flight), flight]),
    )
    if (awaited.size === 0) return
    const held = new Set(await subjectsOf(jsm, this.#names.trials, this.#names.trial({ sweep: this.#token })))
    const consumer = await jsm.consumers.info(this.#names.trials, this.#names.durable)
    const sight = {
      atMs: this.options.clock.monotonic(),
      held,
      pending: consumer.num_pending,
      outstanding: consumer.num_ack_pending,
      delivered: consumer.delivered.consumer_seq,
      freeSlots: this.#fleet!.freeSlots(this.#watch.quietSinceMs),
    }
    const { gone, orphaned, stalled } = this.#watch.judge(sight, [...awaited.keys()])
    for (const subject of [...orphaned, ...gone]) {
      const flight = awaited.get(subject)
      if (held.has(subject)) await jsm.streams.purge(this.#names.trials, { filter: subject })
      if (flight === undefined || this.#flights.get(flight.trial) !== flight || flight.settling) continue
      // Its result is there, and the word of it was lost.
      const stored = await jsm.streams.getMessage(this.#names.results, { last_by_subj: this.#names.result(flight) })
      if (stored !== null) {
        void this.#settle(flight, stored.string())
        continue
      }
      warn(
        `trial ${flight.trial} was ${held.has(subject) ? 'held back by the server' : 'gone from the queue'}: queued again`,
      )
      await this.#enqueue(flight)
    }
    if (!stalled) return
    warn(
      `${sight.pending} trials wait and ${sight.freeSlots} slots are free, but the server delivers nothing: its consumer is made anew`,
    )
    await jsm.consumers.delete(this.#names.trials, this.#names.durable)
    await jsm.consumers.add(this.#names.trials, consumerConfig(this.#names, leaseMs))
  }

  /** Another process holds the sweep now: its queue is that one's. */
  #oust(by: string): void {
    this.#ousted = true
    this.options.warn(`another process has taken sweep ${this.options.sweep} over: ${by}; this one lets go of it`)
    void this.close()
  }

  #complain(what: string): void {
    this.#malformed++
    this.#warnOnce(`something malformed was passed over: ${what}`)
  }

  #warnOnce(message: string): void {
    if (this.#said.has(message) || this.#said.size > 1_000) return
    this.#said.add(message)
    this.options.warn(message)
  }

  events(): AsyncIterable<TrialEvent> {
    return this.#events
  }

  close(): Promise<void> {
    this.#closing ??= this.#takeDown()
    return this.#closing
  }

  async #takeDown(): Promise<void> {
    const { connection, detach = false, warn } = this.options
    this.#ending.abort()
    this.#cancelWatch()
    this.#events.end()
    const flights = [...this.#flights.values()]
    for (const flight of flights) this.#drop(flight)
    if (this.#malformed > 1) warn(`${this.#malformed} malformed messages were passed over`)
    try {
      if (flights.length > 0 && !detach && !this.#ousted) {
        for (const flight of flights) this.#order(flight, { type: 'give-up' })
        await this.#broker.jsm.streams.purge(this.#names.trials, { filter: this.#names.trial({ sweep: this.#token }) })
      }
      if (flights.length === 0 && !detach && !this.#ousted)
        await noteCollected(this.#broker, this.options.sweep, this.#lastSequence())
    } catch {
      // Without a connection nothing can be called back: workers finish what they have, and a resume takes it over.
    }
    this.#controls?.stop()
    this.#fleet?.close()
    if (!connection.isClosed()) for (const subscription of this.#live) subscription.unsubscribe()
    for (const tail of this.#tails) await tail.close()
    await this.#lease?.release()
    await connection.flush().catch(() => {})
    await connection.close()
    await this.options.afterClose?.()
  }
}

function factsOf({ trial, base, attempt }: Flight): { trial: TrialId; attempt: number } {
  return { trial, attempt: base + Math.max(1, attempt) }
}
