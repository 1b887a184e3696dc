import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Clock } from '../../core/clock.js'
import type { Dataset } from '../../data/dataset.js'
import { UnavailableError } from '../../core/errors.js'
import { turnTelemetryOff } from '../../system/telemetry.js'
import { trialEnvironment } from '../../system/trial-environment.js'
import { startWatchdog, type Guard, type Watchdog } from '../../system/watchdog.js'
import type { CustomExperiment } from '../../experiments/custom/source.js'
import type { Assignment, TrialEvent, TrialId } from '../../core/trial.js'
import type { Backend } from '../backend.js'
import { EventQueue } from '../event-queue.js'
import type { ClosingFlag, EventsMessage, FromThread, ThreadData, ThreadTask, ToThread } from './thread-messages.js'

export interface ThreadsOptions extends ThreadData {
  readonly workers: number
  readonly clock: Clock
  /** Heap of one thread in MiB; a trial that outgrows it is lost, not the sweep. Default 1024. */
  readonly heapMb?: number
}

/** Of each thread's heap, what new objects may fill before they are looked through: a third of what Node would take. */
const youngHeapMb = 16
/** Many times what an engine takes to notice an abort. */
const patienceMs = 5_000

/** A trial that the pool has, waiting for a thread or on one. */
interface PooledTrial {
  readonly attempt: number
  threadId: number | undefined
}

/** Runs trials on a piscina pool, one a thread. A thread that crashes loses its trial alone and is replaced. */
export class ThreadsBackend implements Backend {
  readonly retries = false
  readonly capacity: number
  readonly logsFolder: string
  readonly #pool: Piscina<ThreadTask, void>
  readonly #clock: Clock
  readonly #events = new EventQueue<TrialEvent>()
  readonly #trials = new Map<TrialId, PooledTrial>()
  /** Where each thread listens; a thread's port comes before its first event. */
  readonly #ports = new Map<number, MessagePort>()
  readonly #tasks = new Set<Promise<void>>()
  readonly #closingFlag = new Int32Array(new SharedArrayBuffer(4))
  readonly #watchdog: Watchdog | undefined
  #closing: Promise<void> | undefined

  constructor({ workers, clock, heapMb = 1024, ...data }: ThreadsOptions) {
    this.capacity = workers
    this.#clock = clock
    this.logsFolder = data.logsFolder
    turnTelemetryOff()
    const { custom = [] } = data
    this.#watchdog = custom.some(({ source }) => source.kind === 'command') ? startWatchdog() : undefined
    const workerData: ThreadData & ClosingFlag = {
      ...data,
      custom: custom.map((one) => guarded(one, this.#watchdog)),
      closing: this.#closingFlag,
    }
    this.#pool = new Piscina({
      filename: entryFile(),
      minThreads: workers,
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
    })
    // A crash is told by the rejected task; without a listener the error event itself would end the process.
    this.#pool.on('error', () => {})
  }

  /** `datasets`, in shared memory, are for this trial alone, beside those that every thread was given. */
  async start(assignment: Assignment, datasets: readonly Dataset[] = []): Promise<void> {
    const { trial, attempt } = assignment
    const pooled: PooledTrial = { attempt, threadId: undefined }
    this.#trials.set(trial.id, pooled)
    const task = this.#pool.run(datasets.length === 0 ? assignment : { ...assignment, datasets }).then(
      () => {},
      (error: Error) => {
        // The trial itself never rejects: whatever comes here happened to its thread.
        if (this.#trials.get(trial.id) !== pooled) return
        this.#trials.delete(trial.id)
        this.#events.push({
          type: 'lost',
          trial: trial.id,
          attempt,
          atMs: this.#clock.now(),
          reason: `its thread ended: ${error.message}`,
        })
      },
    )
    this.#tasks.add(task)
    void task.then(() => this.#tasks.delete(task))
  }

  #open(threadId: number, port: MessagePort): void {
    this.#ports.set(threadId, port)
    port.unref()
    port.on('close', () => this.#ports.delete(threadId))
  }

  #receive({ threadId, events }: EventsMessage): void {
    for (const event of events) {
      const pooled = this.#trials.get(event.trial)
      if (pooled === undefined || pooled.attempt !== event.attempt) continue
      pooled.threadId = threadId
      if (event.type === 'ended') this.#trials.delete(event.trial)
      this.#events.push(event)
    }
  }

  async stop(trial: TrialId, reason: string): Promise<void> {
    this.#post(trial, { type: 'stop', trial, reason })
  }

  proceed(trial: TrialId): void {
    this.#post(trial, { type: 'proceed', trial })
  }

  #post(trial: TrialId, message: ToThread): void {
    const { threadId } = this.#trials.get(trial) ?? {}
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
    for (const port of this.#ports.values()) port.postMessage({ type: 'give-up' } satisfies ToThread)
    let cancel = (): void => {}
    const patience = new Promise<void>((resolve) => (cancel = this.#clock.after(patienceMs, resolve)))
    await Promise.race([Promise.all(this.#tasks), patience])
    cancel()
    for (const port of this.#ports.values()) port.close()
    await this.#pool.destroy()
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

/** The built thread entry; from sources, that of the last build. */
function entryFile(): string {
  const own = fileURLToPath(new URL('./thread-entry.js', import.meta.url))
  const file = existsSync(own)
    ? own
    : fileURLToPath(new URL('../../../dist/worker/threads/thread-entry.js', import.meta.url))
  if (!existsSync(file))
    throw new UnavailableError(`the worker threads' code is not built: ${file}`, {
      hint: 'build it with: npm run build',
    })
  return file
}
