import type { Change, Snapshot, SweepLine } from '../wire.js'
import { whileSeen, type Stream } from './while-seen.js'

/** `lost`: it is tried again and again; `refused`: the address is another server's by now. */
export type Connection = 'connecting' | 'live' | 'lost' | 'refused'

export interface FeedHandlers {
  readonly onSweeps: (told: { readonly ids?: readonly string[]; readonly lines: readonly SweepLine[] }) => void
  readonly onSnapshot: (snapshot: Snapshot) => void
  readonly onChange: (change: Change) => void
  readonly onConnection: (connection: Connection) => void
}

/**
 * The one stream of a page. A connection that was lost goes on where it was: the browser says the id of the last message,
 * and so does this when it connects anew by itself.
 */
export class Feed {
  #lastId: string | undefined
  readonly #stream: Stream

  constructor(
    private readonly sweep: string | undefined,
    private readonly handlers: FeedHandlers,
  ) {
    this.#stream = whileSeen(() => this.#open())
  }

  connect(): void {
    this.#stream.connect()
  }

  #open(): EventSource {
    const { handlers } = this
    const query = new URLSearchParams()
    if (this.sweep !== undefined) query.set('sweep', this.sweep)
    if (this.#lastId !== undefined) query.set('since', this.#lastId)
    const source = new EventSource(`./events?${query.toString()}`)
    const on = <T>(event: string, take: (told: T) => void): void =>
      source.addEventListener(event, (message: MessageEvent<string>) => {
        this.#lastId = message.lastEventId
        take(JSON.parse(message.data) as T)
      })
    on('sweeps', handlers.onSweeps)
    on('snapshot', handlers.onSnapshot)
    on('change', handlers.onChange)
    source.onopen = () => handlers.onConnection('live')
    source.onerror = () => handlers.onConnection(source.readyState === EventSource.CLOSED ? 'refused' : 'lost')
    handlers.onConnection('connecting')
    return source
  }

  close(): void {
    this.#stream.close()
  }
}
