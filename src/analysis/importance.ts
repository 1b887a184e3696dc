import { bestOfFronts } from './pareto.js'
import { pedAnova, type ImportanceAxis } from './ped-anova.js'

/** The share of the points that counts as the best. */
const bestShare = 0.1

/**
 * How much each axis has to do with being among the best tenth of the points, in shares of 1 by PED-ANOVA: of one
 * objective those up to the value at a tenth, of several whole fronts and of the last the largest hypervolume. All 0 of
 * fewer than two points.
 *
 * `losses` are those of each point, all to be minimised.
 */
export function importancesAmongBest(
  axes: readonly ImportanceAxis[],
  points: readonly Readonly<Record<string, number>>[],
  losses: readonly (readonly number[])[],
): Map<string, number> {
  const count = Math.ceil(bestShare * points.length)
  const top = (losses[0]?.length ?? 1) === 1 ? undefined : new Set(bestOfFronts(losses, count))
  const limit = losses.map(([loss]) => loss!).sort((a, b) => a - b)[count - 1]
  return pedAnova(
    axes,
    points,
    losses.map(([loss], i) => top?.has(i) ?? loss! <= limit!),
  )
}
