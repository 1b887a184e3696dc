import { writeValue } from '../../core/param-value.js'
import type { CellValue } from './model.js'

export type ScaleKind = 'linear' | 'log' | 'category'

/** Places of values along an axis, from 0 to 1. */
export interface Scale {
  readonly kind: ScaleKind
  /** `undefined` of what has no place: no number, or none above 0 on a logarithmic axis. */
  place(value: CellValue): number | undefined
  /** The number at a place; NaN of categories. */
  valueAt(place: number): number
  /** The categories whose places are from one to the other; none of numbers. */
  valuesWithin(low: number, high: number): CellValue[]
  readonly ticks: readonly { readonly at: number; readonly label: string; readonly value: CellValue }[]
}

/** More categories than these are texts to look for, not places. */
const maxCategories = 40

/**
 * Categories where values are no numbers. Logarithmic where they span two decades, or one and their median lies nearer the
 * geometric middle of their ends than the arithmetic one, as 4, 16, 64, 256 do.
 */
export function suggestKind(values: readonly CellValue[]): ScaleKind {
  const numbers = new Set<number>()
  for (const value of values) {
    if (typeof value === 'string' || typeof value === 'boolean') return 'category'
    if (value !== null && Number.isFinite(value)) numbers.add(value)
  }
  const sorted = [...numbers].sort((a, b) => a - b)
  const [low, high] = [sorted[0] ?? 0, sorted.at(-1) ?? 0]
  if (low <= 0) return 'linear'
  if (high / low >= 100) return 'log'
  if (sorted.length < 3) return 'linear'
  const middle = sorted[Math.floor(sorted.length / 2)]!
  const isGeometric =
    Math.abs(Math.log(middle / Math.sqrt(low * high))) < Math.abs(Math.log(middle / ((low + high) / 2)))
  return high / low >= 10 && isGeometric ? 'log' : 'linear'
}

/** The kind that a person chose, where there is a choice, else the one that suits the values. */
export function kindOf(values: readonly CellValue[], isLog: boolean | undefined): ScaleKind {
  const suggested = suggestKind(values)
  return suggested === 'category' || isLog === undefined ? suggested : isLog ? 'log' : 'linear'
}

/** A column with how it is drawn, for who can't see it. */
export const namedOn = ({ kind }: Scale, name: string): string => (kind === 'log' ? `${name} (logarithmic)` : name)

export function makeScale(values: readonly CellValue[], kind: ScaleKind): Scale {
  if (kind === 'category') return categories(values)
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) {
    if (typeof value !== 'number' || !Number.isFinite(value) || (kind === 'log' && value <= 0)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  if (low > high) [low, high] = kind === 'log' ? [1, 10] : [0, 1]
  if (low === high) [low, high] = kind === 'log' ? withinNumbers(low / 2, low * 2) : aboutOne(low)
  const [to, from] = kind === 'log' ? [Math.log, Math.exp] : [(x: number) => x, (x: number) => x]
  const [a, b] = [to(low), to(high)]
  // Halves: the whole way from the least to the largest number there is would be Infinity.
  const spread = b / 2 - a / 2
  const place = (value: CellValue): number | undefined => {
    if (typeof value !== 'number' || !Number.isFinite(value) || (kind === 'log' && value <= 0)) return undefined
    return spread === 0 ? 0.5 : (to(value) / 2 - a / 2) / spread
  }
  const marks = (kind === 'log' ? logTicks(low, high) : linearTicks(low, high)).filter(Number.isFinite)
  return {
    kind,
    place,
    valueAt: (at) => from(a * (1 - at) + at * b),
    valuesWithin: () => [],
    ticks: marks.map((value) => ({ at: place(value)!, label: tickLabel(value), value })),
  }
}

/** Ends about a number that is the only one: 1 from it, or a part of it where 1 is nothing beside it. */
function aboutOne(value: number): [number, number] {
  const aside = Math.max(1, Math.abs(value) / 100)
  return [Math.max(-Number.MAX_VALUE, value - aside), Math.min(Number.MAX_VALUE, value + aside)]
}

const withinNumbers = (low: number, high: number): [number, number] => [
  Math.max(Number.MIN_VALUE, low),
  Math.min(Number.MAX_VALUE, high),
]

function categories(values: readonly CellValue[]): Scale {
  const found = [...new Set(values.filter((value) => value !== null))].sort((x, y) =>
    typeof x === 'number' && typeof y === 'number' ? x - y : String(x) < String(y) ? -1 : 1,
  )
  const places = new Map(found.map((value, i) => [value, found.length === 1 ? 0.5 : i / (found.length - 1)]))
  const shown = found.length <= maxCategories ? found : []
  return {
    kind: 'category',
    place: (value) => (value === null ? undefined : places.get(value)),
    valueAt: () => NaN,
    valuesWithin: (low, high) => found.filter((value) => places.get(value)! >= low && places.get(value)! <= high),
    ticks: shown.map((value) => ({ at: places.get(value)!, label: tickLabel(value), value })),
  }
}

/** Steps of 1, 2 or 5 times a power of ten, about five of them. */
function linearTicks(low: number, high: number): number[] {
  const rough = high / 5 - low / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough)!
  const first = Math.ceil(low / step)
  const count = Math.floor(high / step + 1e-9) - first + 1
  return Array.from({ length: Math.max(0, count) }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** Powers of ten; where there are fewer than two, 1, 2 and 5 times them, or the ends. */
function logTicks(low: number, high: number): number[] {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))]
  const every = Math.max(1, Math.ceil((to - from) / 6))
  const within = (times: readonly number[]): number[] => {
    const found: number[] = []
    for (let power = from; power <= to; power += every)
      for (const one of times) {
        const value = Number(`${one}e${power}`)
        if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) found.push(value)
      }
    return found
  }
  const powers = within([1])
  if (powers.length >= 2) return powers
  const more = within([1, 2, 5])
  return more.length >= 2 ? more : [low, high]
}

function tickLabel(value: CellValue): string {
  if (typeof value !== 'number') {
    const text = typeof value === 'string' ? value : writeValue(value)
    return text.length > 16 ? `${text.slice(0, 15)}…` : text
  }
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) return value.toExponential().replace('e+', 'e').slice(0, 9)
  return String(Number(value.toPrecision(4)))
}
