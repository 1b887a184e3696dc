import { MldsError } from '../../../core/errors.js'
import type { Dataset } from '../../../data/dataset.js'
import { accountKeyOf } from '../wire/confinement.js'
import { runOf, type RunKey } from '../wire/names.js'
import { bucketOf, fetchObject } from '../wire/objects.js'
import {
  decode,
  envelope,
  oldestProtocol,
  protocolVersion,
  queuedTrial,
  storedAssignment,
  type QueuedTrial,
  type TrialMessage,
} from '../wire/protocol.js'
import type { AttemptRunner } from './attempt.js'
import { readAttempt, vanishedBefore } from './attempts.js'
import type { HaltedSweeps } from './halted-sweeps.js'
import { Heartbeat } from './heartbeat.js'
import { Pull, pullMs, type PulledTrial } from './pull.js'
import type { Requirements } from './requirements.js'
import type { SharedExclusiveLock } from './shared-exclusive-lock.js'
import type { WorkerContext } from './worker-context.js'

export interface SlotParts {
  readonly requirements: Requirements
  readonly attempts: AttemptRunner
  /** Held alone by a trial that may take its process along, side by side by others. */
  readonly lock: SharedExclusiveLock
  readonly halted: HaltedSweeps
}

/** One slot of a worker: pulls a trial, runs it, again. */
export class Slot {
  constructor(
    private readonly context: WorkerContext,
    private readonly parts: SlotParts,
  ) {}

  /** Until the worker is drained, or its connection closed for good. */
  async serve(): Promise<void> {
    const { drain, connection, clock } = this.context.options
    const { lock } = this.parts
    const pull = new Pull(this.context.broker, clock)
    let done: PulledTrial | undefined
    const acknowledge = (): void => {
      done?.ack()
      done = undefined
    }
    try {
      while (!drain.aborted && !connection.isClosed()) {
        // A slot that must wait asks for nothing yet.
        if (lock.closed) acknowledge()
        await lock.opened()
        const pulled = await pull.next(done)
        done = undefined
        if (pulled === undefined) continue
        if (drain.aborted) pulled.nak(pullMs)
        else if (await this.#handle(pulled).catch((error: Error) => this.#failed(error))) done = pulled
      }
    } finally {
      acknowledge()
      pull.close()
    }
  }

  #failed(error: Error): boolean {
    this.context.options.say(`a trial could not be run: ${error.message}`)
    return false
  }

  /**
   * Reasons not to run a trial come first, each with its own answer to the server; then it runs.
   * @returns whether it is done, of which the server has yet to be told.
   */
  async #handle(pulled: PulledTrial): Promise<boolean> {
    const { leaseMs } = this.context.broker
    const named = runOf(pulled.subject)
    const queued = decode(queuedTrial, pulled.text)
    if (named === undefined || queued === undefined) return this.#refuse(pulled, named)
    const key = withToken(named, queued.token)
    // The same trial runs here already (this process was frozen, or two sweeps share it): wait for it to end.
    if (this.context.running.has(key.trial)) {
      pulled.nak(leaseMs / 3)
      return false
    }
    if (await this.parts.halted.isHalted(key.sweep)) return true
    const { clock } = this.context.options
    const beat = new Heartbeat(pulled, leaseMs, clock, () => void this.parts.attempts.lookAgain(key))
    try {
      return await this.#run(pulled, key, queued)
    } finally {
      beat.stop()
    }
  }

  /** Not a message of mlds is thrown away; one of another version is left to workers that speak it. */
  #refuse(pulled: PulledTrial, key: RunKey | undefined): false {
    const { v = protocolVersion, token } = decode(envelope, pulled.text) ?? {}
    const isKnown = v >= oldestProtocol && v <= protocolVersion
    if (key === undefined || isKnown) return this.#reject(pulled)
    const error = new MldsError('VERSION', `this worker speaks protocol ${protocolVersion}: ${v}`)
    this.context.leaveToOthers(pulled, withToken(key, token), error)
    return false
  }

  async #run(pulled: PulledTrial, key: RunKey, queued: QueuedTrial): Promise<boolean> {
    const { requirements, attempts, lock } = this.parts
    const trial = await this.#read(queued)
    if (trial === undefined || trial.assignment.trial.id !== key.trial) return this.#reject(pulled)
    let datasets: Dataset[]
    try {
      this.#requireToken(key)
      datasets = await requirements.prepare(trial, this.context.broker)
    } catch (error) {
      this.context.leaveToOthers(pulled, key, error as Error)
      return false
    }
    const leave = await lock.enter(await this.#isLastChance(pulled, key, trial))
    try {
      return await attempts.run({ key, pulled, trial, datasets })
    } finally {
      leave()
    }
  }

  /** The trial of a queued message; `undefined` where what is stored of it is none. */
  async #read(queued: QueuedTrial): Promise<TrialMessage | undefined> {
    if (!('object' in queued)) return queued
    const { broker, options } = this.context
    const { object, ...facts } = queued
    await fetchObject(bucketOf(broker), options.store, object)
    const stored = decode(storedAssignment, new TextDecoder().decode(await options.store.readObject(object)))
    return stored === undefined ? undefined : { ...facts, ...stored }
  }

  /**
   * A trial that takes its process along takes the others of that process too, several times if they are redelivered
   * together. Its last attempt therefore has the worker to itself: what is dead is dead by its own doing.
   */
  async #isLastChance(pulled: PulledTrial, key: RunKey, { maxAttempts }: TrialMessage): Promise<boolean> {
    if (pulled.count === 1) return false
    const last = await readAttempt(this.context.broker, key)
    const vanished = last === undefined ? 0 : vanishedBefore(last.message)
    return vanished > 0 && vanished === maxAttempts - 1
  }

  /** @throws MldsError in an account of a worker's own, which may write nothing of a run without a token. */
  #requireToken({ token }: RunKey): void {
    if (token === undefined && accountKeyOf(this.context.options.connection) !== undefined)
      throw new MldsError('VERSION', "this worker's account takes no trials that were queued before protocol 6")
  }

  /** Not a message of mlds: out of the queue, and counted. */
  #reject(pulled: PulledTrial): false {
    this.context.throwAway(pulled.subject)
    pulled.term()
    return false
  }
}

const withToken = ({ sweep, trial, generation }: RunKey, token: string | undefined): RunKey => ({
  ...{ sweep, trial, generation },
  ...(token === undefined ? {} : { token }),
})
