import { join } from 'node:path'
import type { Assignment, TrialEvent, TrialId } from '../core/trial.js'
import type { Backend } from './backend.js'
import { defaultCheckpointEveryMs } from './checkpoints/trial-checkpoint.js'
import { EventQueue } from './event-queue.js'
import { Gate } from './gate.js'
import { runTrial, StopRequest, type Surroundings } from './run-trial.js'
import { TrialLog } from './trial-log.js'

export type InlineSurroundings = Omit<
  Surroundings,
  'emit' | 'signal' | 'pause' | 'mayProceed' | 'log' | 'checkpoints'
> & {
  /** Where the logs of longer trials go; short ones come with their outcomes. */
  readonly logsFolder: string
  /** Where checkpoints go, each trial's in a folder named after it. */
  readonly checkpointsFolder: string
  /** At most so often a trial keeps one. Default: a minute. */
  readonly checkpointEveryMs?: number
}

/** Runs trials in this very thread, `capacity` of them interleaved: for tests, and for looking inside with a debugger. */
export class InlineBackend implements Backend {
  readonly retries = false
  readonly #events = new EventQueue<TrialEvent>()
  readonly #leave = new AbortController()
  readonly #running = new Map<
    TrialId,
    { controller: AbortController; pause: AbortController; ended: Promise<void>; gate: Gate }
  >()

  constructor(
    readonly capacity: number,
    private readonly surroundings: InlineSurroundings,
  ) {}

  async start(assignment: Assignment): Promise<void> {
    const { id } = assignment.trial
    const controller = new AbortController()
    const pause = new AbortController()
    const gate = new Gate(controller.signal)
    const entry = { controller, pause, ended: Promise.resolve(), gate }
    this.#running.set(id, entry)
    const trialLog = new TrialLog(this.surroundings.logsFolder, assignment, this.surroundings.clock)
    const { checkpointsFolder, checkpointEveryMs = defaultCheckpointEveryMs } = this.surroundings
    entry.ended = runTrial(assignment, {
      ...this.surroundings,
      checkpoints: {
        folder: join(checkpointsFolder, id),
        everyMs: checkpointEveryMs,
        leave: this.#leave.signal,
        bring: async () => {},
      },
      log: (line) => trialLog.line(line),
      emit: (event) => {
        if (event.type === 'ended' || event.type === 'lost') this.#running.delete(id)
        this.#events.push(trialLog.accompany(event))
      },
      signal: controller.signal,
      pause: pause.signal,
      mayProceed: () => gate.wait(),
    }).finally(() => {
      trialLog.close()
      this.#running.delete(id)
    })
  }

  async stop(trial: TrialId, reason: string, { keep = false } = {}): Promise<void> {
    const running = this.#running.get(trial)
    const request = new StopRequest(reason)
    if (!keep) return running?.controller.abort(request)
    running?.pause.abort(request)
    running?.gate.open()
  }

  proceed(trial: TrialId): void {
    this.#running.get(trial)?.gate.open()
  }

  leave(): void {
    this.#leave.abort()
  }

  events(): AsyncIterable<TrialEvent> {
    return this.#events
  }

  async close(): Promise<void> {
    const running = [...this.#running.values()]
    for (const { controller } of running) controller.abort(new Error('the backend was closed'))
    this.#events.end()
    await Promise.all(running.map(({ ended }) => ended))
  }
}
