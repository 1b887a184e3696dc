import { JetStreamApiError, PubHeaders, type ApiError } from '@nats-io/jetstream'
import {
  createInbox,
  headers,
  NoRespondersError,
  TimeoutError,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from '@nats-io/transport-node'
import { systemClock } from '../../clock.js'

/** A subject of its own on which this connection may hear replies: below the prefix that it was opened with. */
export function newInbox(connection: NatsConnection): string {
  // The client's type leaves the options out; its own libraries read them there too.
  const { options } = connection as unknown as { readonly options: { readonly inboxPrefix?: string } }
  return createInbox(options.inboxPrefix)
}

const timeoutMs = 5_000

function onlyAfter(sequence: number): MsgHdrs {
  const condition = headers()
  condition.set(PubHeaders.ExpectedLastSubjectSequenceHdr, String(sequence))
  return condition
}

/**
 * Publishes to streams and waits until they hold what was published. The client's own way costs more than twice the
 * processor time, for an error and a race of promises that it makes for each message.
 */
export class Publisher {
  readonly #inbox: string
  readonly #awaited = new Map<string, (answer: Msg | undefined) => void>()
  #count = 0

  constructor(private readonly connection: NatsConnection) {
    this.#inbox = newInbox(connection)
  }

  /**
   * @param after the sequence of the subject's last message, 0 for none: what is published counts only if that is so.
   * Default: it counts in any case.
   * @returns its sequence in the stream.
   * @throws JetStreamApiError when the stream refuses it; TimeoutError or NoRespondersError when it is not known to be
   * stored.
   */
  async publish(subject: string, text: string, after?: number): Promise<number> {
    const answer = await this.#ask(subject, text, after)
    if (answer === undefined) throw new TimeoutError()
    if (answer.headers?.code === 503) throw new NoRespondersError(subject)
    const { seq, error } = answer.json<{ seq: number; error?: ApiError }>()
    if (error !== undefined) throw new JetStreamApiError(error)
    return seq
  }

  #ask(subject: string, text: string, after: number | undefined): Promise<Msg | undefined> {
    if (this.#count === 0) this.#listen()
    const reply = `${this.#inbox}.${++this.#count}`
    this.connection.publish(subject, text, { reply, ...(after === undefined ? {} : { headers: onlyAfter(after) }) })
    return new Promise((resolve) => {
      const settle = (answer: Msg | undefined): void => {
        cancel()
        this.#awaited.delete(reply)
        resolve(answer)
      }
      const cancel = systemClock.after(timeoutMs, () => settle(undefined))
      this.#awaited.set(reply, settle)
    })
  }

  #listen(): void {
    const callback = (error: Error | null, message: Msg): void => {
      if (error === null) this.#awaited.get(message.subject)?.(message)
    }
    this.connection.subscribe(`${this.#inbox}.*`, { callback })
  }
}
