import type { MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Clock } from '../../core/clock.js'
import type { Dataset } from '../../data/dataset.js'
import { builtFile } from '../../system/built-file.js'
import { turnTelemetryOff } from '../../system/telemetry.js'
import { trialEnvironment } from '../../system/trial-environment.js'
import { startWatchdog, type Guard, type Watchdog } from '../../system/watchdog.js'
import type { CustomExperiment } from '../../experiments/custom/source.js'
import { serialiseError, type Assignment, type TrialEvent, type TrialId } from '../../core/trial.js'
import type { Backend } from '../backend.js'
import { TimeLimitError } from '../run-trial.js'
import { EventQueue } from '../event-queue.js'
import { IsolatedTrials } from '../processes/isolated-trials.js'
import { environmentOf, Places, type Place, type Shares } from '../host-shares.js'
import type {
  BringsCheckpoints,
  CheckpointMessage,
  ClosingFlag,
  EventsMessage,
  FromThread,
  ThreadData,
  ThreadTask,
  ToThread,
} from './thread-messages.js'

export interface ThreadsOptions extends ThreadData {
  readonly workers: number
  readonly clock: Clock
  /** Brings a checkpoint that a trial has kept here to where its next attempt finds it. Default: that is here. */
  readonly bringCheckpoint?: (trial: TrialId) => Promise<void>
  /** Heap of one thread in MiB; a trial that outgrows it is lost, not the sweep. Default 1024. */
  readonly heapMb?: number
  /** What each trial that comes without a place takes of this host. Default: nothing that is counted. */
  readonly shares?: Shares
  /** The devices that such trials may use. Default: nobody knows. */
  readonly gpus?: readonly string[]
  /** Programs may come with trials, beside those in `custom`. Default false. */
  readonly takesPrograms?: boolean
  /** Its trials all run in processes of their own: no thread is kept for them. Default false. */
  readonly isolated?: boolean
}

/** Of each thread's heap, what new objects may fill before they are looked through: a third of what Node would take. */
const youngHeapMb = 16
/** Many times what an engine takes to notice an abort. */
const patienceMs = 5_000

/** An attempt that the pool has, waiting for a thread or on one. */
interface PooledTrial {
  readonly trial: TrialId
  readonly attempt: number
  threadId: number | undefined
  /** Gives its place back. */
  readonly leave: () => void
  /** Ends the wait for its time limit. */
  cancelLimit: () => void
  readonly timeLimitMs: number | undefined
  /** Ends its thread. */
  readonly kill: AbortController
  /** Resolves once no thread has it any more. */
  task: Promise<void>
}

const keyOf = ({ trial, attempt }: { readonly trial: TrialId; readonly attempt: number }): string =>
  `${trial}.${attempt}`

/**
 * Runs trials on a piscina pool, one a thread. A thread that crashes loses its trial alone and is replaced; a trial that is isolated has
 * a process instead.
 */
export class ThreadsBackend implements Backend {
  readonly retries = false
  readonly capacity: number
  readonly logsFolder: string
  readonly #pool: Piscina<ThreadTask, void>
  readonly #clock: Clock
  readonly #events = new EventQueue<TrialEvent>()
  /** By trial and number. */
  readonly #trials = new Map<string, PooledTrial>()
  /** Where each thread listens; a thread's port comes before its first event. */
  readonly #ports = new Map<number, MessagePort>()
  readonly #tasks = new Set<Promise<void>>()
  readonly #closingFlag = new Int32Array(new SharedArrayBuffer(4))
  readonly #watchdog: Watchdog | undefined
  readonly #datasets: readonly Dataset[]
  readonly #places: Places
  readonly #isolated: IsolatedTrials
  /** Experiments that are programs, which have processes anyhow. */
  readonly #programs: ReadonlySet<string>
  #closing: Promise<void> | undefined

  constructor(options: ThreadsOptions) {
    const { workers, clock, heapMb = 1024, shares, gpus, bringCheckpoint, ...rest } = options
    const { isolated = false, takesPrograms = false, ...data } = rest
    this.capacity = workers
    this.#places = new Places(shares ?? { gpu: 0, memoryGb: 0 }, gpus)
    this.#clock = clock
    this.logsFolder = data.logsFolder
    turnTelemetryOff()
    const { datasets, ...thread } = data
    const { custom = [] } = data
    this.#datasets = datasets
    this.#programs = new Set(custom.flatMap(({ name, source }) => (source.kind === 'command' ? name : [])))
    this.#watchdog = this.#programs.size > 0 || takesPrograms ? startWatchdog() : undefined
    const emit = (event: TrialEvent): void => this.#events.push(event)
    const others = custom.filter(({ name }) => !this.#programs.has(name))
    this.#isolated = new IsolatedTrials({ thread: { ...thread, custom: others }, heapMb, clock, bringCheckpoint, emit })
    const workerData: ThreadData & BringsCheckpoints & ClosingFlag = {
      ...data,
      bringsCheckpoints: bringCheckpoint !== undefined,
      custom: custom.map((one) => guarded(one, this.#watchdog)),
      closing: this.#closingFlag,
    }
    this.#pool = new Piscina({
      filename: builtFile(import.meta.url, './thread-entry.js'),
      minThreads: isolated ? 0 : workers,
      maxThreads: workers,
      concurrentTasksPerWorker: 1,
      workerData,
      // Code that trials run has no need of the servers' passwords.
      env: trialEnvironment(process.env),
      resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: youngHeapMb },
      // A thread that slept between trials would not hear its port.
      atomics: 'disabled',
      workerHistogram: false,
    })
    this.#pool.on('message', (message: FromThread) => {
      if (message.type === 'mlds-events') this.#receive(message)
      else if (message.type === 'mlds-port') this.#open(message.threadId, message.port)
      else void this.#bring(message, bringCheckpoint!)
    })
    // The crash of a thread that ran a trial is told by the rejected task; this one had none, and mostly never came to be.
    this.#pool.on('error', (error) => this.#loseWaiting(error as Error))
  }

  /**
   * @param given for this trial alone: `datasets`, in shared memory, beside those that every thread was given; its place
   * on the host; and its experiment, where that came with it.
   */
  async start(
    assignment: Assignment,
    {
      datasets = [],
      place,
      shipped,
    }: { readonly datasets?: readonly Dataset[]; readonly place?: Place; readonly shipped?: CustomExperiment } = {},
  ): Promise<void> {
    const { trial, attempt } = assignment
    const taken = place === undefined ? this.#places.take() : { place, give: () => {} }
    const isProgram = shipped === undefined ? this.#programs.has(trial.experiment) : shipped.source.kind === 'command'
    const brought = shipped === undefined ? {} : { shipped: guarded(shipped, this.#watchdog) }
    if (assignment.isolate === true && !isProgram) {
      const at = { datasets: [...this.#datasets, ...datasets], place: taken.place, ...brought }
      return this.#isolated.start(assignment, at, taken.give)
    }
    const { timeLimitMs } = assignment
    const kill = new AbortController()
    const pooled = {
      trial: trial.id,
      attempt,
      threadId: undefined,
      leave: taken.give,
      cancelLimit: () => {},
      timeLimitMs,
      kill,
      task: Promise.resolve(),
    }
    this.#trials.set(keyOf(pooled), pooled)
    const given = {
      ...(datasets.length === 0 ? {} : { datasets }),
      environment: environmentOf(taken.place),
      ...brought,
    }
    const task = this.#pool.run({ ...assignment, ...given }, { signal: kill.signal }).then(
      () => {},
      (error: Error) => {
        // The trial itself never rejects: whatever comes here happened to its thread.
        if (this.#trials.get(keyOf(pooled)) !== pooled) return
        this.#forget(pooled)
        const facts = { trial: trial.id, attempt, atMs: this.#clock.now() }
        this.#events.push(
          kill.signal.aborted
            ? { type: 'ended', ...facts, outcome: { state: 'failed', error: serialiseError(kill.signal.reason) } }
            : { type: 'lost', ...facts, reason: `its thread ended: ${error.message}` },
        )
      },
    )
    // From now on, since one that never yields does not tell that it began.
    this.#limit(pooled)
    pooled.task = task
    this.#tasks.add(task)
    void task.then(() => this.#tasks.delete(task))
  }

  /** Where the folders of programs are, which goes even when this process is killed; `undefined` where no program can come. */
  get programsFolder(): string | undefined {
    return this.#watchdog?.folder
  }

  #open(threadId: number, port: MessagePort): void {
    this.#ports.set(threadId, port)
    port.unref()
    port.on('close', () => this.#ports.delete(threadId))
  }

  #receive({ threadId, events }: EventsMessage): void {
    for (const event of events) {
      const pooled = this.#trials.get(keyOf(event))
      if (pooled === undefined) continue
      pooled.threadId = threadId
      if (event.type === 'ended' || event.type === 'lost') this.#forget(pooled)
      this.#events.push(event)
    }
  }

  /** The pool starts no thread for what waits already where the last of its threads could not start: it would wait for ever. */
  #loseWaiting({ message }: Error): void {
    if (this.#pool.threads.length > 0) return
    for (const pooled of this.#trials.values()) {
      this.#forget(pooled)
      pooled.kill.abort()
      const facts = { trial: pooled.trial, attempt: pooled.attempt, atMs: this.#clock.now() }
      this.#events.push({ type: 'lost', ...facts, reason: `no thread could start for it: ${message}` })
    }
  }

  #forget(pooled: PooledTrial): void {
    this.#trials.delete(keyOf(pooled))
    pooled.cancelLimit()
    pooled.leave()
  }

  /** A trial whose time is over is asked to end; one that does not answer, being busy with its own code, loses its thread. */
  #limit(pooled: PooledTrial): void {
    const { trial, timeLimitMs: limitMs } = pooled
    if (limitMs === undefined) return
    pooled.cancelLimit = this.#clock.after(limitMs, () => {
      this.#post(pooled, { type: 'limit', trial, limitMs })
      pooled.cancelLimit = this.#clock.after(patienceMs, () => pooled.kill.abort(new TimeLimitError(limitMs)))
    })
  }

  async #bring(
    { threadId, trial }: CheckpointMessage,
    bringCheckpoint: (trial: TrialId) => Promise<void>,
  ): Promise<void> {
    const problem = await bringCheckpoint(trial).then(
      () => ({}),
      (error: Error) => ({ problem: error.message }),
    )
    this.#ports.get(threadId)?.postMessage({ type: 'brought', trial, ...problem } satisfies ToThread)
  }

  /** Ends every trial without an outcome. */
  giveUpAll(): void {
    this.#isolated.giveUp()
    for (const port of this.#ports.values()) port.postMessage({ type: 'give-up' } satisfies ToThread)
  }

  leave(): void {
    this.#isolated.leave()
    for (const port of this.#ports.values()) port.postMessage({ type: 'leave' } satisfies ToThread)
  }

  async stop(trial: TrialId, reason: string, { keep = false } = {}): Promise<void> {
    this.#isolated.stop(trial, reason, keep)
    for (const pooled of this.#attemptsAt(trial)) this.#post(pooled, { type: 'stop', trial, reason, keep })
  }

  proceed(trial: TrialId): void {
    this.#isolated.proceed(trial)
    for (const pooled of this.#attemptsAt(trial)) this.#post(pooled, { type: 'proceed', trial })
  }

  /** Threads that trials which were given up have not left yet are not free. */
  mayCopy(): boolean {
    return this.#tasks.size + this.#isolated.size < this.capacity
  }

  async giveUp(trial: TrialId, attempt: number): Promise<void> {
    this.#isolated.drop(trial, attempt)
    const pooled = this.#trials.get(keyOf({ trial, attempt }))
    if (pooled === undefined) return
    this.#trials.delete(keyOf(pooled))
    pooled.cancelLimit()
    this.#post(pooled, { type: 'drop', trial, attempt })
    // One that does not answer, being busy with its own code, loses its thread.
    const cancel = this.#clock.after(patienceMs, () => pooled.kill.abort(new Error('another attempt finished first')))
    // Until then it has what it took of the host.
    void pooled.task.then(() => {
      cancel()
      pooled.leave()
    })
  }

  #attemptsAt(trial: TrialId): PooledTrial[] {
    return [...this.#trials.values()].filter((pooled) => pooled.trial === trial)
  }

  #post({ threadId }: PooledTrial, message: ToThread): void {
    if (threadId !== undefined) this.#ports.get(threadId)?.postMessage(message)
  }

  events(): AsyncIterable<TrialEvent> {
    return this.#events
  }

  close(): Promise<void> {
    this.#closing ??= this.#takeDown()
    return this.#closing
  }

  /**
   * Threads are asked before they are ended: one that is ended inside the native runtime takes the process with it.
   * One that does not answer, being busy with a trial's own code, is ended after a while all the same.
   */
  async #takeDown(): Promise<void> {
    this.#trials.clear()
    this.#events.end()
    Atomics.store(this.#closingFlag, 0, 1)
    const processesEnd = this.#isolated.close()
    this.giveUpAll()
    let cancel = (): void => {}
    const patience = new Promise<void>((resolve) => (cancel = this.#clock.after(patienceMs, resolve)))
    await Promise.race([Promise.all(this.#tasks), patience])
    cancel()
    for (const port of this.#ports.values()) port.close()
    await Promise.all([this.#pool.destroy(), processesEnd])
    this.#watchdog?.close()
  }
}

/** The experiment with its programs, if it runs any, in the watchdog's care. */
function guarded(one: CustomExperiment, watchdog: Guard | undefined): CustomExperiment {
  const { name, source } = one
  if (source.kind !== 'command' || watchdog === undefined) return one
  const { token, folder } = watchdog
  return { name, source: { ...source, command: { ...source.command, guard: { token, folder } } } }
}
