import { StoreError } from '../core/errors.js'
import { formatCount } from '../core/format.js'
import { goalsOf } from '../core/objective.js'
import { printableLine } from '../core/printable.js'
import type { Objective } from '../core/trial.js'
import { importances } from '../search/importance.js'
import { SearchCourse } from '../sweeps/searching/course.js'
import { SearchSpace } from '../sweeps/searching/search-space.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'

/** Of fewer settings a tenth says nothing. */
const fewest = 20

/** How much each axis of a search has to do with being among the best tenth of its settings. */
export interface AxisImportances {
  readonly settings: number
  /** By axis, in shares of 1, the largest first. */
  readonly shares: Readonly<Record<string, number>>
}

/** The importances of a search that learns; `undefined` of any other sweep, of one axis, and of fewer than 20 settings. */
export function importancesOf(sweep: SweepFolder, objective: Objective): AxisImportances | undefined {
  const { trials, suggested = [], spec } = sweep.frozen
  if (spec.search?.learning === undefined) return undefined
  const space = new SearchSpace(spec)
  const course = new SearchCourse(space, spec.search.learning, objective, spec.search.count, { trials, suggested })
  try {
    for (const event of sweep.events()) course.apply(event)
  } catch (error) {
    // Of a journal with a gap the ranking still tells what there is.
    if (error instanceof StoreError) return undefined
    throw error
  }
  const observations = course.observations()
  if (space.axes.length < 2 || observations.length < fewest) return undefined
  const directions = goalsOf(objective).map(({ direction }) => direction)
  const shares = [...importances(space.axes, observations, directions)].sort((a, b) => b[1] - a[1])
  if (shares.every(([, share]) => share === 0)) return undefined
  return { settings: observations.length, shares: Object.fromEntries(shares) }
}

/** `importance for being among the best tenth of 60 settings: learningRate 71 %, width 29 %`. */
export function describeImportances({ settings, shares }: AxisImportances): string {
  const told = Object.entries(shares).map(([axis, share]) => `${printableLine(axis)} ${Math.round(100 * share)} %`)
  return `importance for being among the best tenth of ${formatCount(settings, 'setting')}: ${told.join(', ')}`
}
