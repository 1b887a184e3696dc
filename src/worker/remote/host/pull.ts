import type { Msg, Subscription } from '@nats-io/transport-node'
import type { Clock } from '../../../core/clock.js'
import { apiPrefixOf } from '../wire/connect.js'
import { newInbox } from '../wire/publisher.js'
import type { Broker } from '../wire/streams.js'

/** A queued trial that the server gave to this worker, and the answers to it (docs.nats.io, JetStream consumers). */
export class PulledTrial {
  constructor(private readonly message: Msg) {}

  get subject(): string {
    return this.message.subject
  }

  get text(): string {
    return this.message.string()
  }

  /** How often the server has delivered it, counted from 1: $JS.ACK[.domain.account].stream.consumer.THIS.… */
  get count(): number {
    const tokens = this.message.reply?.split('.') ?? []
    return Number(tokens[tokens.length === 9 ? 4 : 6])
  }

  /** It is done, and leaves the queue. */
  ack(): void {
    this.message.respond('+ACK')
  }

  /** The same, with a request for another trial that goes to `reply`: one message instead of two. */
  ackAndRequest(request: string, reply: string): void {
    this.message.respond(`+NXT ${request}`, { reply })
  }

  /** Someone may have it again, after a while. */
  nak(delayMs = 0): void {
    // The server takes a delay that is no whole number of nanoseconds for none at all.
    this.message.respond(delayMs === 0 ? '-NAK' : `-NAK {"delay":${Math.round(1e6 * delayMs)}}`)
  }

  /** It stays this worker's for another lease. */
  working(): void {
    this.message.respond('+WPI')
  }

  /** It is no trial, and leaves the queue. */
  term(): void {
    this.message.respond('+TERM')
  }
}

/** A free slot asks anew this often, so that a draining worker need not wait long. */
export const pullMs = 2_000
const request = JSON.stringify({ batch: 1, expires: 1e6 * pullMs })
/** After a refusal: the server restarts, or the consumer is being made anew. */
const refusedMs = 200

/**
 * One slot's way to the queue. It asks for one trial at a time, since what is delivered ahead of need ages on its lease.
 * It listens as long as it lives: the client's own `next` subscribes anew for every trial, which costs three times the
 * processor time.
 */
export class Pull {
  readonly #inbox: string
  readonly #subject: string
  readonly #subscription: Subscription
  #count = 0
  #end: ((pulled?: PulledTrial) => void) | undefined

  constructor(
    private readonly broker: Broker,
    private readonly clock: Clock,
  ) {
    const { nc, names } = broker
    this.#inbox = newInbox(nc)
    this.#subject = `${apiPrefixOf(nc)}.CONSUMER.MSG.NEXT.${names.trials}.${names.durable}`
    const callback = (error: Error | null, message: Msg): void => {
      if (error === null) this.#hear(message)
    }
    this.#subscription = nc.subscribe(`${this.#inbox}.*`, { callback })
  }

  /** The next trial, or `undefined` when none came for a while; `done` is acknowledged by the way. */
  next(done?: PulledTrial): Promise<PulledTrial | undefined> {
    return new Promise((resolve) => {
      // A server that was away has forgotten the request.
      const cancel = this.clock.after(pullMs + 1_000, () => this.#end?.())
      this.#end = (pulled) => {
        this.#end = undefined
        cancel()
        resolve(pulled)
      }
      const reply = `${this.#inbox}.${++this.#count}`
      if (done === undefined) this.broker.nc.publish(this.#subject, request, { reply })
      else done.ackAndRequest(request, reply)
    })
  }

  #hear(message: Msg): void {
    // A trial comes under its own subject, the server's word about a request under the request's.
    if (!message.subject.startsWith(this.#inbox)) {
      const pulled = new PulledTrial(message)
      if (this.#end === undefined) pulled.nak()
      else this.#end(pulled)
    } else if (message.subject === `${this.#inbox}.${this.#count}`) {
      const end = this.#end
      const isExpiry = message.headers?.code === 408
      this.clock.after(isExpiry ? 0 : refusedMs, () => end === this.#end && end?.())
    }
  }

  close(): void {
    this.#subscription.unsubscribe()
  }
}
