import type { NatsConnection } from '@nats-io/transport-node'
import type { Clock } from '../../../core/clock.js'
import type { TrialId } from '../../../core/trial.js'
import type { CustomExperiment } from '../../../experiments/custom/source.js'
import type { Store } from '../../../system/store.js'
import type { ThreadsBackend } from '../../threads/threads.js'
import type { RunKey } from '../wire/names.js'
import { defaultLane } from '../wire/needs.js'
import { tagged } from '../wire/run-tokens.js'
import { encode, oldestProtocol, type EventMessage, type LogMessage } from '../wire/protocol.js'
import { maxInlineBytes, type Broker } from '../wire/streams.js'
import type { AcceptedCodeChoice } from './accepted-code.js'
import type { ActiveTrial } from './active-trial.js'
import type { BegunAttempt } from './attempts.js'
import type { TimeLeft } from './time-left.js'
import { readPiece } from './log-pieces.js'
import type { CarriedCheckpoints } from './carried-checkpoints.js'
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
  /** At most so often a trial keeps a checkpoint. Default: a minute. */
  readonly checkpointEveryMs?: number
  /** Where trials' logs go. Default: `worker-logs` in the store. */
  readonly logsFolder?: string
  /** Experiments that are not built in, which it was given. Default: none. */
  readonly custom?: readonly CustomExperiment[]
  /** Code that comes with trials. Default: none is taken. */
  readonly acceptCode?: AcceptedCodeChoice
  /** Take no more trials; end when those that run have ended. */
  readonly drain: AbortSignal
  /** What runs keeps a checkpoint where it can, and is handed back there. Default: never. */
  readonly leave?: AbortSignal
  /** From now on, until it will be told to leave: it begins no trial that takes longer. Default: nobody knows. */
  readonly timeLimitMs?: number
  /** Ends once it has had no trial for so long. Default: never. */
  readonly idleTimeoutMs?: number
  /** Hand back what runs and end. */
  readonly abort: AbortSignal
  readonly say: (message: string) => void
  /** What trials may ask for by name. Default: none. */
  readonly labels?: readonly string[]
  /** The devices that trials may use, as CUDA names them. Default: nobody knows; trials that ask for one don't come. */
  readonly gpus?: readonly string[]
  /** GB of memory, of 10^9 bytes, that trials may ask for. Default: that of the host. */
  readonly memoryGb?: number
  /** What it calls its own version. Default: this package's. */
  readonly codeVersion?: string
}

/** One trial on one slot. */
export interface Running {
  readonly sweep: string
  readonly active: ActiveTrial
  readonly begun: BegunAttempt
  readonly logFile: string
  readonly sinceMs: number
}

/** What every part of a worker works with. */
export class WorkerContext {
  readonly #running = new Map<TrialId, Running>()
  readonly #claimed = new Map<TrialId, RunKey>()
  /** Told when a trial begins to run here, or runs no longer. */
  onChange = (): void => {}
  readonly tally = { done: 0, malformed: 0, refused: 0, fenced: 0 }
  readonly #said = new Set<string>()

  constructor(
    readonly options: WorkerOptions,
    readonly broker: Broker,
    readonly threads: ThreadsBackend,
    readonly checkpoints: CarriedCheckpoints,
    readonly timeLeft: TimeLeft,
  ) {}

  get running(): ReadonlyMap<TrialId, Running> {
    return this.#running
  }

  /**
   * Gives a trial to one slot, from before its needs are fetched: two runs of it may lie in the queue, and threads know a trial by
   * its id alone, so of two at once one would never hear its end.
   * @returns the run that another slot has; `undefined` when it is the caller's, who must `release` it.
   */
  claim(key: RunKey): RunKey | undefined {
    const other = this.#claimed.get(key.trial)
    if (other === undefined) this.#claimed.set(key.trial, key)
    return other
  }

  release({ trial }: RunKey): void {
    this.#claimed.delete(trial)
  }

  begin(running: Running): void {
    this.#running.set(running.active.key.trial, running)
    this.onChange()
  }

  end(trial: TrialId): void {
    this.#running.delete(trial)
    this.onChange()
  }

  /** Ends it here, for another worker to begin again. */
  handBack(active: ActiveTrial): void {
    active.giveUp({ how: 'handed back', reason: `worker ${this.options.name} was told to go` })
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

  /** Says what the trial's log holds from a byte on; of a run of an earlier version nobody may be told. */
  tellLog({ active: { key }, logFile }: Running, from: number): void {
    const { connection } = this.options
    const piece = readPiece(logFile, from)
    if (key.token === undefined || piece.length === 0 || connection.isClosed()) return
    const words: LogMessage = { v: oldestProtocol, from, base64: piece.toString('base64') }
    connection.publish(this.broker.names.log(tagged(key, 'log')), encode(words))
  }

  throwAway(where: string, what = 'a malformed message'): void {
    this.options.say(`${what} was thrown away (${++this.tally.malformed} so far): ${where.slice(0, 200)}`)
  }

  /**
   * Left to other workers: of a lane at once, since this one asks there no more; of the lane of all ever later, so that one that
   * can't run a trial does not spin on it.
   */
  leaveToOthers(pulled: PulledTrial, key: RunKey, error: Error): void {
    this.tally.refused++
    const words = { name: error.name.slice(0, 200), message: error.message.slice(0, 2_000) }
    if (!this.#said.has(words.message)) this.options.say(`trials are left to other workers: ${words.message}`)
    this.#said.add(words.message)
    this.publish(key, { type: 'refused', v: oldestProtocol, worker: this.options.name, error: words })
    pulled.nak(pulled.lane === defaultLane ? Math.min(this.broker.leaseMs, 1_000 * pulled.count) : 0)
  }
}
