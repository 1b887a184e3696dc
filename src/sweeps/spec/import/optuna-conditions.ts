import { maxOf, minOf } from '../../../core/extremes.js'
import { valueKey, writeValue } from '../../../core/param-value.js'
import type { ParamValue } from '../../../core/trial.js'
import type { OptunaTrial } from './optuna-storage.js'

/** Where a parameter matters: another has one of these values, or one within these bounds. */
export interface Condition {
  readonly parent: string
  readonly wanted: readonly ParamValue[] | { readonly min: number } | { readonly max: number }
}

/** Fewer trials would fit many a condition by chance. */
const fewestTrials = 4

/**
 * When a parameter that only some trials have matters, as far as they show it: Optuna keeps no conditions, the program has them. A
 * parent is a list, or else an integer, of which every trial with the parameter has one set of values, and every other trial none.
 * @returns the condition, or the parents that would do equally.
 */
export function conditionOf(
  name: string,
  trials: readonly OptunaTrial[],
  isList: (parent: string) => boolean,
): Condition | readonly string[] {
  const parents = new Set(trials.flatMap(({ params }) => [...params.keys()]))
  const found = [...parents].flatMap((parent) => fits(name, parent, trials, isList(parent)) ?? [])
  const lists = found.filter(({ parent }) => isList(parent))
  const [only, ...others] = lists.length > 0 ? lists : found
  return only !== undefined && others.length === 0 ? only : found.map(({ parent }) => parent)
}

function fits(name: string, parent: string, trials: readonly OptunaTrial[], isList: boolean): Condition | undefined {
  const within = trials.filter(({ params }) => params.has(parent))
  const having = trials.filter(({ params }) => params.has(name))
  if (
    name === parent ||
    within.length < fewestTrials ||
    !having.every(({ params }) => comesBefore(parent, name, params))
  )
    return undefined
  const [wanted, others] = [true, false].map((has) =>
    within.filter(({ params }) => params.has(name) === has).map(({ params }) => params.get(parent)!.value),
  ) as [ParamValue[], ParamValue[]]
  if (wanted.length === 0 || others.length === 0) return undefined
  if (!isList) return bounded(parent, wanted, others)
  const unwanted = new Set(others.map(valueKey))
  const values = [...new Map(wanted.map((value) => [valueKey(value), value])).values()]
  return values.some((value) => unwanted.has(valueKey(value))) ? undefined : { parent, wanted: values }
}

/** A program asks for a parameter after those that it depends on. */
function comesBefore(parent: string, name: string, params: OptunaTrial['params']): boolean {
  const names = [...params.keys()]
  return names.includes(parent) && names.indexOf(parent) < names.indexOf(name)
}

/** Of integers: from the least on, or up to the greatest, where no value lies between those with and those without. */
function bounded(parent: string, wanted: readonly ParamValue[], others: readonly ParamValue[]): Condition | undefined {
  if (![...wanted, ...others].every((value) => Number.isInteger(value))) return undefined
  const [have, lack] = [wanted as readonly number[], others as readonly number[]]
  if (minOf(have) === maxOf(lack) + 1) return { parent, wanted: { min: minOf(have) } }
  return maxOf(have) + 1 === minOf(lack) ? { parent, wanted: { max: maxOf(have) } } : undefined
}

/** `classifier is svc or linear`, `layers is at least 3`. */
export function describeCondition({ parent, wanted }: Condition): string {
  if ('min' in wanted) return `${parent} is at least ${wanted.min}`
  if ('max' in wanted) return `${parent} is at most ${wanted.max}`
  return `${parent} is ${wanted.map((value) => writeValue(value)).join(' or ')}`
}
