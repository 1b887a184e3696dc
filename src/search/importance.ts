import { importancesAmongBest } from '../analysis/importance.js'
import { ended, resultOf } from './results.js'
import type { Observation, PointSamplerOptions } from './sampler.js'
import type { SearchAxis } from './space.js'

/** How much each axis has to do with being among the best tenth of the trials that ran to their end, in shares of 1. */
export function importances(
  space: readonly SearchAxis[],
  observations: readonly Observation[],
  directions: PointSamplerOptions['directions'],
): Map<string, number> {
  const complete = observations.filter((one) => {
    const kind = resultOf(one, directions).class
    return one.ignored !== true && (kind === ended.feasible || kind === ended.infeasible)
  })
  const losses = complete.map((one) => resultOf(one, directions).losses)
  return importancesAmongBest(
    space,
    complete.map(({ point }) => point),
    losses,
  )
}
