import type { NatsConnection } from '@nats-io/transport-node'
import type { Clock } from '../../../core/clock.js'
import type { TrialId } from '../../../core/trial.js'
import type { CustomExperiment } from '../../../experiments/custom/source.js'
import type { Store } from '../../../system/store.js'
import type { ThreadsBackend } from '../../threads/threads.js'
import type { RunKey } from '../wire/names.js'
import { tagged } from '../wire/run-tokens.js'
import { encode, oldestProtocol, type EventMessage } from '../wire/protocol.js'
import { maxInlineBytes, type Broker } from '../wire/streams.js'
import type { ActiveTrial } from './active-trial.js'
import type { PulledTrial } from './pull.js'

export interface WorkerOptions {
  /** Owned by the worker: drained at its end. */
  readonly connection: NatsConnection
  readonly tenant: string
  /** Its name among workers: letters, digits and dashes. */
  readonly name: string
  /** Trials at once, each on a thread of its own. */
  readonly slots: number
  readonly store: Store
  readonly clock: Clock
  /** Used when the worker is the first to come and makes the queue. Default 30 s. */
  readonly leaseMs?: number
  readonly heapMb?: number
  /** Where trials' logs go. Default: `worker-logs` in the store. */
  readonly logsFolder?: string
  /** Experiments that are not built in, which it was given. Default: none. */
  readonly custom?: readonly CustomExperiment[]
  /** Take no more trials; end when those that run have ended. */
  readonly drain: AbortSignal
  /** Hand back what runs and end. */
  readonly abort: AbortSignal
  readonly say: (message: string) => void
  /** What it calls its own version. Default: this package's. */
  readonly codeVersion?: string
}

/** One trial on one slot. */
export interface Running {
  readonly sweep: string
  readonly active: ActiveTrial
  readonly attempt: number
  readonly sinceMs: number
}

/** What every part of a worker works with. */
export class WorkerContext {
  readonly #running = new Map<TrialId, Running>()
  /** Told when a trial begins to run here, or runs no longer. */
  onChange = (): void => {}
  readonly tally = { done: 0, malformed: 0, refused: 0, fenced: 0 }
  readonly #said = new Set<string>()

  constructor(
    readonly options: WorkerOptions,
    readonly broker: Broker,
    readonly threads: ThreadsBackend,
  ) {}

  get running(): ReadonlyMap<TrialId, Running> {
    return this.#running
  }

  begin(running: Running): void {
    this.#running.set(running.active.key.trial, running)
    this.onChange()
  }

  end(trial: TrialId): void {
    this.#running.delete(trial)
    this.onChange()
  }

  /** The trial if just this run of it runs here. */
  find(key: RunKey): Running | undefined {
    const running = this.#running.get(key.trial)
    const isSame = running?.active.key.sweep === key.sweep && running.active.key.generation === key.generation
    return isSame ? running : undefined
  }

  /** Live news; what is too large to be told live comes with the result. */
  publish(key: RunKey, event: EventMessage): void {
    const { connection } = this.options
    const text = encode(event)
    if (!connection.isClosed() && Buffer.byteLength(text) <= maxInlineBytes)
      connection.publish(this.broker.names.event(tagged(key, 'event')), text)
  }

  throwAway(what: string): void {
    this.options.say(`a malformed message was thrown away (${++this.tally.malformed} so far): ${what.slice(0, 200)}`)
  }

  /** Left to other workers, ever later, so that one that can't run a trial does not spin on it. */
  leaveToOthers(pulled: PulledTrial, key: RunKey, error: Error): void {
    this.tally.refused++
    const words = { name: error.name.slice(0, 200), message: error.message.slice(0, 2_000) }
    if (!this.#said.has(words.message)) this.options.say(`trials are left to other workers: ${words.message}`)
    this.#said.add(words.message)
    this.publish(key, { type: 'refused', v: oldestProtocol, worker: this.options.name, error: words })
    pulled.nak(Math.min(this.broker.leaseMs, 1_000 * pulled.count))
  }
}
