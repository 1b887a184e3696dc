import { JetStreamApiError, type ApiError } from '@nats-io/jetstream'
import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { apiPrefixOf } from './connect.js'

/** A message as a stream keeps it. */
export interface StoredMessage {
  readonly subject: string
  readonly sequence: number
  /** When the server stored it, by the server's clock. */
  readonly storedAtMs: number
  readonly bytes: Uint8Array
  readonly text: string
  /** It says that what its subject named is gone (of a bucket). */
  readonly isRemoval: boolean
}

const timeoutMs = 5_000

/**
 * Reads streams message by message, without a consumer: a worker's account has the right to no more, since a consumer
 * could be told to deliver to any subject of the orchestrators' account (docs/remote.md, Access).
 */
export class DirectReads {
  constructor(private readonly nc: NatsConnection) {}

  /** The subject's latest message; `undefined` when there is none. */
  last(stream: string, subject: string): Promise<StoredMessage | undefined> {
    return this.#read(stream, { last_by_subj: subject })
  }

  /** The first message of the subject at this place of the stream or after it. */
  next(stream: string, subject: string, sequence: number): Promise<StoredMessage | undefined> {
    return this.#read(stream, { next_by_subj: subject, seq: sequence })
  }

  /** The subject's latest message, of which a replica may not know yet. */
  async lastOfLeader(stream: string, subject: string): Promise<string | undefined> {
    const request = JSON.stringify({ last_by_subj: subject })
    const answer = await this.nc.request(`${apiPrefixOf(this.nc)}.STREAM.MSG.GET.${stream}`, request, {
      timeout: timeoutMs,
    })
    const { message, error } = answer.json<{ message?: { data?: string }; error?: ApiError }>()
    if (error !== undefined && error.code !== 404) throw new JetStreamApiError(error)
    return message === undefined ? undefined : Buffer.from(message.data ?? '', 'base64').toString()
  }

  /** @throws RequestError when nobody answers: there is no such stream, or the server is away. */
  async #read(stream: string, query: object): Promise<StoredMessage | undefined> {
    const answer = await this.nc.request(`${apiPrefixOf(this.nc)}.DIRECT.GET.${stream}`, JSON.stringify(query), {
      timeout: timeoutMs,
    })
    const code = answer.headers?.code ?? 0
    if (code === 404) return undefined
    if (code !== 0 || answer.headers === undefined)
      throw new Error(`the NATS server did not read ${stream}: ${code} ${answer.headers?.description ?? ''}`)
    return storedMessage(answer)
  }
}

function storedMessage(answer: Msg): StoredMessage {
  const { headers } = answer
  return {
    subject: headers?.get('Nats-Subject') ?? '',
    sequence: Number(headers?.get('Nats-Sequence')),
    storedAtMs: Date.parse(headers?.get('Nats-Time-Stamp') ?? ''),
    bytes: answer.data,
    get text() {
      return answer.string()
    },
    isRemoval: (headers?.get('KV-Operation') ?? '') !== '',
  }
}
