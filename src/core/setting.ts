import { lookUp } from './names.js'
import { isSameValue } from './param-value.js'
import type { Objective, Params, Trial, TrialId } from './trial.js'
import { varyingAxes } from './varying-axes.js'

/** Which axes are averaged as seeds are: an objective, or a sweep's spec. */
export type Averaging = Pick<Objective, 'average'>

/**
 * What all trials of a setting share: their parameters but for the axes that are averaged as seeds are. Whatever pools the
 * seeds of a setting asks here which trials those are.
 */
export function settingOf(params: Params, { average }: Averaging): Params {
  if (average === undefined) return params
  return Object.fromEntries(Object.entries(params).filter(([name]) => !average.includes(name)))
}

/**
 * A trial's own parameters, after those in which all that it derives from agree: a checkpoint that is evaluated is of the
 * setting that it was trained in.
 * @param parents each with what it has of its own parents.
 */
export function withInherited(params: Params, parents: readonly Params[]): Params {
  const [first, ...others] = parents
  if (first === undefined) return params
  const agreed = Object.entries(first).filter(
    ([name, value]) =>
      !Object.hasOwn(params, name) &&
      others.every((other) => Object.hasOwn(other, name) && isSameValue(lookUp(other, name), value)),
  )
  return Object.fromEntries([...agreed, ...Object.entries(params)])
}

/** Records, parents before children, whose trials have the parameters of what they derive from beside their own. */
export function inheriting<R extends { readonly trial: Trial }>(records: readonly R[]): readonly R[] {
  if (records.every(({ trial }) => trial.parents.length === 0)) return records
  const known = new Map<TrialId, Params>()
  return records.map((record) => {
    const { trial } = record
    const parents = trial.parents.map((parent) => known.get(parent)).filter((one) => one !== undefined)
    const params = withInherited(trial.params, parents)
    known.set(trial.id, params)
    return params === trial.params ? record : { ...record, trial: { ...trial, params } }
  })
}

/** What else tells trials of a setting and of equal seeds apart, such as their folds: parameters that are averaged. */
export function averagedOf(params: Params, { average }: Averaging): Params {
  if (average === undefined) return {}
  return Object.fromEntries(Object.entries(params).filter(([name]) => average.includes(name)))
}

/** Axes by which the settings of these trials differ. */
export const settingAxes = (trials: readonly Pick<Trial, 'params'>[], { average = [] }: Averaging): string[] =>
  varyingAxes(trials).filter((axis) => !average.includes(axis))
