import { sweepObjective } from '../core/objective.js'
import type { Experiment } from '../experiments/experiment.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import type { Store } from '../system/store.js'
import type { SweepInfo } from '../tracking/tracker.js'

/** A sweep in its store, with the experiment that it is of. */
export interface StoredSweep {
  readonly store: Store
  readonly sweep: SweepFolder
  readonly experiment: Experiment
}

/** What a tracker and a view are told of the sweep. */
export function describeSweep({
  sweep,
  experiment,
}: Pick<StoredSweep, 'sweep'> & { experiment: Pick<Experiment, 'question' | 'objective'> }): SweepInfo {
  const { plan } = sweep
  return {
    sweep: sweep.id,
    firstName: sweep.firstName,
    name: plan.spec.name ?? plan.experiment,
    experiment: plan.experiment,
    question: experiment.question,
    objective: sweepObjective(plan.spec, experiment),
    spec: plan.spec,
    planHash: plan.hash,
    codeVersion: plan.codeVersion,
    openedAtMs: plan.createdAtMs,
    trials: plan.trials,
  }
}
