import type { Clock } from '../../../core/clock.js'

const maxToldLanes = 200

/** How long a worker may run still, and what trials took of that. */
export class TimeLeft {
  /** Of each lane, the trial that took longest here. */
  readonly #longest = new Map<string, { readonly tookMs: number; readonly cost: number }>()
  readonly #untilMs: number

  /** @param forMs from now on, until it begins to leave; `undefined`: nobody ends it. */
  constructor(
    private readonly clock: Clock,
    forMs: number | undefined,
  ) {
    this.#untilMs = forMs === undefined ? Infinity : clock.monotonic() + forMs
  }

  /** `undefined` where it has no limit. */
  get leftMs(): number | undefined {
    return this.#untilMs === Infinity ? undefined : Math.max(0, Math.round(this.#untilMs - this.clock.monotonic()))
  }

  /** A trial of this lane has run for so long here. */
  learn(lane: string, tookMs: number, cost: number): void {
    const longest = this.#longest.get(lane)
    if (longest === undefined || longest.tookMs < tookMs) this.#longest.set(lane, { tookMs, cost })
  }

  /** What the longest trial of each lane took here, which the next may take again. */
  get took(): [lane: string, tookMs: number][] {
    return [...this.#longest].slice(-maxToldLanes).map(([lane, { tookMs }]) => [lane, Math.round(tookMs)])
  }

  /**
   * Whether a trial of this lane would have ended before the time is up: by its own limit, if it has one; else by what the longest
   * took here, and more in proportion if it is said to cost more. Of a lane of which nothing is known, it may be tried.
   */
  suffices(
    lane: string,
    { limitMs, cost = 0 }: { readonly limitMs?: number | undefined; readonly cost?: number },
  ): boolean {
    const { leftMs = Infinity } = this
    const { tookMs = 0, cost: known = 0 } = this.#longest.get(lane) ?? {}
    return (limitMs ?? tookMs * (known > 0 ? Math.max(1, cost / known) : 1)) <= leftMs && leftMs > 0
  }
}
