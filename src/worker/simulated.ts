import type { SimulatedClock } from '../core/clock.js'
import type { Assignment, Metrics, Outcome, TrialEvent, TrialId } from '../core/trial.js'
import type { Backend } from './backend.js'

/** How an attempt would go if it were run: made from the assignment alone, so that a simulation can be repeated. */
export interface SimulatedAttempt {
  /** In step order; each comes so long after the one before. */
  readonly reports: readonly {
    readonly afterMs: number
    readonly step: number
    readonly metrics: Metrics
    readonly carried?: true
  }[]
  /** From the last report to the end. */
  readonly endAfterMs: number
  /** What it ends with, or that its worker vanishes. */
  readonly end: Outcome | 'lost'
}

interface Running {
  readonly assignment: Assignment
  readonly attempt: SimulatedAttempt
  next: number
  latest: Metrics
  cancel: () => void
}

const keyOf = (trial: TrialId, attempt: number): string => `${trial}.${attempt}`

/**
 * Runs nothing: attempts pass on a simulated clock, which jumps to the next event whenever the sweep waits for one. A
 * day of 500 workers is over in seconds, and the same model gives the same events.
 */
export class SimulatedBackend implements Backend {
  readonly retries = false
  /** By trial and number of the attempt. */
  readonly #running = new Map<string, Running>()
  /** The newest attempt at each. */
  readonly #newest = new Map<TrialId, Running>()
  #queue: TrialEvent[] = []
  #closed = false

  constructor(
    readonly capacity: number,
    private readonly clock: SimulatedClock,
    private readonly model: (assignment: Assignment) => SimulatedAttempt,
  ) {}

  async start(assignment: Assignment): Promise<void> {
    const { trial, attempt } = assignment
    if (this.#running.size >= this.capacity)
      throw new Error(`${this.capacity} attempts are running already: ${trial.id} is one too many`)
    const running: Running = { assignment, attempt: this.model(assignment), next: 0, latest: {}, cancel: () => {} }
    this.#running.set(keyOf(trial.id, attempt), running)
    this.#newest.set(trial.id, running)
    this.#queue.push({ type: 'started', trial: trial.id, attempt, atMs: this.clock.now(), worker: 'simulated' })
    this.#schedule(running)
  }

  #schedule(running: Running): void {
    const { assignment, attempt } = running
    const report = attempt.reports[running.next]
    running.cancel = this.clock.after(report?.afterMs ?? attempt.endAfterMs, () => {
      const facts = { trial: assignment.trial.id, attempt: assignment.attempt, atMs: this.clock.now() }
      if (report === undefined) return this.#end(running, attempt.end)
      running.next++
      running.latest = report.metrics
      const { afterMs: _, ...told } = report
      this.#queue.push({ type: 'report', ...facts, ...told })
      if (!assignment.interactive) this.#schedule(running)
    })
  }

  #end({ assignment, cancel }: Running, end: Outcome | 'lost'): void {
    cancel()
    this.#running.delete(keyOf(assignment.trial.id, assignment.attempt))
    const facts = { trial: assignment.trial.id, attempt: assignment.attempt, atMs: this.clock.now() }
    this.#queue.push(
      end === 'lost'
        ? { type: 'lost', ...facts, reason: 'its worker vanished' }
        : { type: 'ended', ...facts, outcome: end },
    )
  }

  async stop(trial: TrialId, reason: string): Promise<void> {
    const running = this.#newest.get(trial)
    if (running !== undefined && this.#isRunning(running))
      this.#end(running, { state: 'stopped', metrics: running.latest, artifacts: {}, reason })
  }

  proceed(trial: TrialId): void {
    const running = this.#newest.get(trial)
    if (running !== undefined && this.#isRunning(running)) this.#schedule(running)
  }

  #isRunning({ assignment: { trial, attempt } }: Running): boolean {
    return this.#running.has(keyOf(trial.id, attempt))
  }

  mayCopy(): boolean {
    return this.#running.size < this.capacity
  }

  async giveUp(trial: TrialId, attempt: number): Promise<void> {
    this.#running.get(keyOf(trial, attempt))?.cancel()
    this.#running.delete(keyOf(trial, attempt))
  }

  async *events(): AsyncIterable<TrialEvent> {
    while (!this.#closed) {
      const batch = this.#queue
      this.#queue = []
      for (const event of batch) yield event
      if (this.#queue.length > 0) continue
      if (!this.clock.advanceToNext()) return
      // It was somebody else's time, who may start something now.
      if (this.#queue.length === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { cancel } of this.#running.values()) cancel()
    this.#running.clear()
  }
}
