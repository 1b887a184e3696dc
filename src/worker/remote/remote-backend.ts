import { DeliverPolicy, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream'
import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import type { Clock } from '../../clock.js'
import type { Store } from '../../store.js'
import type { ArtifactRef, Assignment, TrialEvent, TrialId } from '../../trial.js'
import type { Backend } from '../backend.js'
import { EventQueue } from '../event-queue.js'
import {
  decode,
  encode,
  eventMessage,
  namesOf,
  protocolVersion,
  resultMessage,
  runOf,
  storedResult,
  sweepToken,
  type ControlMessage,
  type EventMessage,
  type Names,
  type ResultMessage,
  type RunKey,
} from './protocol.js'
import { fetchObject, isQueuedAlready, openBroker, sendObject, type Broker } from './streams.js'

export interface RemoteOptions {
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
}

interface Flight extends RunKey {
  readonly assignment: Assignment
  readonly message: string
  /** The delivery that is told of now; 0 before the first. */
  delivery: number
  /** Reports of this delivery passed on. */
  told: number
  /** Reports that were answered, for interactive trials. */
  answered: number
  settling: boolean
  cancelResend: () => void
}

/** A stop is repeated until it is honoured: the message may be lost, or the trial may be with nobody yet. */
const repeatStopMs = 2_000

/**
 * Queues trials on JetStream for workers on any host. A trial's result is one message that only the first writer can
 * store; this backend follows those, so that a result counts once however often the trial ran, and a result that came
 * while nobody listened is taken over when the trial is started again.
 */
export class RemoteBackend implements Backend {
  readonly retries = true
  readonly capacity: number
  readonly #events = new EventQueue<TrialEvent>()
  readonly #flights = new Map<TrialId, Flight>()
  /** Every result of this sweep by trial: its latest generation and where it lies. */
  readonly #results = new Map<TrialId, { generation: number; sequence: number }>()
  readonly #names: Names
  readonly #sweep: string
  #broker!: Broker
  #live: Subscription | undefined
  #tail: ConsumerMessages | undefined
  #cancelWatch = (): void => {}
  #closing: Promise<void> | undefined

  private constructor(private readonly options: RemoteOptions) {
    this.capacity = options.window
    this.#names = namesOf(options.tenant)
    this.#sweep = sweepToken(options.sweep)
  }

  /** Makes the streams where they are missing and reads which results are there already. Owns the connection. */
  static async open(options: RemoteOptions): Promise<RemoteBackend> {
    const backend = new RemoteBackend(options)
    try {
      await backend.#begin()
      return backend
    } catch (error) {
      await options.connection.close()
      throw error
    }
  }

  async #begin(): Promise<void> {
    const { connection, leaseMs } = this.options
    this.#broker = await openBroker(connection, this.#names, leaseMs)
    const { js } = this.#broker
    const filter = this.#names.result({ sweep: this.#sweep })
    const tail = await js.consumers.get(this.#names.results, {
      filter_subjects: filter,
      deliver_policy: DeliverPolicy.All,
    })
    const { num_pending: known } = await tail.info()
    this.#tail = await tail.consume()
    await new Promise<void>((resolve) => {
      if (known === 0) resolve()
      void this.#follow(this.#tail!, known, resolve)
    })
    this.#live = connection.subscribe(this.#names.event({ sweep: this.#sweep }), {
      callback: (error, message) => {
        if (error !== null) return
        const event = decode(eventMessage, message.string())
        if (event !== undefined) this.#tell(runOf(message.subject), event)
      },
    })
    this.#watch()
  }

  async #follow(messages: AsyncIterable<JsMsg>, known: number, caughtUp: () => void): Promise<void> {
    let count = 0
    for await (const message of messages) {
      const run = runOf(message.subject)
      const latest = this.#results.get(run.trial)
      if (latest === undefined || latest.generation <= run.generation)
        this.#results.set(run.trial, { generation: run.generation, sequence: message.seq })
      const flight = this.#flights.get(run.trial)
      if (flight?.generation === run.generation) void this.#settle(flight, message.string())
      if (++count === known) caughtUp()
    }
  }

  async start(assignment: Assignment): Promise<void> {
    const { id } = assignment.trial
    const stored = this.#results.get(id)
    const previous = stored === undefined ? undefined : await this.#readResult(stored.sequence)
    const adopted = previous !== undefined && 'metrics' in previous.outcome
    const generation = stored === undefined ? 0 : adopted ? stored.generation : stored.generation + 1
    const flight: Flight = {
      sweep: this.#sweep,
      trial: id,
      generation,
      assignment,
      message: encode({ v: protocolVersion, maxAttempts: this.options.maxAttempts, assignment }),
      delivery: 0,
      told: 0,
      answered: 0,
      settling: false,
      cancelResend: () => {},
    }
    this.#flights.set(id, flight)
    if (adopted) return void this.#settle(flight, encode(previous))
    const { objects } = this.#broker
    const refs = assignment.parents.flatMap((parent) => Object.values(parent.artifacts))
    for (const ref of refs) await sendObject(objects, this.options.store, ref)
    await this.#enqueue(flight)
  }

  async #enqueue(flight: Flight): Promise<void> {
    const { js } = this.#broker
    for (;;) {
      try {
        await js.publish(this.#names.trial(flight), flight.message, { timeout: 5_000 })
        return
      } catch (error) {
        if (isQueuedAlready(error)) return
        if (this.#closing !== undefined || !isPassing(error)) throw error
        // Stored or not, we were not told: a second copy is refused while the first is queued, and harmless after it.
        await this.#pause(500)
      }
    }
  }

  async #readResult(sequence: number): Promise<ResultMessage | undefined> {
    const message = await this.#broker.jsm.streams.getMessage(this.#names.results, { seq: sequence })
    return message === null ? undefined : this.#openResult(message.string())
  }

  /** @returns `undefined` for what is not a result. */
  async #openResult(text: string): Promise<ResultMessage | undefined> {
    const stored = decode(storedResult, text)
    if (stored === undefined || !('object' in stored)) return stored
    const bytes = await this.#readObject(stored.object)
    return decode(resultMessage, new TextDecoder().decode(bytes))
  }

  async #readObject(ref: ArtifactRef): Promise<Uint8Array> {
    await fetchObject(this.#broker.objects, this.options.store, ref)
    return this.options.store.readObject(ref)
  }

  #tell(run: RunKey, event: Omit<EventMessage, 'v'>): void {
    const flight = this.#flights.get(run.trial)
    if (flight?.generation !== run.generation || event.delivery < flight.delivery) return
    const facts = (): { trial: TrialId; attempt: number } => ({ trial: run.trial, attempt: attemptOf(flight) })
    if (event.delivery > flight.delivery) {
      if (flight.delivery > 0)
        this.#events.push({ type: 'lost', ...facts(), atMs: event.startedAtMs, reason: 'its worker vanished' })
      flight.delivery = event.delivery
      flight.told = 0
      flight.answered = 0
      this.#events.push({ type: 'started', ...facts(), atMs: event.startedAtMs, worker: event.worker })
    }
    // After a gap nothing is told until the result brings the whole course.
    if (event.from > flight.told) return
    const fresh = event.reports.slice(flight.told - event.from)
    for (const report of fresh) this.#events.push({ type: 'report', ...facts(), ...report })
    flight.told += fresh.length
    // A report that comes again was answered already, and the answer was lost.
    if (fresh.length === 0 && event.reports.length > 0 && flight.answered >= event.from + event.reports.length)
      this.#control(flight, { type: 'proceed', until: flight.answered })
  }

  async #settle(flight: Flight, text: string): Promise<void> {
    if (flight.settling) return
    flight.settling = true
    try {
      const result = await this.#openResult(text)
      if (result === undefined) throw new Error('it is not a result')
      const { outcome, reports } = result
      if ('artifacts' in outcome) for (const ref of Object.values(outcome.artifacts)) await this.#readObject(ref)
      const delivery = Math.max(result.delivery, flight.delivery)
      this.#tell(flight, { ...result, delivery, from: 0, reports })
      this.#drop(flight)
      this.#events.push({
        type: 'ended',
        trial: flight.trial,
        attempt: attemptOf(flight),
        atMs: result.atMs,
        outcome,
      })
    } catch (error) {
      if (this.#closing !== undefined) return
      this.#drop(flight)
      const reason = `its result can't be read: ${(error as Error).message}`
      if (flight.delivery === 0) flight.delivery = 1
      this.#events.push({
        type: 'ended',
        trial: flight.trial,
        attempt: attemptOf(flight),
        atMs: this.options.clock.now(),
        outcome: { state: 'failed', error: { name: 'StoreError', message: reason } },
      })
    }
  }

  #drop(flight: Flight): void {
    flight.cancelResend()
    this.#flights.delete(flight.trial)
  }

  async stop(trial: TrialId, reason: string): Promise<void> {
    const flight = this.#flights.get(trial)
    if (flight === undefined) return
    const send = (): void => {
      this.#control(flight, { type: 'stop', reason })
      flight.cancelResend = this.options.clock.after(repeatStopMs, send)
    }
    flight.cancelResend()
    send()
  }

  proceed(trial: TrialId): void {
    const flight = this.#flights.get(trial)
    if (flight === undefined) return
    flight.answered++
    this.#control(flight, { type: 'proceed', until: flight.answered })
  }

  #control(flight: Flight, message: ControlMessage): void {
    if (!this.options.connection.isClosed())
      this.options.connection.publish(this.#names.control(flight), encode(message))
  }

  /**
   * Once a lease: trials that are neither queued nor committed are queued again, and messages that the server holds
   * but delivers to nobody (after its own crash) are replaced.
   */
  #watch(): void {
    this.#cancelWatch = this.options.clock.after(this.#broker.leaseMs, () => {
      this.#repair().then(
        () => this.#closing ?? this.#watch(),
        () => this.#closing ?? this.#watch(),
      )
    })
  }

  async #repair(): Promise<void> {
    const { jsm } = this.#broker
    const waiting = [...this.#flights.values()].filter((flight) => !flight.settling)
    if (waiting.length === 0) return
    const { state } = await jsm.streams.info(this.#names.trials, {
      subjects_filter: this.#names.trial({ sweep: this.#sweep }),
    })
    const consumer = await jsm.consumers.info(this.#names.trials, this.#names.durable)
    const stuck = consumer.num_pending === 0 && consumer.num_ack_pending === 0 && state.messages > 0
    for (const flight of waiting) {
      if (this.#flights.get(flight.trial) !== flight || flight.settling) continue
      const subject = this.#names.trial(flight)
      const queued = state.subjects?.[subject] !== undefined
      if (queued && !stuck) continue
      if (queued) await jsm.streams.purge(this.#names.trials, { filter: subject })
      this.options.warn(
        `trial ${flight.trial} was ${queued ? 'held back by the server' : 'gone from the queue'}: queued again`,
      )
      await this.#enqueue(flight)
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.options.clock.after(ms, resolve))
  }

  events(): AsyncIterable<TrialEvent> {
    return this.#events
  }

  close(): Promise<void> {
    this.#closing ??= this.#takeDown()
    return this.#closing
  }

  async #takeDown(): Promise<void> {
    const { connection } = this.options
    this.#cancelWatch()
    this.#events.end()
    const flights = [...this.#flights.values()]
    for (const flight of flights) this.#drop(flight)
    try {
      if (flights.length > 0) {
        for (const flight of flights) this.#control(flight, { type: 'give-up' })
        await this.#broker.jsm.streams.purge(this.#names.trials, { filter: this.#names.trial({ sweep: this.#sweep }) })
      }
      this.#live?.unsubscribe()
      await this.#tail?.close()
      await connection.flush()
    } catch {
      // Without a connection nothing can be called back: workers finish what they have, and a resume takes it over.
    }
    await connection.close()
  }
}

function attemptOf({ assignment, delivery }: Flight): number {
  return assignment.attempt + Math.max(1, delivery) - 1
}

/** Troubles of the connection or of a server that restarts, rather than a refusal. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof Error &&
    /timeout|no responders|disconnect|closed|unavailable/i.test(`${error.name} ${error.message}`)
  )
}
