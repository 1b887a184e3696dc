import { lookUp } from '../../core/names.js'
import { valueKey, writeValue } from '../../core/param-value.js'
import type { ParamValue, TrialRecord } from '../../core/trial.js'
import { inReadingOrder } from '../style.js'

/** An axis that takes several values among the trials of a figure. */
export interface DrawnAxis {
  readonly name: string
  /** As labels, each once: numbers by size, texts by the alphabet. */
  readonly labels: readonly string[]
  /** Its values where all are numbers and every trial has one. */
  readonly numbers?: readonly number[]
}

/** What tells settings of one x value apart; every axis that is not named by one of these is in `rest`. */
export interface Layout {
  readonly colour?: DrawnAxis
  readonly panel?: DrawnAxis
  /** Marks and dashes. */
  readonly shape?: DrawnAxis
  readonly rest: readonly DrawnAxis[]
}

/** More panels do not fit a page, more names and shapes are not told apart. */
const [maxPanels, maxNames, maxShapes] = [6, 12, 6]

/** What a trial that lacks an axis has for it in legends. */
const absent = 'none'

export function labelOfValue(value: ParamValue | undefined): string {
  return value === undefined ? absent : writeValue(value)
}

export function drawnAxis(name: string, records: readonly TrialRecord[]): DrawnAxis {
  const values = new Map(
    records.map(({ trial }) => {
      const value = lookUp(trial.params, name)
      return [valueKey(value), value] as const
    }),
  )
  const isNumeric = [...values.values()].every((value) => typeof value === 'number')
  const labels = inReadingOrder(new Set([...values.values()].map(labelOfValue)))
  return { name, labels, ...(isNumeric ? { numbers: [...values.values()] as number[] } : {}) }
}

/** Whether its values can be colours: a few names, or any count of numbers. */
const isColourable = ({ labels, numbers }: DrawnAxis): boolean => numbers !== undefined || labels.length <= maxNames

/**
 * Which axis is told by colour, which by panels and which by shapes. Of several, panels take the one of the fewest values, names
 * before numbers, and colour the first that is left; what a person chose goes before.
 */
export function layOut(
  others: readonly DrawnAxis[],
  chosen: { readonly colour?: string | undefined; readonly panel?: string | undefined } = {},
): Layout {
  let left = others
  const take = (axis: DrawnAxis | undefined): DrawnAxis | undefined => {
    left = left.filter((other) => other !== axis)
    return axis
  }
  const named = (name: string | undefined): DrawnAxis | undefined =>
    name === undefined ? undefined : left.find((axis) => axis.name === name)
  const colourChosen = take(named(chosen.colour))
  const isChosen = chosen.panel !== undefined
  const panelled = left.length > (colourChosen === undefined ? 1 : 0) || left.some((axis) => !isColourable(axis))
  const panel = take(isChosen ? named(chosen.panel) : panelled ? fewest(left, maxPanels) : undefined)
  const colour = colourChosen ?? take(left.find((axis) => isColourable(axis)))
  const shape = take(fewest(left, maxShapes))
  return {
    ...(colour === undefined ? {} : { colour }),
    ...(panel === undefined ? {} : { panel }),
    ...(shape === undefined ? {} : { shape }),
    rest: left,
  }
}

/** The axis of the fewest values, names before numbers; none where all have more than `most`. */
function fewest(axes: readonly DrawnAxis[], most: number): DrawnAxis | undefined {
  const fitting = axes.filter(({ labels }) => labels.length <= most)
  const rank = ({ labels, numbers }: DrawnAxis): number => labels.length + (numbers === undefined ? 0 : most)
  return fitting.toSorted((a, b) => rank(a) - rank(b))[0]
}
