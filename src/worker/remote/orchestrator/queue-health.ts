/** What the queue looks like at one moment. */
export interface QueueSight {
  /** Of the monotonic clock. */
  readonly atMs: number
  /** Subjects of this sweep that the stream holds, delivered or not. */
  readonly held: ReadonlySet<string>
  /** Of all sweeps: what waits to be delivered, and what was delivered and not yet acknowledged. */
  readonly pending: number
  readonly outstanding: number
  /** Deliveries since the consumer was made. */
  readonly delivered: number
  /** Slots that were free by what workers said after {@link QueueWatch.quietSinceMs}. */
  readonly freeSlots: number
}

export interface QueueTroubles {
  /** Waited for, but not in the queue. */
  readonly gone: readonly string[]
  /** In the queue, but the server will never deliver it (2.9 after its own crash, or too many deliveries). */
  readonly orphaned: readonly string[]
  /** Trials wait, slots are free, nothing is delivered. */
  readonly stalled: boolean
}

/**
 * Tells real troubles from moments: the sight is put together from several answers, between which a trial may end. What
 * was wrong twice in a row is wrong.
 */
export class QueueWatch {
  /** When a delivery was last seen: what workers said of their free slots before may have changed with it. */
  quietSinceMs = 0
  #gone = new Set<string>()
  #orphaned = new Set<string>()
  #delivered = -1
  #idleLooks = 0

  /** Called once a lease; `awaited` are the subjects of trials without a result. */
  judge(sight: QueueSight, awaited: readonly string[]): QueueTroubles {
    const gone = new Set(awaited.filter((subject) => !sight.held.has(subject)))
    const quiet = sight.pending === 0 && sight.outstanding === 0
    const orphaned = new Set(quiet ? sight.held : [])
    const idle = sight.pending > 0 && sight.freeSlots > 0 && sight.delivered === this.#delivered
    if (sight.delivered !== this.#delivered) this.quietSinceMs = sight.atMs
    this.#idleLooks = idle ? this.#idleLooks + 1 : 0
    const troubles = {
      gone: [...gone].filter((subject) => this.#gone.has(subject)),
      orphaned: [...orphaned].filter((subject) => this.#orphaned.has(subject)),
      stalled: this.#idleLooks >= 2,
    }
    this.#gone = gone
    this.#orphaned = orphaned
    this.#delivered = sight.delivered
    if (troubles.stalled) this.#idleLooks = 0
    return troubles
  }
}
