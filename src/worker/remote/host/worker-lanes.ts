import type { Msg, Subscription } from '@nats-io/transport-node'
import type { Clock } from '../../../core/clock.js'
import { larger, type HostShares, type Shares } from '../../host-shares.js'
import { apiPrefixOf, expectRefusals } from '../wire/connect.js'
import { isDenied } from '../wire/nats-errors.js'
import { defaultLane, lacking, type Abilities, type Needs } from '../wire/needs.js'
import { decode, laneMessage } from '../wire/protocol.js'
import type { Broker } from '../wire/streams.js'
import type { TimeLeft } from './time-left.js'

/**
 * The lanes of the queue whose trials this worker can run. They are heard of as they are announced, and read with every
 * beat, since what is said may be lost.
 */
export class WorkerLanes {
  readonly #needs = new Map<string, Needs>()
  /** Lanes whose trials it could not run after all, and until when it leaves them alone (of the monotonic clock). */
  readonly #left = new Map<string, number>()
  readonly #waiting = new Set<() => void>()
  #readUpTo = 0
  #areOpen = false

  constructor(
    private readonly broker: Broker,
    private readonly own: { readonly codeVersion: string; readonly abilities: Abilities },
    private readonly clock: Clock,
    private readonly timeLeft: TimeLeft,
  ) {}

  /** Whether the server lets this worker look into lanes; one whose key an earlier version wrote may not. */
  get areOpen(): boolean {
    return this.#areOpen
  }

  /** Learns which lanes there are, and hears of others from then on, if the server lets it. */
  async open(): Promise<Subscription | undefined> {
    const { nc, names } = this.broker
    expectRefusals(nc, `${apiPrefixOf(nc)}.DIRECT.GET.KV_${names.lanes}`)
    this.#areOpen = true
    await this.learn()
    return this.#areOpen ? this.#listen() : undefined
  }

  #listen(): Subscription {
    const { nc, names } = this.broker
    const callback = (error: Error | null, message: Msg): void => {
      if (error !== null) return
      const isRemoval = (message.headers?.get('KV-Operation') ?? '') !== ''
      this.#hear(message.subject, isRemoval ? undefined : message.string())
    }
    return nc.subscribe(`$KV.${names.lanes}.*`, { callback })
  }

  /** Reads what was announced since it last read; nothing where no orchestrator has made any lane. */
  async learn(): Promise<void> {
    const { reads, names } = this.broker
    while (this.#areOpen) {
      const entry = await reads
        .next(`KV_${names.lanes}`, `$KV.${names.lanes}.*`, this.#readUpTo + 1)
        .catch((error: unknown) => {
          if (isDenied(error)) this.#areOpen = false
          return undefined
        })
      if (entry === undefined) return
      this.#readUpTo = entry.sequence
      this.#hear(entry.subject, entry.isRemoval ? undefined : entry.text)
    }
  }

  #hear(subject: string, text: string | undefined): void {
    const lane = subject.split('.').at(-1)!
    const needs = text === undefined ? undefined : decode(laneMessage, text)?.needs
    if (needs === undefined || lacking(needs, this.own) !== undefined) this.#needs.delete(lane)
    else this.#needs.set(lane, needs)
    this.wake()
  }

  /** Told when there may be more to choose from than before. @returns what ends that. */
  onMore(ask: () => void): () => void {
    this.#waiting.add(ask)
    return () => void this.#waiting.delete(ask)
  }

  /** A lane was announced, or what a trial took is free again: slots that wait ask anew. */
  wake(): void {
    for (const ask of this.#waiting) ask()
  }

  /**
   * Where to ask for a trial, and what one of them takes at most: lanes whose trials find enough that is free, and can end before
   * this worker leaves; and the lane of earlier versions, of which nothing is known.
   */
  choose(host: HostShares): { readonly lanes: readonly string[]; readonly most: Shares } {
    const now = this.clock.monotonic()
    const lanes: string[] = [defaultLane]
    let most: Shares = { gpu: 0, memoryGb: 0 }
    for (const [lane, needs] of this.#needs) {
      const both = larger(most, needs)
      if ((this.#left.get(lane) ?? 0) > now || !host.fits(both)) continue
      if (!this.timeLeft.suffices(lane, { limitMs: needs.timeLimitMs })) continue
      most = both
      lanes.push(lane)
    }
    return { lanes, most }
  }

  /** What a trial of this lane takes. */
  shares(lane: string): Shares {
    return this.#needs.get(lane) ?? { gpu: 0, memoryGb: 0 }
  }

  /** After so long a trial of this lane is ended; `undefined` where that is not known. */
  limitMs(lane: string): number | undefined {
    return this.#needs.get(lane)?.timeLimitMs
  }

  /** Leaves a lane to other workers for a lease: this one could not run a trial of it. */
  leave(lane: string): void {
    this.#left.set(lane, this.clock.monotonic() + this.broker.leaseMs)
  }
}
