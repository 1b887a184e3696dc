import type { Experiment } from '../src/experiments/experiment.js'
import type { Plan } from '../src/sweeps/plan.js'
import type { SweepInfo } from '../src/tracking/tracker.js'

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
