import { headers, type NatsConnection } from '@nats-io/transport-node'
import { accountKeyOf } from '../wire/confinement.js'
import { apiPrefixOf } from '../wire/connect.js'
import type { Names } from '../wire/names.js'

/** For an answer: words arrive whether it is awaited or not, and a leaving worker waits for no other. */
const timeoutMs = 1_000

/** A worker's own entry in the bucket of workers. */
export class Presence {
  readonly #subject: string

  constructor(
    private readonly connection: NatsConnection,
    { workers }: Names,
    name: string,
  ) {
    const key = accountKeyOf(connection)
    const prefix = apiPrefixOf(connection)
    // Of another JetStream than the connected server's own, buckets are reached by its prefix.
    const place = key !== undefined || prefix === '$JS.API' ? '' : `${prefix}.`
    this.#subject = `${place}$KV.${workers}.${key === undefined ? '' : `${key}.`}${name}`
  }

  /** Says that the worker is there; lost words are said again with the next beat. */
  async tell(words: string): Promise<void> {
    await this.connection.request(this.#subject, words, { timeout: timeoutMs }).catch(() => {})
  }

  /** Says that it is gone. */
  async end(): Promise<void> {
    const removal = headers()
    removal.set('KV-Operation', 'DEL')
    await this.connection.request(this.#subject, '', { timeout: timeoutMs, headers: removal }).catch(() => {})
  }
}
