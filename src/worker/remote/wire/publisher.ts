import { JetStreamApiError, PubHeaders, type ApiError } from '@nats-io/jetstream'
import {
  createInbox,
  headers,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from '@nats-io/transport-node'
import { systemClock } from '../../../core/clock.js'

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
  readonly #awaited = new Map<string, { subject: string; resolve: (answer: Msg | Error | undefined) => void }>()
  #count = 0

  constructor(private readonly connection: NatsConnection) {
    this.#inbox = newInbox(connection)
  }

  /**
   * @param after the sequence of the subject's last message, 0 for none: what is published counts only if that is so.
   * Default: it counts in any case.
   * @returns its sequence in the stream.
   * @throws JetStreamApiError when the stream refuses it; TimeoutError or NoRespondersError when it is not known to be
   * stored; PermissionViolationError when the server lets this connection publish there no more.
   */
  async publish(subject: string, message: string | Uint8Array, after?: number): Promise<number> {
    const answer = await this.#ask(subject, message, after)
    if (answer === undefined) throw new TimeoutError()
    if (answer instanceof Error) throw answer
    if (answer.headers?.code === 503) throw new NoRespondersError(subject)
    const { seq, error } = answer.json<{ seq: number; error?: ApiError }>()
    if (error !== undefined) throw new JetStreamApiError(error)
    return seq
  }

  #ask(subject: string, message: string | Uint8Array, after: number | undefined): Promise<Msg | Error | undefined> {
    if (this.#count === 0) this.#listen()
    const reply = `${this.#inbox}.${++this.#count}`
    this.connection.publish(subject, message, { reply, ...(after === undefined ? {} : { headers: onlyAfter(after) }) })
    return new Promise((resolve) => {
      const settle = (answer: Msg | Error | undefined): void => {
        cancel()
        this.#awaited.delete(reply)
        resolve(answer)
      }
      const cancel = systemClock.after(timeoutMs, () => settle(undefined))
      this.#awaited.set(reply, { subject, resolve: settle })
    })
  }

  #listen(): void {
    const callback = (error: Error | null, message: Msg): void => {
      if (error === null) this.#awaited.get(message.subject)?.resolve(message)
    }
    this.connection.subscribe(`${this.#inbox}.*`, { callback })
    void this.#hearRefusals()
  }

  /** A server does not answer what may not be published: it tells the connection. */
  async #hearRefusals(): Promise<void> {
    for await (const event of this.connection.status()) {
      if (event.type !== 'error' || !(event.error instanceof PermissionViolationError)) continue
      for (const { subject, resolve: settle } of [...this.#awaited.values()])
        if (subject === event.error.subject) settle(event.error)
    }
  }
}
