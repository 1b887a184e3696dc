import { lookUp } from './names.js'
import type { Metrics, Outcome, SerialisedError } from './trial.js'

type Diverged = Extract<Outcome, { state: 'diverged' }>

/** The first metric that must be a finite number and is not: a loss, or one that `watch` names. */
export function divergedMetric(metrics: Metrics, watch: readonly string[] = []): string | undefined {
  // Other metrics may well be undefined, such as the accuracy of a regression.
  return Object.keys(metrics).find(
    (name) =>
      (name === 'loss' || name.endsWith('/loss') || watch.includes(name)) && !Number.isFinite(lookUp(metrics, name)),
  )
}

/** Where a trial diverged, such as `loss became NaN at step 3`. */
export function describeDivergence({ metric, step, metrics }: Pick<Diverged, 'metric' | 'step' | 'metrics'>): string {
  const value = lookUp(metrics, metric) ?? NaN
  return step === undefined ? `its final ${metric} is ${value}` : `${metric} became ${value} at step ${step}`
}

/** Why a trial ended as it did; `undefined` for one that finished. */
export function reasonOf(outcome: Outcome): string | undefined {
  if (outcome.state === 'failed') return outcome.error.message
  if (outcome.state === 'diverged') return describeDivergence(outcome)
  return outcome.state === 'finished' ? undefined : outcome.reason
}

/** An outcome as it is meant today: journals, workers and MLflow runs of earlier versions call a divergence a failure. */
export function readOutcome<O extends { readonly state: string }>(outcome: O): O | Diverged {
  if (outcome.state !== 'failed') return outcome
  const { name, message } = (outcome as unknown as { readonly error: SerialisedError }).error
  if (name !== 'DivergedError') return outcome
  const [, metric = 'loss', value = 'NaN', step = 'NaN'] =
    /^(.+?) is not a finite number(?:: (NaN|-?Infinity) at step (NaN|-?\d+))?$/.exec(message) ?? []
  return {
    state: 'diverged',
    metric,
    metrics: { [metric]: Number(value) },
    artifacts: {},
    ...(step === 'NaN' ? {} : { step: Number(step) }),
  }
}

/** How an earlier version says that a trial diverged: what is sent to one that knows no other way. */
export function asFailure(outcome: Diverged): Extract<Outcome, { state: 'failed' }> {
  const { metric, step = NaN, metrics } = outcome
  const message = `${metric} is not a finite number: ${lookUp(metrics, metric) ?? NaN} at step ${step}`
  return { state: 'failed', error: { name: 'DivergedError', message } }
}
