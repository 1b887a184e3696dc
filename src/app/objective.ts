import { MldsError } from '../core/errors.js'
import { describeObjective, goalsOf, hasFront, sweepObjective } from '../core/objective.js'
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
  const { spec } = sweep.plan
  const { objective: own = (await experimentToRead(sweep, { warn, ...trust })).objective } = spec
  const objective = sweepObjective(spec, { objective: own })
  if (metric === undefined && direction === undefined) return objective
  if (metric === undefined && hasFront(objective))
    throw new MldsError(
      'OBJECTIVE',
      `${direction} is said of one objective, and this sweep has ${goalsOf(objective).length}: ${describeObjective(objective)}`,
      { hint: `name one too: --metric ${objective.metric} --${direction}`, exitCode: 2 },
    )
  const { constraints, confirm, average } = objective
  const known = metric === undefined ? objective : goalsOf(objective).find((goal) => goal.metric === metric)
  return {
    metric: metric ?? objective.metric,
    direction: direction ?? known?.direction ?? (metric?.endsWith('accuracy') === true ? 'maximize' : 'minimize'),
    ...(constraints && { constraints }),
    ...(confirm && { confirm }),
    ...(average && { average }),
  }
}
