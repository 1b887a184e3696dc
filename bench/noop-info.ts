import type { Experiment } from '../src/experiments/experiment.js'
import type { Plan } from '../src/sweeps/plan.js'
import { defaultLimits } from '../src/sweeps/run-sweep.js'
import { noTracker, type SweepInfo } from '../src/tracking/tracker.js'

const never = new AbortController().signal

/** How `runSweep` runs when nobody tracks, watches or interrupts it. */
export const undisturbed = {
  tracker: noTracker,
  limits: defaultLimits,
  drain: never,
  abort: never,
  onEvent: () => {},
  warn: console.warn,
}

/** What a sweep of trials that do nothing says of itself. */
export function noopInfo(sweep: string, experiment: Experiment, { hash, trials }: Plan): SweepInfo {
  return {
    sweep,
    name: sweep,
    experiment: 'noop',
    question: '',
    objective: experiment.objective,
    spec: {},
    planHash: hash,
    codeVersion: '0',
    openedAtMs: 0,
    trials,
  }
}
