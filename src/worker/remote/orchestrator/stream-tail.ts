import { DeliverPolicy, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream'
import { patiently } from '../wire/streams.js'
import type { SweepLink } from './sweep-link.js'

/**
 * How long one request for further messages is open. After a cut the client waits as long before it asks anew: with its
 * own 30 s, a sweep stands still for a minute when a server restarts.
 */
const requestMs = 4_000

/** Follows streams from their beginnings, through cuts of the connection. */
export class StreamTails {
  readonly #tails = new Set<ConsumerMessages>()

  /** @param onFailure what no cut of the connection explains: nothing more is followed. */
  constructor(
    private readonly link: SweepLink,
    private readonly onFailure: (error: Error) => void,
  ) {}

  /** Takes every message in order, now and later; resolves when what was there has been taken. */
  async follow(stream: string, filter: string, take: (message: JsMsg) => void): Promise<void> {
    let last = 0
    const open = async (): Promise<{ messages: ConsumerMessages; known: number }> => {
      const consumer = await this.link.broker.js.consumers.get(stream, {
        filter_subjects: filter,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: last + 1,
      })
      const { num_pending: known } = await consumer.info()
      // A server that restarted has forgotten this consumer: silence for two beats, and it is made anew where it left off.
      const messages = await consumer.consume({ expires: requestMs, idle_heartbeat: requestMs / 2 })
      this.#tails.add(messages)
      return { messages, known }
    }
    let { messages, known } = await patiently(open)
    await new Promise<void>((resolve) => {
      if (known === 0) resolve()
      const follow = async (): Promise<void> => {
        while (!this.link.isEnding) {
          for await (const message of messages) {
            last = message.seq
            take(message)
            if (--known === 0) resolve()
          }
          this.#tails.delete(messages)
          if (!this.link.isEnding) ({ messages } = await this.link.persist(open))
        }
      }
      follow().catch(this.onFailure)
    })
  }

  /** What the server sent into a dead connection is asked for again: the client would notice only at the next message. */
  async askAgainAfterCuts(): Promise<void> {
    for await (const { type } of this.link.connection.status())
      if (type === 'reconnect') for (const tail of this.#tails) tail.stop()
  }

  async close(): Promise<void> {
    for (const tail of this.#tails) await tail.close()
  }
}
