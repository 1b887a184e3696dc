import { mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { SimulatedClock } from '../../src/core/clock.js'
import type { Experiment } from '../../src/experiments/experiment.js'
import { GridScheduler } from '../../src/sweeps/scheduling/grid.js'
import { Journal, readJournal, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import { makePlan } from '../../src/sweeps/plan.js'
import { defaultLimits, runSweep, type RunSweepOptions, type SweepEnd } from '../../src/sweeps/run-sweep.js'
import type { Scheduler } from '../../src/sweeps/scheduling/scheduler.js'
import type { SweepSpec } from '../../src/sweeps/spec/spec.js'
import { SweepState } from '../../src/sweeps/journal/state.js'
import { replay } from '../../src/sweeps/scheduling/stopping.js'
import { noTracker } from '../../src/tracking/tracker.js'
import type { Assignment, Trial, TrialEvent, TrialPaused } from '../../src/core/trial.js'
import { SimulatedBackend, type SimulatedAttempt } from '../../src/worker/simulated.js'

export const finishes: SimulatedAttempt = {
  reports: [],
  endAfterMs: 10,
  end: { state: 'finished', metrics: { 'train/loss': 1 }, artifacts: {} },
}
export const failing = (message: string): SimulatedAttempt => ({
  ...finishes,
  end: { state: 'failed', error: { name: 'Error', message } },
})
export const diverging: SimulatedAttempt = {
  ...finishes,
  end: { state: 'diverged', metric: 'train/loss', step: 2, metrics: { 'train/loss': NaN }, artifacts: {} },
}
export const vanishing: SimulatedAttempt = { ...finishes, end: 'lost' }

export interface Lab {
  /** Its journal. */
  readonly file: string
  readonly trials: readonly Trial[]
  readonly state: SweepState
  readonly events: (TrialEvent | TrialPaused)[]
  readonly warnings: string[]
  /** What the journal holds now. */
  journal(): JournalEvent[]
  /** Leaves so many events of the journal, as a process that was killed then would have. */
  keep(count: number): void
  run(
    options?: Partial<RunSweepOptions> & { model?: (assignment: Assignment) => SimulatedAttempt; workers?: number },
  ): Promise<SweepEnd>
}

/** A sweep of a toy experiment on a simulated clock with a real journal: `run` again to resume it. */
export function openLab(
  experiment: Experiment,
  spec: Partial<SweepSpec> = {},
  wrap: (inner: Scheduler) => Scheduler = (inner) => inner,
): Lab {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-sweep-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'journal.jsonl')
  const plan = makePlan(experiment, { experiment: experiment.name, axes: {}, ...spec }, () => 'none')
  const clock = new SimulatedClock()
  const events: (TrialEvent | TrialPaused)[] = []
  const warnings: string[] = []
  const lab = {
    file,
    trials: plan.trials,
    state: new SweepState(plan.trials),
    events,
    warnings,
    journal: () => [...readJournal(file)].map((entry) => entry.event),
    keep: (count: number) => truncateSync(file, [...readJournal(file)][count]?.offset),
    async run({
      model = () => finishes,
      workers = 2,
      ...options
    }: Partial<RunSweepOptions> & { model?: (assignment: Assignment) => SimulatedAttempt; workers?: number } = {}) {
      const journal = Journal.open(file)
      lab.state = new SweepState(plan.trials)
      const before = lab.journal()
      for (const event of before) lab.state.apply(event)
      const scheduler = wrap(new GridScheduler([...lab.state.trials.values()].map(({ trial }) => trial)))
      replay(scheduler, before)
      lab.state.forgetRunning()
      for (const { trial, outcome } of lab.state.trials.values())
        if (outcome !== undefined) scheduler.recordEnd(trial, outcome)
      try {
        return await runSweep({
          info: {
            sweep: 'lab',
            name: 'lab',
            experiment: experiment.name,
            question: experiment.question,
            objective: experiment.objective,
            spec: plan.spec,
            planHash: plan.hash,
            codeVersion: '0',
            openedAtMs: 0,
            trials: plan.trials,
          },
          engine: 'compiled',
          state: lab.state,
          journal,
          scheduler,
          backend: new SimulatedBackend(workers, clock, model),
          tracker: noTracker,
          clock,
          limits: defaultLimits,
          drain: new AbortController().signal,
          abort: new AbortController().signal,
          onEvent: (event) => void (event.type === 'trials-added' || events.push(event)),
          warn: (message) => warnings.push(message),
          ...options,
        })
      } finally {
        journal.close()
      }
    },
  }
  return lab
}
