import { isPassing } from '../wire/nats-errors.js'
import { subjectsOf } from '../wire/streams.js'
import type { Fleet } from './fleet.js'
import { isOpen } from './flight.js'
import type { Flights, TrialInFlight } from './flights.js'
import type { Lanes } from './lanes.js'
import { QueueHealth, type QueueSnapshot } from './queue-health.js'
import type { SweepLink } from './sweep-link.js'
import type { TrialQueue } from './trial-queue.js'

/** Looks after the queue once a lease: what it lost is queued again, and consumers that deliver nothing are made anew. */
export class QueueRepair {
  readonly #health = new QueueHealth()
  #cancel = (): void => {}

  /** @param onResult a result is there, and the word of it was lost. */
  constructor(
    private readonly link: SweepLink,
    private readonly flights: Flights,
    private readonly queue: TrialQueue,
    private readonly fleet: Fleet,
    private readonly lanes: Lanes,
    private readonly onResult: (flight: TrialInFlight, text: string) => void,
  ) {}

  lookLater(): void {
    if (this.link.isEnding) return
    this.#cancel = this.link.clock.after(this.link.broker.leaseMs, () => {
      void this.#look()
        .catch((error: Error) => {
          if (!isPassing(error)) this.link.warnOnce(`the queue can't be looked after: ${error.message}`)
        })
        .finally(() => this.lookLater())
    })
  }

  close(): void {
    this.#cancel()
  }

  async #look(): Promise<void> {
    if (this.queue.paused) return
    const { names } = this.link
    const awaited = new Map(this.flights.open().map((flight) => [names.trial(flight.state.run, flight.lane), flight]))
    if (awaited.size === 0) return
    const snapshot = await this.#takeSnapshot()
    const { gone, orphaned, stalled } = this.#health.judge(snapshot, [...awaited.keys()])
    for (const subject of [...orphaned, ...gone])
      await this.#queueAgain(subject, awaited.get(subject), snapshot.held.has(subject))
    if (stalled) await this.#remakeConsumers(snapshot)
  }

  /** Of the trials that are waited for. */
  #lanes(): Set<string> {
    return new Set(this.flights.open().map(({ lane }) => lane))
  }

  async #takeSnapshot(): Promise<QueueSnapshot> {
    const { broker, names, token, clock } = this.link
    const held = new Set(await subjectsOf(broker.jsm, names.trials, names.trial({ sweep: token })))
    const snapshot = { atMs: clock.monotonic(), held, pending: 0, outstanding: 0, delivered: 0, freeSlots: 0 }
    for (const lane of this.#lanes()) {
      // Made anew where another sweep's end took it away at the wrong moment.
      await this.lanes.makeConsumer(lane)
      const consumer = await broker.jsm.consumers.info(names.trials, names.consumer(lane))
      snapshot.pending += consumer.num_pending
      snapshot.outstanding += consumer.num_ack_pending
      snapshot.delivered += consumer.delivered.consumer_seq
      const needs = this.lanes.needs(lane)
      if (consumer.num_pending > 0 && needs !== undefined)
        snapshot.freeSlots += this.fleet.freeSlots(needs, this.#health.quietSinceMs)
    }
    return snapshot
  }

  async #queueAgain(subject: string, flight: TrialInFlight | undefined, isHeld: boolean): Promise<void> {
    const { broker, names, tokens, warn } = this.link
    if (isHeld) await broker.jsm.streams.purge(names.trials, { filter: subject })
    if (flight === undefined || !isOpen(flight.state)) return
    const { run } = flight.state
    const result = { last_by_subj: names.result(tokens.keyOf(run, 'result')) }
    const stored = await broker.jsm.streams.getMessage(names.results, result)
    if (stored !== null) return this.onResult(flight, stored.string())
    warn(`trial ${run.trial} was ${isHeld ? 'held back by the server' : 'gone from the queue'}: queued again`)
    await this.queue.put(flight)
  }

  async #remakeConsumers({ pending, freeSlots }: QueueSnapshot): Promise<void> {
    const { broker, names, warn } = this.link
    warn(
      `${pending} trials wait and ${freeSlots} slots are free, but the server delivers nothing: its consumers are made anew`,
    )
    for (const lane of this.#lanes()) {
      await broker.jsm.consumers.delete(names.trials, names.consumer(lane))
      await this.lanes.makeConsumer(lane)
    }
  }
}
