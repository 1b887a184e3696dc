import type { KvWatchEntry } from '@nats-io/kv'
import type { QueuedIterator } from '@nats-io/transport-node'
import { recallQueued } from '../wire/sweep-control.js'
import { controlMessage, decodeKept, type ControlMessage } from '../wire/protocol.js'
import { patiently } from '../wire/streams.js'
import type { Flights } from './flights.js'
import type { SweepLink } from './sweep-link.js'
import type { TrialQueue } from './trial-queue.js'

/** What a person wants of the sweep, from whatever host: obeyed as long as it runs. */
export class Controls {
  /** Why nothing runs any more. */
  #cancelled: string | undefined
  #entries: QueuedIterator<KvWatchEntry> | undefined

  constructor(
    private readonly link: SweepLink,
    private readonly flights: Flights,
    private readonly queue: TrialQueue,
  ) {}

  get cancelled(): string | undefined {
    return this.#cancelled
  }

  async watch(): Promise<void> {
    this.#entries = await patiently(() => this.link.broker.controls.watch({ key: this.link.token }))
    void this.#obey(this.#entries)
  }

  async #obey(entries: AsyncIterable<KvWatchEntry>): Promise<void> {
    for await (const entry of entries) {
      const control = this.#read(entry)
      if (control === undefined) continue
      try {
        if (control.wanted === 'cancel') await this.#cancel(`cancelled by ${control.by}`)
        else if (control.wanted === 'pause') await this.#pause(control.by)
        else await this.#unpause(control.by)
      } catch (error) {
        this.link.warn(`what ${control.by} wants (${control.wanted}) could not be done: ${(error as Error).message}`)
      }
    }
  }

  #read(entry: KvWatchEntry): ControlMessage | undefined {
    try {
      return entry.operation === 'PUT'
        ? decodeKept(controlMessage, entry.string(), 'what somebody wants of the sweep')
        : undefined
    } catch (error) {
      this.link.warn(`${(error as Error).message}: it is not obeyed`)
      return undefined
    }
  }

  async #pause(by: string): Promise<void> {
    const { broker, token, tokens, sweep, warn } = this.link
    if (this.queue.paused || this.#cancelled !== undefined) return
    this.queue.paused = true
    const recalled = await recallQueued(broker, tokens, { sweep: token })
    warn(
      `paused by ${by}: ${recalled.length} trials wait here, what runs goes on; mlds resume ${sweep} sets it going again`,
    )
  }

  async #unpause(by: string): Promise<void> {
    if (!this.queue.paused) return
    this.queue.paused = false
    this.link.warn(`set going again by ${by}`)
    for (const flight of this.flights.open()) await this.queue.put(flight)
  }

  async #cancel(reason: string): Promise<void> {
    const { broker, names, token, warn } = this.link
    if (this.#cancelled !== undefined) return
    this.#cancelled = reason
    warn(reason)
    for (const flight of this.flights.open()) this.flights.cancel(flight, reason)
    await broker.jsm.streams.purge(names.trials, { filter: names.trial({ sweep: token }) })
  }

  close(): void {
    this.#entries?.stop()
  }
}
