import { minOf } from '../../core/extremes.js'
import { mean } from '../../core/mean.js'
import { lookUp } from '../../core/names.js'
import { goalsOf, violationOf } from '../../core/objective.js'
import type { Objective, Outcome, Trial } from '../../core/trial.js'
import type { Observation } from '../../search/sampler.js'
import type { Learning } from '../spec/learning.js'

/** What is known of a trial of a setting. */
export interface TrialEnd {
  readonly trial: Trial
  readonly outcome?: Outcome
  /** The last step that its last attempt reported. */
  readonly step?: number
}

/** Whether a trial came to nothing, which may be otherwise when it runs again. */
export const hasFailed = ({ state }: Outcome): boolean => state === 'failed' || state === 'dead' || state === 'skipped'

/** What a setting came to by its trials, all of which have ended: the mean over them, as points are ranked. */
export function observationOf(
  trials: readonly TrialEnd[],
  objective: Objective,
  failed: Learning['failed'],
): Omit<Observation, 'index' | 'point'> {
  const someFailed = trials.some(({ outcome }) => outcome !== undefined && hasFailed(outcome))
  if (trials.some(({ outcome }) => outcome?.state === 'diverged') || (someFailed && failed === 'worst')) return {}
  const { constraints = [] } = objective
  const values = goalsOf(objective).map(({ metric }) => meanOf(trials, metric))
  if (someFailed && values.some(Number.isNaN)) return { ignored: true }
  if (!values.every(Number.isFinite)) return {}
  const stopped = trials.filter(({ outcome }) => outcome?.state === 'stopped').map(({ step = 0 }) => step)
  const violations = constraints.map((one) => violationOf(one, meanOf(trials, one.metric)))
  return {
    values,
    ...(violations.length === 0 ? {} : { violations }),
    ...(stopped.length === 0 ? {} : { stoppedAtStep: minOf(stopped) }),
  }
}

/** The mean over the trials of the first stage that has the metric; NaN where none has it. */
function meanOf(trials: readonly TrialEnd[], metric: string): number {
  const valued = trials.flatMap(({ trial, outcome }) => {
    const value = outcome !== undefined && 'metrics' in outcome ? lookUp(outcome.metrics, metric) : undefined
    return value === undefined ? [] : [{ stage: trial.stage, value }]
  })
  return mean(valued.filter(({ stage }) => stage === valued[0]!.stage).map(({ value }) => value))
}
