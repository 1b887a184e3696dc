import { maxOf, minOf } from '../core/extremes.js'
import { lookUp } from '../core/names.js'
import { isSameValue } from '../core/param-value.js'
import type { Ranking } from '../core/ranking.js'
import type { Objective, ParamValue, TrialRecord } from '../core/trial.js'
import { varyingAxes } from '../core/varying-axes.js'
import { importancesOf, settingsOf, type SearchedAxis } from '../figures/search/settings.js'

/** How much each axis has to do with being among the best tenth of the settings. */
export interface Importance {
  readonly settings: number
  /** In shares of 1, the largest first. */
  readonly shares: readonly (readonly [axis: string, share: number])[]
}

/** Numbers of more values than these lie along an axis; fewer are choices. */
const maxChoices = 12

/**
 * Of any sweep, by what its trials came to; `undefined` of one axis, and of fewer than 20 settings.
 * @param searchedAxes of a search that learns. Default: the axes that vary, by the values that they take.
 * @param ranking of the same records. Default: they are ranked here.
 */
export function importanceOf(
  records: readonly TrialRecord[],
  objective: Objective,
  searchedAxes?: readonly SearchedAxis[],
  ranking?: Ranking,
): Importance | undefined {
  const searched = { axes: searchedAxes ?? axesOf(records, objective), objective }
  if (searched.axes.length < 2) return undefined
  const { settings } = settingsOf(records, searched, ranking)
  const shares = importancesOf(settings, searched)
  if (shares.length === 0) return undefined
  return { settings: settings.length, shares: shares.map(([{ axis }, share]) => [axis.name, share]) }
}

function axesOf(records: readonly TrialRecord[], { average = [] }: Objective): SearchedAxis[] {
  const trials = records.map(({ trial }) => trial).filter(({ parents }) => parents.length === 0)
  const names = varyingAxes(trials).filter((name) => !average.includes(name))
  return names.map((name) => axisOf(name, valuesOf(name, trials)))
}

function valuesOf(name: string, trials: readonly TrialRecord['trial'][]): ParamValue[] {
  const values = new Map<string, ParamValue>()
  for (const { params } of trials) {
    const value = lookUp(params, name)
    if (value !== undefined) values.set(JSON.stringify(value), value)
  }
  return [...values.values()]
}

function axisOf(name: string, values: readonly ParamValue[]): SearchedAxis {
  const numbers = values.filter((value) => typeof value === 'number')
  if (numbers.length < values.length || values.length <= maxChoices)
    return { title: name, axis: { name, kind: 'choice', choices: values.length }, values: inOrder(values) }
  const [low, high] = [minOf(numbers), maxOf(numbers)]
  return { title: name, axis: { name, kind: 'float', low, high, log: low > 0 && high / low >= 100 } }
}

const inOrder = (values: readonly ParamValue[]): ParamValue[] =>
  values.every((value) => typeof value === 'number')
    ? values.toSorted((a, b) => a - b)
    : values.filter((value, i) => values.findIndex((one) => isSameValue(one, value)) === i)
