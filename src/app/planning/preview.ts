import type { MldsError } from '../../core/errors.js'
import { sweepIdOf, type Plan } from '../../sweeps/plan.js'
import { findEarlierResults, type EarlierResult } from '../../sweeps/reuse.js'
import { SweepFolder } from '../../sweeps/sweep-folder.js'
import type { Store } from '../../system/store.js'
import type { Trial, TrialId } from '../../core/trial.js'
import { missingTrials } from './estimate.js'

/** What running a plan here would do. */
export interface Preview {
  readonly sweep: string
  /** Trials that the sweep has results of. */
  readonly done: number
  /** Results that other sweeps have. */
  readonly takenOver: ReadonlyMap<TrialId, EarlierResult>
  readonly toRun: readonly Trial[]
  /** Why the sweep of this name, which has other trials or rules, would refuse the plan. */
  readonly refusal: MldsError | undefined
}

/** Finds what of a plan is done, what can be taken over and what is left to run; nothing is changed. */
export async function previewPlan(store: Store, plan: Plan): Promise<Preview> {
  const sweep = sweepIdOf(plan)
  const known = (await store.sweepIds()).includes(sweep) ? await SweepFolder.open(store, sweep) : undefined
  const missing = await missingTrials(store, plan)
  const takenOver = await findEarlierResults(store, { id: sweep, plan }, new Set(missing.map((trial) => trial.id)))
  return {
    sweep,
    done: plan.trials.length - missing.length,
    takenOver,
    toRun: missing.filter((trial) => !takenOver.has(trial.id)),
    refusal: known?.refusalOf(plan),
  }
}
