/** What the queue looks like at one moment. */
export interface QueueSnapshot {
  /** Of the monotonic clock. */
  readonly atMs: number
  /** Subjects of this sweep that the stream holds, delivered or not. */
  readonly held: ReadonlySet<string>
  /** Of all sweeps: what waits to be delivered, and what was delivered and not yet acknowledged. */
  readonly pending: number
  readonly outstanding: number
  /** Deliveries since the consumer was made. */
  readonly delivered: number
  /** Slots that were free by what workers said after {@link QueueHealth.quietSinceMs}. */
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
 * A snapshot joins several replies, and a trial may end in between: only what two snapshots in a row show is reported.
 */
export class QueueHealth {
  /** When a delivery was last seen: what workers said of their free slots before may have changed with it. */
  quietSinceMs = 0
  #gone = new Set<string>()
  #orphaned = new Set<string>()
  #delivered = -1
  #idleSnapshots = 0

  /** Called once a lease; `awaited` are the subjects of trials without a result. */
  judge(snapshot: QueueSnapshot, awaited: readonly string[]): QueueTroubles {
    const gone = new Set(awaited.filter((subject) => !snapshot.held.has(subject)))
    const quiet = snapshot.pending === 0 && snapshot.outstanding === 0
    const orphaned = new Set(quiet ? snapshot.held : [])
    const idle = snapshot.pending > 0 && snapshot.freeSlots > 0 && snapshot.delivered === this.#delivered
    if (snapshot.delivered !== this.#delivered) this.quietSinceMs = snapshot.atMs
    this.#idleSnapshots = idle ? this.#idleSnapshots + 1 : 0
    const troubles = {
      gone: [...gone].filter((subject) => this.#gone.has(subject)),
      orphaned: [...orphaned].filter((subject) => this.#orphaned.has(subject)),
      stalled: this.#idleSnapshots >= 2,
    }
    this.#gone = gone
    this.#orphaned = orphaned
    this.#delivered = snapshot.delivered
    if (troubles.stalled) this.#idleSnapshots = 0
    return troubles
  }
}
