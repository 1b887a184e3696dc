import { randomUUID } from 'node:crypto'
import type { JsMsg } from '@nats-io/jetstream'
import { isTaken } from '../wire/nats-errors.js'
import { runOf } from '../wire/names.js'
import {
  deliveryAdvisory,
  decode,
  encode,
  divergedSince,
  type EventMessage,
  type ResultMessage,
} from '../wire/protocol.js'
import { patiently } from '../wire/streams.js'
import type { Fleet } from './fleet.js'
import type { Flights, TrialInFlight } from './flights.js'
import type { StreamTails } from './stream-tail.js'
import type { SweepLink } from './sweep-link.js'
import type { TrialQueue } from './trial-queue.js'

/** Ends trials that no worker can run: all have left them to others, or the server gave up delivering them. */
export class Unrunnable {
  constructor(
    private readonly link: SweepLink,
    private readonly flights: Flights,
    private readonly queue: TrialQueue,
    private readonly fleet: Fleet,
  ) {}

  /** Resolves when the advisories that are there have been dealt with. */
  async followAdvisories(tails: StreamTails): Promise<void> {
    const { names } = this.link
    const advisories: Promise<void>[] = []
    await tails.follow(names.advisories, names.givenUp, (message) => void advisories.push(this.#onGivenUp(message)))
    await Promise.all(advisories)
  }

  /** Left to others, unless there are none: a trial that no worker can run has failed. */
  async onRefused(
    flight: TrialInFlight,
    { worker, error }: Extract<EventMessage, { type: 'refused' }>,
    isShown: boolean,
  ): Promise<void> {
    this.link.warnOnce(`${worker} leaves trials to others: ${error.message}`)
    if (!isShown) return
    flight.refusals.set(worker, error)
    if (this.#mayStillRun(flight) ?? true) return
    await this.#commitOutcome(flight, { state: 'failed', error })
  }

  /** Whether a worker has not left the trial to others yet; `undefined` while there is no worker at all. */
  #mayStillRun({ refusals }: TrialInFlight): boolean | undefined {
    const staying = this.fleet.workers().filter(({ draining }) => !draining)
    return staying.length === 0 ? undefined : staying.some(({ worker }) => !refusals.has(worker))
  }

  /** The server gave a message up: its trial is dead while it is waited for, and queued afresh when it is started. */
  async #onGivenUp(message: JsMsg): Promise<void> {
    const { broker, names, token } = this.link
    const advisory = decode(deliveryAdvisory, message.string())
    if (advisory?.stream !== names.trials || advisory.consumer !== names.durable) return
    const ask = () => broker.jsm.streams.getMessage(names.trials, { seq: advisory.stream_seq })
    const stored = await patiently(ask).catch(() => null)
    const run = stored === null ? undefined : runOf(stored.subject)
    if (stored === null || run?.sweep !== token) return
    this.queue.noteExhausted(stored.subject)
    const flight = this.flights.find(run)
    if (flight === undefined) return
    // Deliveries to workers that can't run it say nothing of the trial while another can and is busy.
    if (flight.refusals.size > 0 && this.#mayStillRun(flight) !== false) return this.queue.put(flight).catch(() => {})
    const refused = [...flight.refusals].map(([worker, { message: why }]) => `; ${worker}: ${why}`).join('')
    await this.#commitOutcome(flight, {
      state: 'dead',
      reason: `${advisory.deliveries} deliveries came to nothing${refused}`.slice(0, 4_000),
    }).catch(() => {})
  }

  /** Commits an outcome in place of a worker; if one has committed meanwhile, that counts. */
  async #commitOutcome({ state }: TrialInFlight, outcome: ResultMessage['outcome']): Promise<void> {
    const { broker, clock, names, tokens } = this.link
    const { run, attempt } = state
    const atMs = clock.now()
    const result: ResultMessage = {
      v: divergedSince,
      worker: 'orchestrator',
      nonce: randomUUID(),
      attempt,
      startedAtMs: atMs,
      atMs,
      outcome,
      reports: [],
    }
    try {
      await this.link.persist(() =>
        broker.publisher.publish(names.result(tokens.keyOf(run, 'result')), encode(result), 0),
      )
    } catch (error) {
      if (!isTaken(error)) throw error
    }
    await this.link.persist(() => broker.jsm.streams.purge(names.trials, { filter: names.trial(run) }))
  }
}
