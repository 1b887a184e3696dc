import { isPassing } from '../wire/nats-errors.js'
import { consumerConfig, subjectsOf } from '../wire/streams.js'
import type { Fleet } from './fleet.js'
import { isOpen } from './flight.js'
import type { Flights, TrialInFlight } from './flights.js'
import { QueueHealth, type QueueSnapshot } from './queue-health.js'
import type { SweepLink } from './sweep-link.js'
import type { TrialQueue } from './trial-queue.js'

/** Looks after the queue once a lease: what it lost is queued again, and a consumer that delivers nothing is made anew. */
export class QueueRepair {
  readonly #health = new QueueHealth()
  #cancel = (): void => {}

  /** @param onResult a result is there, and the word of it was lost. */
  constructor(
    private readonly link: SweepLink,
    private readonly flights: Flights,
    private readonly queue: TrialQueue,
    private readonly fleet: Fleet,
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
    const awaited = new Map(this.flights.open().map((flight) => [names.trial(flight.state.run), flight]))
    if (awaited.size === 0) return
    const snapshot = await this.#takeSnapshot()
    const { gone, orphaned, stalled } = this.#health.judge(snapshot, [...awaited.keys()])
    for (const subject of [...orphaned, ...gone])
      await this.#queueAgain(subject, awaited.get(subject), snapshot.held.has(subject))
    if (stalled) await this.#remakeConsumer(snapshot)
  }

  async #takeSnapshot(): Promise<QueueSnapshot> {
    const { broker, names, token, clock } = this.link
    const held = new Set(await subjectsOf(broker.jsm, names.trials, names.trial({ sweep: token })))
    const consumer = await broker.jsm.consumers.info(names.trials, names.durable)
    return {
      atMs: clock.monotonic(),
      held,
      pending: consumer.num_pending,
      outstanding: consumer.num_ack_pending,
      delivered: consumer.delivered.consumer_seq,
      freeSlots: this.fleet.freeSlots(this.#health.quietSinceMs),
    }
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

  async #remakeConsumer({ pending, freeSlots }: QueueSnapshot): Promise<void> {
    const { broker, names, warn } = this.link
    warn(
      `${pending} trials wait and ${freeSlots} slots are free, but the server delivers nothing: its consumer is made anew`,
    )
    await broker.jsm.consumers.delete(names.trials, names.durable)
    await broker.jsm.consumers.add(names.trials, consumerConfig(names, broker.leaseMs))
  }
}
