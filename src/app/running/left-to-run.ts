import { isTerminal, type OutcomeState, type TrialId } from '../../core/trial.js'
import { isResult, type SweepState, type TrialState } from '../../sweeps/journal/state.js'

/** Which trials without a result to run: `missing` ones never ended, the others ended without a result. */
export type Rerun = 'missing' | Exclude<OutcomeState, 'finished' | 'stopped' | 'diverged'>
export const rerunnable: readonly Rerun[] = ['missing', 'failed', 'dead', 'cancelled', 'skipped']

/** Trials that are to run, and how those among them that had ended stood before. */
export interface LeftToRun {
  readonly trials: ReadonlySet<TrialId>
  readonly before: ReadonlyMap<TrialId, TrialState>
}

/**
 * The trials without a result that stand as `only` says, but for those that can never have one. In `state` they count as
 * planned from here on.
 */
export function takeLeft(state: SweepState, only: ReadonlySet<Rerun>): LeftToRun {
  const trials = new Set<TrialId>()
  const before = new Map<TrialId, TrialState>()
  const forGood = state.skippedForGood()
  for (const trial of state.trials.values()) {
    const standing = isTerminal(trial.state) ? trial.state : 'missing'
    if (isResult(trial.outcome) || forGood.has(trial.trial.id) || !only.has(standing as Rerun)) continue
    trials.add(trial.trial.id)
    if (trial.outcome !== undefined) before.set(trial.trial.id, { ...trial })
    state.planAgain(trial)
    delete trial.outcome
  }
  return { trials, before }
}

/** Whether any trial would be taken; `state` is as it was then only where none is. */
export const isAnyLeft = (state: SweepState, only: readonly Rerun[]): boolean =>
  takeLeft(state, new Set(only)).trials.size > 0

/** What was not begun again ended as it had before. */
export function putBack(state: SweepState, { before }: LeftToRun): void {
  for (const [id, { attempts, ...earlier }] of before) {
    const trial = state.trials.get(id)!
    if (trial.state === 'planned' && trial.attempts === attempts) state.putBack(trial, earlier)
  }
}

/** Of some states alone, others may be left. */
export function describeNothingLeft(only: ReadonlySet<Rerun>, state: SweepState): string {
  const { missing, failed, dead } = state.counts()
  if (rerunnable.every((standing) => only.has(standing)) || missing + failed + dead === 0)
    return 'Nothing is left to run.'
  return `Nothing is run: no trial that can run is ${[...only].join(' or ')} (${missing} missing, ${failed} failed, ${dead} dead).`
}
