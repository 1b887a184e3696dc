import { SpaceError, writtenAt } from '../../core/errors.js'
import { lookUp } from '../../core/names.js'
import { writeValue } from '../../core/param-value.js'
import type { Experiment } from '../../experiments/experiment.js'
import { settingAxes } from '../../core/setting.js'
import { makePlan, type Plan, type ResolveData } from '../plan.js'
import { NothingLeftError } from '../spec/points.js'
import type { SweepSpec } from '../spec/spec.js'
import type { SearchedValues } from './search-space.js'

/** Plans one setting: a value of every searched axis, with all its seeds and stages. */
export type PlanSetting = (values: SearchedValues) => Plan | undefined

/**
 * The planner of a search's settings. A setting is the plan of a search that draws that one point; there is none where
 * `where` or `exclude` leave it out.
 * @throws SpaceError, UnknownNameError for what no point can make right; a plan of several settings is refused too.
 */
export function settingPlanner(experiment: Experiment, spec: SweepSpec, resolveData: ResolveData): PlanSetting {
  return (values) => {
    const axes = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, { kind: 'choice' as const, values: [value] }]),
    )
    const search = { sampler: 'random', count: 1, seed: 0, axes }
    try {
      const plan = makePlan(experiment, { ...spec, search }, resolveData)
      refuseSeveral(plan, spec)
      return { ...plan, spec }
    } catch (error) {
      if (error instanceof NothingLeftError) return undefined
      throw error
    }
  }
}

function refuseSeveral({ trials }: Plan, spec: SweepSpec): void {
  const { sampler } = spec.search!
  const first = trials.filter(({ parents }) => parents.length === 0)
  const [axis] = settingAxes(first, spec)
  if (axis === undefined) return
  const values = [...new Set(first.map(({ params }) => writeValue(lookUp(params, axis))))]
  writtenAt(['search'], () => {
    throw new SpaceError(
      `search: ${sampler} suggests one setting at a time, and ${axis} has ${values.length} values: ${values.slice(0, 8).join(', ')} (name it under search: axes, give it one value: --set ${axis}=${values[0]!}, or average over it: average: ${axis})`,
    )
  })
}
