import type { Objective } from '../core/trial.js'
import { experimentToRead, type CodeTrust, type PlanToOpen } from '../experiments/registry.js'

export interface ObjectiveOptions extends CodeTrust {
  /** Rank by this metric instead. */
  readonly metric?: string | undefined
  /** Default: the sweep's own for its own metric, else the larger the better for an accuracy alone. */
  readonly direction?: Objective['direction'] | undefined
  /** Told when the experiment's code is not what it was. Default: nobody is. */
  readonly warn?: (message: string) => void
}

/** What a sweep is ranked by. @throws MldsError when neither its plan nor its experiment says. */
export async function objectiveOf(
  sweep: PlanToOpen,
  { metric, direction, warn = () => {}, ...trust }: ObjectiveOptions = {},
): Promise<Objective> {
  const objective = sweep.plan.spec.objective ?? (await experimentToRead(sweep, { warn, ...trust })).objective
  if (metric === undefined || metric === objective.metric)
    return direction === undefined ? objective : { ...objective, direction }
  return { metric, direction: direction ?? (metric.endsWith('accuracy') ? 'maximize' : 'minimize') }
}
