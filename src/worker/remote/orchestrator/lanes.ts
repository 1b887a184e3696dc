import { StorageType } from '@nats-io/jetstream'
import { Kvm, type KV } from '@nats-io/kv'
import type { Assignment } from '../../../core/trial.js'
import { laneIn, nameRun, runOf, type RunKey } from '../wire/names.js'
import { isTaken } from '../wire/nats-errors.js'
import { defaultLane, laneOf, type Needs } from '../wire/needs.js'
import { encode, oldestProtocol, type LaneMessage } from '../wire/protocol.js'
import { consumerConfig, subjectsOf } from '../wire/streams.js'
import type { SweepLink } from './sweep-link.js'

/** The lanes of one sweep's trials: each has a consumer, and an entry by which workers know whether to ask it. */
export class Lanes {
  #bucket!: KV
  readonly #needs = new Map<string, Needs>()
  /** By what tells trials apart: to hash the needs of each trial would cost more than to queue it. */
  readonly #known = new Map<string, string>()
  /** The revision of each lane's entry, once this process has written it. */
  readonly #opened = new Map<string, Promise<number>>()

  /** Runs that an earlier process left in the queue, and where. */
  readonly #queued = new Map<string, string>()

  /** @param describe what a trial needs; the same for all of one experiment, version and stage. */
  constructor(
    private readonly link: SweepLink,
    private readonly describe: (assignment: Assignment) => Needs,
  ) {}

  /** Makes the bucket where it is missing, and learns what is queued already: an earlier version knew of no lanes. */
  async look(): Promise<void> {
    const { broker, names, token } = this.link
    const { num_replicas: replicas } = (await broker.jsm.streams.info(names.trials)).config
    this.#bucket = await new Kvm(broker.js).create(names.lanes, { storage: StorageType.File, replicas })
    for (const subject of await subjectsOf(broker.jsm, names.trials, names.trial({ sweep: token }))) {
      const run = runOf(subject)
      if (run !== undefined) this.#queued.set(nameRun(run), laneIn(subject))
    }
  }

  /** From now on these trials wait in the lane of earlier versions, where workers look who know of no other. */
  fallBack(lane: string): void {
    for (const [kind, known] of this.#known) if (known === lane) this.#known.set(kind, defaultLane)
  }

  laneOf(assignment: Assignment, run: RunKey): string {
    const { experiment, version, stage } = assignment.trial
    const kind = `${experiment} ${version} ${stage}`
    let lane = this.#known.get(kind)
    if (lane === undefined) {
      const needs = this.describe(assignment)
      lane = laneOf(needs)
      this.#known.set(kind, lane)
      this.#needs.set(lane, needs)
    }
    return this.#queued.get(nameRun(run)) ?? lane
  }

  /** What trials of this lane need; `undefined` where another process chose it. */
  needs(lane: string): Needs | undefined {
    return this.#needs.get(lane)
  }

  /** Makes the lane known to workers before the first trial is queued in it. */
  async ready(lane: string): Promise<void> {
    const needs = this.#needs.get(lane)
    if (needs === undefined) return
    const opened = this.#opened.get(lane) ?? this.#announce(lane, needs)
    this.#opened.set(lane, opened)
    await opened.catch((error: unknown) => {
      this.#opened.delete(lane)
      throw error
    })
  }

  async #announce(lane: string, needs: Needs): Promise<number> {
    const message: LaneMessage = { v: oldestProtocol, needs }
    await this.makeConsumer(lane)
    return this.#bucket.put(lane, encode(message))
  }

  /** Does nothing where it is there. */
  async makeConsumer(lane: string): Promise<void> {
    const { broker, names } = this.link
    await broker.jsm.consumers.add(names.trials, consumerConfig(names, broker.leaseMs, lane))
  }

  /** Takes away what this process was the last to announce and where nothing waits: idle workers ask every lane there is. */
  async close(): Promise<void> {
    const { broker, names } = this.link
    for (const [lane, opened] of this.#opened) {
      const consumer = names.consumer(lane)
      const { num_pending, num_ack_pending } = await broker.jsm.consumers.info(names.trials, consumer)
      if (num_pending + num_ack_pending > 0) continue
      await broker.jsm.consumers.delete(names.trials, consumer)
      try {
        await this.#bucket.purge(lane, { previousSeq: await opened })
      } catch (error) {
        // Another sweep uses it since.
        if (isTaken(error)) await this.makeConsumer(lane)
        else throw error
      }
    }
  }
}
