import type { Msg, Subscription } from '@nats-io/transport-node'
import type { Clock } from '../../../core/clock.js'
import { accountKeyOf } from '../wire/confinement.js'
import { apiPrefixOf } from '../wire/connect.js'
import { laneIn } from '../wire/names.js'
import { newInbox } from '../wire/publisher.js'
import type { Broker } from '../wire/streams.js'

/** A queued trial that the server gave to this worker, and the answers to it (docs.nats.io, JetStream consumers). */
export class PulledTrial {
  constructor(private readonly message: Msg) {}

  get subject(): string {
    return this.message.subject
  }

  get lane(): string {
    return laneIn(this.message.subject)
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
/** A request that has no answer by then is waited for no longer: a server that was away has forgotten it. */
export const longestPullMs = pullMs + 1_000
const waiting = JSON.stringify({ batch: 1, expires: 1e6 * pullMs })
const atOnce = JSON.stringify({ batch: 1, no_wait: true })
/** After a refusal: the server restarts, or the consumer is being made anew. */
const refusedMs = 200
/** A lane in which nothing was is passed over for so long while others have trials: a question to each would double a short trial's. */
const emptyMs = 250

/** A request that the server has not answered yet. */
interface OpenRequest {
  readonly reply: string
  /** From then on (of the monotonic clock) it is taken for forgotten: the server was away. */
  readonly untilMs: number
}

/**
 * One slot's way to the queue. It asks for one trial at a time, since what is delivered ahead of need ages on its lease:
 * one lane after the other, by turns, and when nothing is in any of them it waits at all. A request that still waits in a
 * lane is not sent again, so that lanes in which nothing is cost next to nothing beside one that is busy. It listens as
 * long as it lives: the client's own `next` subscribes anew for every trial, which costs three times the processor time.
 */
export class Pull {
  readonly #inbox: string
  readonly #subscription: Subscription
  #count = 0
  /** Called with a trial, or with nothing once a request has come to nothing. */
  #take: ((pulled?: PulledTrial) => void) | undefined
  /** The lanes that `#take` waits for. */
  #wanted: readonly string[] = []
  /** By lane; of each at most one. */
  readonly #open = new Map<string, OpenRequest>()
  /** Until when a lane is passed over, of the monotonic clock. */
  readonly #empty = new Map<string, number>()
  #turn = 0
  #isWaiting = false

  constructor(
    private readonly broker: Broker,
    private readonly clock: Clock,
    private readonly drain: AbortSignal,
  ) {
    this.#inbox = newInbox(broker.nc)
    const callback = (error: Error | null, message: Msg): void => {
      if (error === null) this.#hear(message)
    }
    this.#subscription = broker.nc.subscribe(`${this.#inbox}.*`, { callback })
  }

  /** The next trial of these lanes, or `undefined` when none came for a while; `done` is acknowledged by the way. */
  async next(lanes: readonly string[], done?: PulledTrial): Promise<PulledTrial | undefined> {
    const now = this.clock.monotonic()
    const turns = lanes.map((_, i) => lanes[(this.#turn + i) % lanes.length]!)
    this.#turn++
    const promising = turns.filter((lane) => (this.#empty.get(lane) ?? 0) <= now && !this.#isOpen(lane))
    let before = done
    // Where only one lane may hold a trial, a question that is answered at once would be followed by the same one.
    for (const lane of promising.length > 1 ? promising : []) {
      const pulled = await this.#ask([lane], atOnce, before)
      before = undefined
      // Who is told to take no more asks no further lane: each question to a server that is away takes three seconds.
      if (pulled !== undefined || this.drain.aborted) return pulled
      this.#empty.set(lane, now + emptyMs)
    }
    this.#isWaiting = true
    return this.#ask(turns, waiting, before).finally(() => (this.#isWaiting = false))
  }

  /** There may be more lanes to ask: what it waits for comes to nothing. */
  askAnew(): void {
    if (this.#isWaiting) this.#take?.()
  }

  #isOpen(lane: string): boolean {
    return (this.#open.get(lane)?.untilMs ?? 0) > this.clock.monotonic()
  }

  #ask(lanes: readonly string[], request: string, done: PulledTrial | undefined): Promise<PulledTrial | undefined> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(longestPullMs, () => this.#take?.())
      this.#take = (pulled) => {
        this.#take = undefined
        cancel()
        resolve(pulled)
      }
      this.#wanted = lanes
      const asked = lanes.filter((lane) => !this.#isOpen(lane))
      if (done !== undefined && !asked.includes(done.lane)) done.ack()
      for (const lane of asked) {
        const reply = `${this.#inbox}.${++this.#count}`
        this.#open.set(lane, { reply, untilMs: this.clock.monotonic() + longestPullMs })
        if (done?.lane === lane) done.ackAndRequest(request, reply)
        else this.broker.nc.publish(this.#subjectOf(lane), request, { reply })
      }
    })
  }

  #subjectOf(lane: string): string {
    const { nc, names } = this.broker
    const consumer = names.consumer(lane)
    return accountKeyOf(nc) === undefined
      ? `${apiPrefixOf(nc)}.CONSUMER.MSG.NEXT.${names.trials}.${consumer}`
      : names.next(consumer)
  }

  #hear(message: Msg): void {
    // A trial comes under its own subject, the server's word about a request under the request's.
    if (message.subject.startsWith(this.#inbox)) return this.#hearRefusal(message)
    const pulled = new PulledTrial(message)
    this.#open.delete(pulled.lane)
    this.#empty.delete(pulled.lane)
    if (this.#take === undefined) pulled.nak()
    else this.#take(pulled)
  }

  #hearRefusal({ subject, headers }: Msg): void {
    const [lane] = [...this.#open].find(([, { reply }]) => reply === subject) ?? []
    if (lane === undefined) return
    this.#open.delete(lane)
    const take = this.#take
    // It has expired, or nothing was there: the lane is asked anew beside those whose requests still wait.
    const isOrdinary = [404, 408].includes(headers?.code ?? 0)
    if (isOrdinary && this.#wanted.includes(lane)) return take?.()
    this.clock.after(refusedMs, () => {
      if (take === this.#take && !this.#wanted.some((wanted) => this.#isOpen(wanted))) take?.()
    })
  }

  close(): void {
    this.#subscription.unsubscribe()
  }
}
