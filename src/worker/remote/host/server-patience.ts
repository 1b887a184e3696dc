import type { NatsConnection } from '@nats-io/transport-node'
import type { Clock } from '../../../core/clock.js'

/** How long a worker waits for a server that is away. */
export class ServerPatience {
  readonly #lost = new AbortController()
  #cancel: (() => void) | undefined

  /** @param patienceMs `Infinity`: for ever. */
  constructor(
    private readonly clock: Clock,
    private readonly patienceMs: number,
  ) {}

  /** Aborts once the server has been away for so long. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** It is away now. */
  away(): void {
    if (this.patienceMs === Infinity) return
    this.#cancel ??= this.clock.after(this.patienceMs, () => this.#lost.abort())
  }

  /** It is there now. */
  back(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** Watches a connection that stands, until it is closed. */
  async follow(connection: Pick<NatsConnection, 'status'>): Promise<void> {
    this.back()
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') this.away()
      else if (type === 'reconnect') this.back()
    }
    this.back()
  }
}
