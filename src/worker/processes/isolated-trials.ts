import type { Clock } from '../../core/clock.js'
import { serialiseError, type Assignment, type TrialEvent, type TrialId } from '../../core/trial.js'
import type { Dataset } from '../../data/dataset.js'
import type { CustomExperiment } from '../../experiments/custom/source.js'
import type { Place } from '../host-shares.js'
import { TimeLimitError } from '../run-trial.js'
import type { ThreadData } from '../threads/thread-messages.js'
import type { ToProcess } from './process-messages.js'
import { TrialProcess } from './trial-process.js'

export interface IsolatedOptions {
  readonly thread: Omit<ThreadData, 'datasets'>
  readonly heapMb: number
  readonly clock: Clock
  readonly bringCheckpoint: ((trial: TrialId) => Promise<void>) | undefined
  readonly emit: (event: TrialEvent) => void
}

/** Many times what a process takes to end by itself, or to end a trial at its time limit. */
const patienceMs = 10_000
/** The longest that a timer takes. */
const longestWaitMs = 2 ** 31 - 1

interface IsolatedAttempt {
  readonly trial: TrialId
  readonly child: TrialProcess
}

const keyOf = (trial: TrialId, attempt: number): string => `${trial}.${attempt}`

/** Trials that run in a process each: what one takes of memory, and how it crashes, is nothing to the others. */
export class IsolatedTrials {
  /** By trial and number of the attempt. */
  readonly #running = new Map<string, IsolatedAttempt>()

  constructor(private readonly options: IsolatedOptions) {}

  /** @param give called once the process is gone, with all that it had taken. */
  start(
    assignment: Assignment,
    {
      datasets,
      ...where
    }: { readonly datasets: readonly Dataset[]; readonly place: Place; readonly shipped?: CustomExperiment },
    give: () => void,
  ): void {
    const { clock, bringCheckpoint, emit, thread, heapMb } = this.options
    const { trial, attempt, memoryGb, timeLimitMs } = assignment
    let last: TrialEvent | undefined
    let cancel = (): void => {}
    const child = new TrialProcess(memoryGb, (message) => {
      if (message.type === 'checkpoint') return void bring()
      const { event } = message
      if (event.type !== 'ended' && event.type !== 'lost')
        return emit(event.type === 'started' ? { ...event, worker: child.name } : event)
      // Told once the process is gone: until then it holds its memory and its devices.
      last = event
      cancel()
      cancel = clock.after(patienceMs, () => child.kill())
    })
    const bring = async (): Promise<void> => {
      const problem = await bringCheckpoint!(trial.id).then(
        () => ({}),
        (error: Error) => ({ problem: error.message }),
      )
      child.send({ type: 'brought', ...problem })
    }
    const key = keyOf(trial.id, attempt)
    this.#running.set(key, { trial: trial.id, child })
    // It ends a trial at its limit itself, unless it has stopped listening.
    if (timeLimitMs !== undefined)
      cancel = clock.after(Math.min(longestWaitMs, timeLimitMs + patienceMs), () =>
        child.kill(new TimeLimitError(timeLimitMs)),
      )
    child.send({
      type: 'begin',
      assignment,
      ...where,
      datasets: datasets.filter(({ name }) => assignment.reads.includes(name)),
      thread,
      // A limit of memory is one for all that it has, this heap included.
      heapMb: memoryGb === undefined ? heapMb : Math.max(heapMb, Math.ceil((1e9 * memoryGb) / 2 ** 20)),
      bringsCheckpoints: bringCheckpoint !== undefined,
    })
    void child.ended.then(({ how, failure }) => {
      cancel()
      give()
      if (this.#running.get(key)?.child !== child) return
      this.#running.delete(key)
      const facts = { trial: trial.id, attempt, atMs: clock.now() }
      if (last !== undefined) emit(last)
      else if (failure !== undefined)
        emit({ type: 'ended', ...facts, outcome: { state: 'failed', error: serialiseError(failure) } })
      else emit({ type: 'lost', ...facts, reason: `its process ${how}` })
    })
  }

  get size(): number {
    return this.#running.size
  }

  stop(trial: TrialId, reason: string, keep: boolean): void {
    this.#send({ type: 'stop', reason, keep }, trial)
  }

  proceed(trial: TrialId): void {
    this.#send({ type: 'proceed' }, trial)
  }

  leave(): void {
    this.#send({ type: 'leave' })
  }

  giveUp(): void {
    this.#send({ type: 'give-up' })
  }

  /** To those that run the trial; without one, to all. */
  #send(message: ToProcess, trial?: TrialId): void {
    for (const one of this.#running.values()) if (trial === undefined || one.trial === trial) one.child.send(message)
  }

  /** Ends one attempt without an outcome. */
  drop(trial: TrialId, attempt: number): void {
    const key = keyOf(trial, attempt)
    const { child } = this.#running.get(key) ?? {}
    if (child === undefined) return
    this.#running.delete(key)
    child.send({ type: 'close' })
    const cancel = this.options.clock.after(patienceMs, () => child.kill())
    void child.ended.then(cancel)
  }

  /** Ends all of them without an outcome; resolves when none is left. */
  async close(): Promise<void> {
    const children = [...this.#running.values()].map(({ child }) => child)
    this.#running.clear()
    for (const child of children) child.send({ type: 'close' })
    const cancel = this.options.clock.after(patienceMs, () => children.forEach((child) => child.kill()))
    await Promise.all(children.map(({ ended }) => ended))
    cancel()
  }
}
