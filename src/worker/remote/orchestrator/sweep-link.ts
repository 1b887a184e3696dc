import { JetStreamApiError } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Clock } from '../../../core/clock.js'
import { UnavailableError } from '../../../core/errors.js'
import { retry } from '../../../system/retry.js'
import type { Store } from '../../../system/store.js'
import { sweepToken, type Names, type RunKey } from '../wire/names.js'
import { isDenied, isPassing } from '../wire/nats-errors.js'
import { encode, type OrderMessage } from '../wire/protocol.js'
import type { OrchestratorBroker } from '../wire/streams.js'
import { SweepTokens } from '../wire/sweep-tokens.js'

export interface SweepLinkOptions {
  readonly connection: NatsConnection
  readonly sweep: string
  /** Where artifacts come to and parents' artifacts are read from. */
  readonly store: Store
  readonly clock: Clock
  readonly warn: (message: string) => void
}

/** One sweep's connection to its server: what every part of its orchestrator works with. */
export class SweepLink {
  readonly sweep: string
  /** What stands for the sweep in subjects and keys. */
  readonly token: string
  readonly store: Store
  readonly clock: Clock
  readonly warn: (message: string) => void
  readonly names: Names
  readonly connection: NatsConnection
  /** Shown by whoever writes of a run that it was given it. None until the sweep's are known. */
  tokens = new SweepTokens()
  readonly #ending = new AbortController()
  readonly #said = new Set<string>()
  #malformed = 0

  constructor(
    readonly broker: OrchestratorBroker,
    { connection, sweep, store, clock, warn }: SweepLinkOptions,
  ) {
    this.sweep = sweep
    this.token = sweepToken(sweep)
    this.store = store
    this.clock = clock
    this.warn = warn
    this.names = broker.names
    this.connection = connection
  }

  /** Ends what is repeated: the backend is being closed. */
  end(): void {
    this.#ending.abort()
  }

  get isEnding(): boolean {
    return this.#ending.signal.aborted
  }

  /** Messages that were none of mlds. */
  get malformed(): number {
    return this.#malformed
  }

  /** Repeats through troubles of the connection: a message may be stored and its answer lost, which is harmless here. */
  persist<T>(act: () => Promise<T>): Promise<T> {
    return retry(act, {
      clock: this.clock,
      signal: this.#ending.signal,
      mayPass: (error) => isPassing(error) && !this.connection.isClosed(),
      pauseMs: () => 500,
    })
  }

  /** To whoever runs the trial; it may be lost. */
  order(run: RunKey, message: OrderMessage): void {
    if (!this.connection.isClosed()) this.connection.publish(this.names.order(run), encode(message))
  }

  complain(what: string): void {
    this.#malformed++
    this.warnOnce(`something malformed was passed over: ${what}`)
  }

  warnOnce(message: string): void {
    if (this.#said.has(message) || this.#said.size > 1_000) return
    this.#said.add(message)
    this.warn(message)
  }

  /** What a person can do about an error of the server; others are told as they are. */
  async explain(error: Error): Promise<Error> {
    const isGone = this.connection.isClosed()
    if (!isGone && !isDenied(error) && !(error instanceof JetStreamApiError)) return error
    const { message } = (isGone ? await this.connection.closed() : undefined) ?? error
    const what = isGone
      ? 'the NATS server ended the connection for good'
      : 'the NATS server refuses what the sweep needs'
    return new UnavailableError(`${what}: ${message}`, {
      hint: `nothing is lost; when the server lets this sweep in again, go on with: mlds resume ${this.sweep}`,
      cause: error,
    })
  }
}
