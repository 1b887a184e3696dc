import { maxOf, minOf } from '../../core/extremes.js'
import { writeValue } from '../../core/param-value.js'
import { numberLabels, spread } from '../style.js'
import type { SearchedAxis } from './settings.js'

/** An axis of values of an objective: in the logarithm where all are above 0 and the largest is twenty times the least. */
export function objectiveScale(values: readonly number[]): { scale: object; axis: object } {
  const [least, most] = [minOf(values), maxOf(values)]
  if (least > 0 && most / least >= 20) return spread(values)
  return { scale: { zero: false, nice: true }, axis: { labelExpr: numberLabels(values), tickCount: 6 } }
}

const maxLetters = 14

/** The encoding of a searched axis in field `field`, whose choices are numbers from 0. */
export function searchedScale(
  field: string,
  { title, axis, values }: SearchedAxis,
  ticks = 5,
): Record<string, unknown> {
  if (axis.kind === 'choice') {
    const labels = values!.map((value) => shortened(writeValue(value)))
    const most = axis.choices - 1
    // Side by side in half a column there is room for so many letters.
    const isCrowded = field === 'x' && labels.length * maxOf(labels.map(({ length }) => length)) > maxLetters
    return {
      ...{ field, type: 'quantitative', title },
      scale: { domain: [-0.5, most + 0.5], nice: false, zero: false },
      axis: {
        values: labels.map((_, i) => i),
        labelExpr: `${JSON.stringify(labels)}[datum.value]`,
        ...{ grid: false, labelOverlap: labels.length > 8 },
        ...(isCrowded ? { labelAngle: -40, labelLimit: 90 } : {}),
      },
    }
  }
  const ends = [axis.low, axis.high]
  if (axis.log === true) {
    const { axis: ticked } = spread(ends)
    return {
      field,
      type: 'quantitative',
      title,
      scale: { type: 'log', domain: ends, nice: false, padding: 6 },
      axis: ticked,
    }
  }
  return {
    ...{ field, type: 'quantitative', title },
    scale: { domain: ends, nice: false, zero: false, padding: 6 },
    axis: { labelExpr: numberLabels(ends), tickCount: ticks },
  }
}

/** Where a value lies between the ends of its axis, as that is drawn: 0 to 1. */
export function placeOn({ axis }: SearchedAxis, value: number): number {
  if (axis.kind === 'choice') return axis.choices === 1 ? 0.5 : value / (axis.choices - 1)
  if (axis.low === axis.high) return 0.5
  const measure = (one: number): number => (axis.log === true ? Math.log(one) : one)
  return (measure(value) - measure(axis.low)) / (measure(axis.high) - measure(axis.low))
}

/** The number at a place of an axis of numbers: `placeOn` turned round. */
export function valueOn({ axis }: SearchedAxis, place: number): number {
  if (axis.kind === 'choice') return place * (axis.choices - 1)
  // The ends exactly: a logarithm and back would miss them.
  if (place <= 0 || place >= 1) return place <= 0 ? axis.low : axis.high
  return axis.log === true
    ? Math.exp(Math.log(axis.low) + place * (Math.log(axis.high) - Math.log(axis.low)))
    : axis.low + place * (axis.high - axis.low)
}

export const shortened = (text: string, most = 16): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text

/** From the worst to the best, light to dark: it is told apart in greys too. */
const fromWorst = ['#fde725', '#5ec962', '#21918c', '#3b528b', '#440154']

/** The same, mixed with white: opaque, since cells lie a little over each other. */
const paleFromWorst = fromWorst.map((colour) => {
  const parts = colour
    .slice(1)
    .match(/../g)!
    .map((pair) => Math.round(0.45 * parseInt(pair, 16) + 0.55 * 255))
  return `#${parts.map((part) => part.toString(16).padStart(2, '0')).join('')}`
})

/** The share of the others that are behind a setting, as a colour. */
export const shareColour = {
  ...{ field: 'behind', type: 'quantitative', title: 'others behind' },
  scale: { domain: [0, 1], range: fromWorst },
  legend: { format: '.0%', gradientLength: 160, values: [0, 0.25, 0.5, 0.75, 1] },
} as const

/** The same of what lies between settings, behind them. It is no scale: with two of them vega-lite leaves out the legend of both. */
export const paleShareColour = {
  condition: paleFromWorst
    .slice(1)
    .map((value, i) => ({ test: `datum.behind >= ${(i + 1) / fromWorst.length}`, value }))
    .reverse(),
  value: paleFromWorst[0]!,
}
