import type { QueuedIterator } from '@nats-io/transport-node'
import type { KV, KvWatchEntry } from '@nats-io/kv'
import type { Clock } from '../../../core/clock.js'
import type { TrialId } from '../../../core/trial.js'
import { lacking, type Needs } from '../wire/needs.js'
import { decode, workerMessage, type WorkerMessage } from '../wire/protocol.js'
import { presenceMs } from '../wire/streams.js'

/** The workers that spoke lately, as one orchestrator sees them. Judged by when their word came, not by anyone's wall clock. */
export class Fleet {
  readonly #seen = new Map<string, { message: WorkerMessage; heardMs: number }>()
  #watch: QueuedIterator<KvWatchEntry> | undefined

  private constructor(
    private readonly clock: Clock,
    private readonly onChange: () => void,
  ) {}

  /** @param onChange told when a worker comes, goes, or says something else than before. */
  static async watch(workers: KV, clock: Clock, onChange: () => void): Promise<Fleet> {
    const fleet = new Fleet(clock, onChange)
    fleet.#watch = await workers.watch()
    void fleet.#follow(fleet.#watch)
    return fleet
  }

  async #follow(entries: AsyncIterable<KvWatchEntry>): Promise<void> {
    for await (const entry of entries) {
      const message = entry.operation === 'PUT' ? decode(workerMessage, entry.string()) : undefined
      if (message === undefined) this.#seen.delete(entry.key)
      else this.#seen.set(entry.key, { message, heardMs: this.clock.monotonic() })
      this.onChange()
    }
  }

  workers(): WorkerMessage[] {
    return this.#heardSince(this.clock.monotonic() - presenceMs)
  }

  #heardSince(sinceMs: number): WorkerMessage[] {
    return [...this.#seen.values()].flatMap(({ message, heardMs }) => (heardMs < sinceMs ? [] : message))
  }

  /**
   * Slots for trials that need this which were free by what workers said after `sinceMs` of the monotonic clock. What is
   * busy may have taken the devices or the memory that such a trial needs. Workers that run the trial `without` are left out.
   */
  freeSlots(needs: Needs, sinceMs: number, { without }: { readonly without?: TrialId } = {}): number {
    const recent = this.#heardSince(Math.max(sinceMs, this.clock.monotonic() - presenceMs))
    const takesShare = needs.gpu > 0 || needs.memoryGb > 0
    const able = recent.filter(
      (worker) =>
        !worker.draining &&
        lacking(needs, worker) === undefined &&
        !(takesShare && worker.running.length > 0) &&
        worker.running.every(({ trial }) => trial !== without),
    )
    return able.reduce((sum, { free }) => sum + free, 0)
  }

  slots(): number {
    return this.workers().reduce((sum, { slots, draining }) => sum + (draining ? 0 : slots), 0)
  }

  close(): void {
    this.#watch?.stop()
  }
}

/** All workers that spoke lately, once. */
export async function listWorkers(workers: KV): Promise<WorkerMessage[]> {
  const found: WorkerMessage[] = []
  for await (const key of await workers.keys()) {
    const entry = await workers.get(key)
    const message = entry?.operation === 'PUT' ? decode(workerMessage, entry.string()) : undefined
    if (message !== undefined) found.push(message)
  }
  return found.sort((a, b) => (a.worker < b.worker ? -1 : 1))
}
