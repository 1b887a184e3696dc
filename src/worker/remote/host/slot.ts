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
import { isSignedBy } from '../wire/code-signature.js'
import type { AcceptedCode, CodeInUse } from './accepted-code.js'
import type { AttemptRunner } from './attempt.js'
import { readAttempt, vanishedBefore } from './attempts.js'
import type { HaltedSweeps } from './halted-sweeps.js'
import { Heartbeat } from './heartbeat.js'
import type { HostShares, TakenShares } from '../../host-shares.js'
import { Pull, pullMs, type PulledTrial } from './pull.js'
import type { Requirements } from './requirements.js'
import type { SharedExclusiveLock } from './shared-exclusive-lock.js'
import type { WorkerContext } from './worker-context.js'
import type { WorkerLanes } from './worker-lanes.js'

export interface SlotParts {
  readonly requirements: Requirements
  readonly code: AcceptedCode
  readonly attempts: AttemptRunner
  /** Held alone by a trial that may take its process along, side by side by others. */
  readonly lock: SharedExclusiveLock
  readonly halted: HaltedSweeps
  readonly lanes: WorkerLanes
  readonly host: HostShares
}

interface PreparedTrial {
  readonly trial: TrialMessage
  readonly datasets: readonly Dataset[]
  readonly code?: CodeInUse
}

/** After so long another worker, or this one again, is given the copy of a trial that runs here. */
const copyPauseMs = 1_000

/** One slot of a worker: pulls a trial, runs it, again. */
export class Slot {
  /** @param number which of the worker's slots it is, from 0. */
  constructor(
    private readonly number: number,
    private readonly context: WorkerContext,
    private readonly parts: SlotParts,
  ) {}

  /** Until the worker is drained, or its connection closed for good. */
  async serve(): Promise<void> {
    const { drain, connection, clock } = this.context.options
    const { lock } = this.parts
    const pull = new Pull(this.context.broker, clock, drain)
    const forget = this.parts.lanes.onMore(() => pull.askAnew())
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
        const pulled = await this.#pull(pull, done)
        done = undefined
        if (pulled === undefined) continue
        if (drain.aborted) pulled.nak(pullMs)
        else if (await this.#take(pulled)) done = pulled
      }
    } finally {
      acknowledge()
      forget()
      pull.close()
    }
  }

  /** Holds what a trial takes at most while it asks for one: two slots would else be given trials for the same device. */
  async #pull(pull: Pull, done: PulledTrial | undefined): Promise<PulledTrial | undefined> {
    const { lanes, host } = this.parts
    const { lanes: open, most } = lanes.choose(host)
    const held = host.take(most)
    try {
      return await pull.next(open, done)
    } finally {
      if (held !== undefined) host.give(held)
    }
  }

  /** @returns whether it is done, of which the server has yet to be told. */
  async #take(pulled: PulledTrial): Promise<boolean> {
    const { lanes, host } = this.parts
    const taken = host.take(lanes.shares(pulled.lane))
    // It comes late, to a request of before.
    if (taken === undefined) {
      pulled.nak()
      return false
    }
    try {
      return await this.#handle(pulled, taken)
    } catch (error) {
      this.context.options.say(`a trial could not be run: ${(error as Error).message}`)
      return false
    } finally {
      host.give(taken)
      if (taken.gpu + taken.memoryGb > 0) lanes.wake()
    }
  }

  /**
   * Reasons not to run a trial come first, each with its own answer to the server; then it runs.
   * @returns whether it is done, of which the server has yet to be told.
   */
  async #handle(pulled: PulledTrial, taken: TakenShares): Promise<boolean> {
    const { leaseMs } = this.context.broker
    const named = runOf(pulled.subject)
    const queued = decode(queuedTrial, pulled.text)
    if (named === undefined || queued === undefined) return this.#refuse(pulled, named)
    const key = withToken(named, queued.token)
    // The same trial runs here already (this process was frozen, or two sweeps share it): wait for it to end. Longer than
    // from one beat to the next, by which the server knows that it is taken. A copy of it is for another worker.
    const own = this.context.claim(key)
    if (own !== undefined) {
      pulled.nak(own.generation === key.generation ? leaseMs / 2 : copyPauseMs)
      return false
    }
    try {
      return await this.#handleClaimed(pulled, key, queued, taken)
    } finally {
      this.context.release(key)
    }
  }

  async #handleClaimed(pulled: PulledTrial, key: RunKey, queued: QueuedTrial, taken: TakenShares): Promise<boolean> {
    if (await this.parts.halted.isHalted(key.sweep)) return true
    const { attempts } = this.parts
    const kept = {
      working(): void {
        pulled.working()
        attempts.beat(key)
      },
    }
    const beat = new Heartbeat(
      kept,
      this.context.broker.leaseMs,
      this.context.options.clock,
      () => void attempts.lookAgain(key),
    )
    try {
      return await this.#run(pulled, key, queued, taken)
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
    this.#leaveToOthers(pulled, withToken(key, token), error)
    return false
  }

  #leaveToOthers(pulled: PulledTrial, key: RunKey, error: Error): void {
    this.parts.lanes.leave(pulled.lane)
    this.context.leaveToOthers(pulled, key, error)
  }

  async #run(pulled: PulledTrial, key: RunKey, queued: QueuedTrial, taken: TakenShares): Promise<boolean> {
    const { attempts, lock } = this.parts
    const prepared = await this.#prepare(pulled, key, queued)
    if (prepared === undefined) return false
    const { trial, datasets, code } = prepared
    const { gpus, drain } = this.context.options
    const place = { slot: this.number, devices: gpus === undefined ? undefined : taken.devices }
    const shipped = code === undefined ? {} : { shipped: code.custom }
    try {
      const leave = await lock.enter(await this.#isLastChance(pulled, key, trial))
      try {
        // What the trial needs may have taken long to come, or the trials before it to end.
        if (drain.aborted) pulled.nak(pullMs)
        return !drain.aborted && (await attempts.run({ key, pulled, trial, datasets, place, ...shipped }))
      } finally {
        leave()
      }
    } finally {
      code?.release()
    }
  }

  /** Brings here what the trial needs; `undefined` for one that can't run here, of which the server was told. */
  async #prepare(pulled: PulledTrial, key: RunKey, queued: QueuedTrial): Promise<PreparedTrial | undefined> {
    const { requirements, code } = this.parts
    if (queued.code !== undefined && !this.#mayUse(queued.code, pulled, key)) return undefined
    const trial = await this.#read(queued)
    if (trial === undefined || trial.assignment.trial.id !== key.trial) return void this.#reject(pulled)
    try {
      this.#requireToken(key)
      this.#requireTime(pulled.lane, trial)
      const datasets = await requirements.prepare(trial, this.context.broker)
      return { trial, datasets, ...(trial.code === undefined ? {} : { code: await code.take(trial) }) }
    } catch (error) {
      return void this.#leaveToOthers(pulled, key, error as Error)
    }
  }

  /** Before anything of it is fetched. The server is told where it may not be used. */
  #mayUse({ key: signer }: NonNullable<QueuedTrial['code']>, pulled: PulledTrial, key: RunKey): boolean {
    try {
      this.parts.code.requireConsent(signer)
    } catch (error) {
      this.#leaveToOthers(pulled, key, error as Error)
      return false
    }
    const isSigned = isSignedBy(pulled.text, signer, { tenant: this.context.options.tenant, run: key })
    return isSigned || this.#reject(pulled, `a trial whose code is not signed by ${signer}`)
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
  async #isLastChance(pulled: PulledTrial, key: RunKey, { maxAttempts, assignment }: TrialMessage): Promise<boolean> {
    if (pulled.count === 1 || assignment.isolate === true) return false
    const last = await readAttempt(this.context.broker, key)
    const vanished = last === undefined ? 0 : vanishedBefore(last.message)
    return vanished > 0 && vanished === maxAttempts - 1
  }

  /** @throws MldsError in an account of a worker's own, which may write nothing of a run without a token. */
  #requireToken({ token }: RunKey): void {
    if (token === undefined && accountKeyOf(this.context.options.connection) !== undefined)
      throw new MldsError('VERSION', "this worker's account takes no trials that were queued before protocol 6")
  }

  /** @throws MldsError when this worker has to leave before the trial could end. */
  #requireTime(lane: string, { assignment }: TrialMessage): void {
    const limitMs = this.parts.lanes.limitMs(lane) ?? assignment.timeLimitMs
    if (!this.context.timeLeft.suffices(lane, { limitMs, cost: assignment.trial.cost }))
      throw new MldsError('TIME', 'this worker has to leave before the trial could have ended (--time-limit)')
  }

  /** Not a message of mlds: out of the queue, and counted. */
  #reject(pulled: PulledTrial, what?: string): false {
    this.context.throwAway(pulled.subject, what)
    pulled.term()
    return false
  }
}

const withToken = ({ sweep, trial, generation }: RunKey, token: string | undefined): RunKey => ({
  ...{ sweep, trial, generation },
  ...(token === undefined ? {} : { token }),
})
