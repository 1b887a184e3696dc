import type { JsMsg } from '@nats-io/jetstream'
import { runOf } from '../wire/names.js'
import { decode, deliveryAdvisory } from '../wire/protocol.js'
import { patiently } from '../wire/streams.js'
import type { Flights } from './flights.js'
import type { StreamTails } from './stream-tail.js'
import type { SweepLink } from './sweep-link.js'
import type { TrialQueue } from './trial-queue.js'

/** Queues afresh what the server delivers no more, at once or when it is started. */
export class GivenUpTrials {
  constructor(
    private readonly link: SweepLink,
    private readonly flights: Flights,
    private readonly queue: TrialQueue,
  ) {}

  /** Resolves when the advisories that are there have been dealt with. */
  async follow(tails: StreamTails): Promise<void> {
    const { names } = this.link
    const advisories: Promise<void>[] = []
    await tails.follow(names.advisories, names.givenUp, (message) => void advisories.push(this.#onGivenUp(message)))
    await Promise.all(advisories)
  }

  async #onGivenUp(message: JsMsg): Promise<void> {
    const { broker, names, token } = this.link
    const advisory = decode(deliveryAdvisory, message.string())
    if (advisory?.stream !== names.trials) return
    const ask = () => broker.jsm.streams.getMessage(names.trials, { seq: advisory.stream_seq })
    const stored = await patiently(ask).catch(() => null)
    const run = stored === null ? undefined : runOf(stored.subject)
    if (stored === null || run?.sweep !== token) return
    this.queue.noteExhausted(stored.subject)
    const flight = this.flights.find(run)
    // Deliveries say nothing of the trial: they went to dead connections, to workers that can't run it, or to one that
    // handed it back again and again.
    if (flight !== undefined) await this.queue.put(flight).catch(() => {})
  }
}
