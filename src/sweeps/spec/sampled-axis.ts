import { quoteInput } from '../../core/quote-input.js'
import { SpaceError, UnknownNameError } from '../../core/errors.js'
import { decimalSteps, exponentOf } from '../../core/decimal.js'
import { exp } from '../../analysis/elementary.js'
import { normalQuantile } from '../../analysis/normal.js'
import { isMapping } from '../../core/is-mapping.js'
import type { Language } from './language.js'
import { expandValues, literalValues, type Reading } from './values.js'

/** Where an axis is drawn from: an interval, evenly or evenly in the logarithm; a normal law; or a list. */
export type SampledAxis = Interval | NormalLaw | Choice

/** Of numbers or integers; both ends belong to it. */
export interface Interval {
  readonly kind: 'uniform' | 'log' | 'int' | 'log-int'
  readonly low: number
  readonly high: number
  /** Values are low, low + step, …; all that there are unless it is said. */
  readonly step?: number
}

/** Of numbers, or of what `log-normal` numbers have as their natural logarithm. */
export interface NormalLaw {
  readonly kind: 'normal' | 'log-normal'
  readonly mean: number
  readonly deviation: number
  /** Values are multiples of it. */
  readonly step?: number
}

export interface Choice {
  readonly kind: 'choice'
  readonly values: readonly unknown[]
  /** How often each is drawn, of any sum; evenly unless it is said. */
  readonly weights?: readonly number[]
}

/** The numbers of an axis that tell what kind of values it has. */
export function examplesOf(axis: SampledAxis): readonly unknown[] {
  if (axis.kind === 'choice') return axis.values
  return 'low' in axis ? [axis.low, axis.high] : [axis.mean]
}

/** The value at u ∈ [0, 1) of an axis, of few digits, so that it reads well and is the same on every machine. */
export function valueAt(axis: SampledAxis, u: number, language: Language): unknown {
  if (axis.kind === 'choice')
    return axis.values[axis.weights === undefined ? Math.floor(u * axis.values.length) : weighted(axis.weights, u)]
  return 'low' in axis ? withinInterval(axis, u, language) : byNormalLaw(axis, u)
}

function weighted(weights: readonly number[], u: number): number {
  let left = u * weights.reduce((sum, weight) => sum + weight, 0)
  const at = weights.findIndex((weight) => (left -= weight) < 0)
  return at < 0 ? weights.findLastIndex((weight) => weight > 0) : at
}

function withinInterval(axis: Interval, u: number, language: Language): number {
  const { kind, low, high, step } = axis
  if (step !== undefined) {
    const count = stepsOf(axis)
    // A logarithmic one is drawn where it lies, and goes to the step that is nearest.
    const at =
      kind === 'uniform' || kind === 'int' ? u * count : (low * exp(u * Math.log(high / low)) - low) / step + 0.5
    return decimalSteps(low, step)(Math.min(count - 1, Math.floor(at)))
  }
  switch (kind) {
    case 'uniform':
      return rounded(low + u * (high - low), axis, language)
    case 'log':
      return rounded(low * Math.exp(u * Math.log(high / low)), axis, language)
    case 'int':
      return Math.min(high, low + Math.floor(u * (high - low + 1)))
    case 'log-int':
      return Math.min(high, Math.floor(low * Math.exp(u * Math.log((high + 1) / low)) + 1e-9))
  }
}

/** How many values an interval with a step has; 0.1 fits ten times into 0 to 1, though not in binary. */
const stepsOf = ({ low, high, step }: Interval): number => Math.floor((high - low) / step! + 1e-9) + 1

/** Six digits, or as many more as the ends have in common; up to the second language six, whatever the ends. */
function rounded(value: number, { low, high }: Interval, language: Language): number {
  if (language < 3) return Number(value.toPrecision(6))
  const inCommon = exponentOf(Math.max(Math.abs(low), Math.abs(high)) / (high - low))
  return Math.max(low, Math.min(high, Number(value.toPrecision(Math.max(6, Math.min(17, 6 + inCommon))))))
}

/** What stands for u = 0, where Sobol's points begin and a normal law has no value: about 3 deviations below the mean. */
const leastU = 2 ** -10

function byNormalLaw({ kind, mean, deviation, step }: NormalLaw, u: number): number {
  const drawn = mean + deviation * normalQuantile(u === 0 ? leastU : u)
  const value = kind === 'normal' ? drawn : exp(drawn)
  if (step !== undefined) return decimalSteps(0, step)(Math.round(value / step))
  const digits = kind === 'log-normal' || mean === 0 ? 6 : 6 + exponentOf(Math.abs(mean) / deviation)
  return Number(value.toPrecision(Math.max(6, Math.min(17, digits))))
}

const intervals = ['uniform', 'log', 'int', 'log-int'] as const
const laws = ['normal', 'log-normal'] as const
/** The words for ranges, each with what it takes. */
export const rangeKinds = [...intervals, ...laws, 'choice'] as const
type RangeKind = Interval['kind']

const forms =
  '{uniform: [low, high]}, {log: […]}, {int: […]}, {log-int: […]}, {normal: [mean, deviation]}, {log-normal: […]}, {choice: […], weights: […]}, or a list of values'

/** Reads one of `search: axes:`. @throws SpaceError, UnknownNameError. */
export function parseSampledAxis(name: string, raw: unknown, reading: Reading): SampledAxis {
  if (typeof raw === 'string' && reading.language > 1)
    return { kind: 'choice', values: expandValues(name, raw, reading) }
  if (Array.isArray(raw) && raw.length > 0) return choiceOf(name, raw as unknown[], reading)
  const [kind, ...others] = isMapping(raw) ? Object.keys(raw).filter((key) => !isOption(key)) : []
  if (kind === undefined || others.length > 0)
    throw new SpaceError(`search: ${name}: ${quoteInput(raw)} is not a range (one of ${forms})`)
  if (!(rangeKinds as readonly string[]).includes(kind))
    throw new UnknownNameError(`range of ${name}`, kind, rangeKinds)
  const { [kind]: given, step, weights } = raw as Readonly<Record<string, unknown>>
  if (kind === 'choice') {
    if (step !== undefined) throw new SpaceError(`search: ${name}: step: a list of values has none (leave it out)`)
    if (!Array.isArray(given) || given.length === 0) throw new SpaceError(`search: ${name}: choice has no values`)
    const choice = choiceOf(name, given as unknown[], reading)
    return weights === undefined ? choice : { ...choice, weights: weightsOf(name, weights, given.length) }
  }
  if (weights !== undefined)
    throw new SpaceError(`search: ${name}: weights stand beside choice (such as {choice: [a, b], weights: [3, 1]})`)
  const law = (laws as readonly string[]).includes(kind)
  return law ? lawOf(name, kind as NormalLaw['kind'], given, step) : rangeOf(name, kind as RangeKind, given, step)
}

const isOption = (key: string): boolean => key === 'step' || key === 'weights'

const choiceOf = (name: string, values: unknown[], { language }: Reading): Choice => ({
  kind: 'choice',
  values: language === 1 ? values : literalValues(name, values),
})

function weightsOf(name: string, weights: unknown, count: number): number[] {
  const isRight =
    Array.isArray(weights) &&
    weights.length === count &&
    weights.every((weight) => typeof weight === 'number' && Number.isFinite(weight) && weight >= 0) &&
    weights.some((weight) => weight > 0)
  if (isRight) return weights as number[]
  throw new SpaceError(
    `search: ${name}: weights: ${quoteInput(weights)} (a list of ${count} numbers, one of each value, none below 0, one above it)`,
  )
}

/** @throws SpaceError for what are not the two ends of such a range. */
export function rangeOf(name: string, kind: RangeKind, given: unknown, step?: unknown): Interval {
  const [low, high] = twoNumbers(given)
  const right = Number.isFinite(low) && Number.isFinite(high) && Number.isFinite(high - low) && low < high
  const isWhole = kind.endsWith('int')
  const whole = !isWhole || (Number.isSafeInteger(low) && Number.isSafeInteger(high))
  if (kind.startsWith('log') && right && low > 0 && !Number.isFinite(high / low))
    throw new SpaceError(
      `search: ${name}: ${quoteInput(given)} is too wide: ${high} is no finite number of times ${low}`,
    )
  if (!right || !whole || (kind.startsWith('log') && low <= 0))
    throw new SpaceError(
      `search: ${name}: ${written(given)} is not a range (${kind} wants [low, high]${isWhole ? ', integers' : ''}, low below high${kind.startsWith('log') ? ', both above 0' : ''}${sizeWanted(low, high, isWhole)})`,
    )
  if (step === undefined) return { kind, low, high }
  const isRight = typeof step === 'number' && step > 0 && step <= high - low && (high - low) / step <= maxSteps
  if (!isRight || (isWhole && !Number.isInteger(step)))
    throw new SpaceError(
      `search: ${name}: step: ${quoteInput(step)} (${isWhole ? 'an integer' : 'a number'} above 0, at most ${high - low}, of at most ${maxSteps} steps)`,
    )
  return { kind, low, high, step }
}

/** What is said of the ends' size where that is what is wrong with them. */
function sizeWanted(low: number, high: number, isWhole: boolean): string {
  if (isWhole) {
    const isBeyond = [low, high].some((end) => Number.isInteger(end) && !Number.isSafeInteger(end))
    return isBeyond ? `, at most ${Number.MAX_SAFE_INTEGER} from 0` : ''
  }
  return Math.abs(high - low) === Infinity ? ', high - low a finite number' : ''
}

const maxSteps = 1e9

function lawOf(name: string, kind: NormalLaw['kind'], given: unknown, step: unknown): NormalLaw {
  const [mean, deviation] = twoNumbers(given)
  // No sampler draws beyond 7 deviations.
  const reach = Math.abs(mean) + 7 * deviation
  if (!Number.isFinite(reach) || deviation <= 0 || (kind === 'log-normal' && reach > 700))
    throw new SpaceError(
      `search: ${name}: ${written(given)} is not a range (${kind} wants [mean, deviation]${kind === 'normal' ? '' : ' of the natural logarithm'}, the deviation above 0${kind === 'normal' ? '' : ', all within e^±700'})`,
    )
  if (step === undefined) return { kind, mean, deviation }
  const largest = kind === 'normal' ? reach : exp(reach)
  if (typeof step !== 'number' || !(step > 0) || !(largest / step <= maxSteps))
    throw new SpaceError(
      `search: ${name}: step: ${quoteInput(step)} (a number above 0, of at most ${maxSteps} steps up to ${largest})`,
    )
  return { kind, mean, deviation, step }
}

/** As JSON, with numbers that are not finite as they are. */
const written = (given: unknown): string =>
  Array.isArray(given)
    ? `[${given.map((one) => (typeof one === 'number' ? String(one) : JSON.stringify(one))).join(',')}]`
    : JSON.stringify(given)

function twoNumbers(given: unknown): [number, number] {
  return Array.isArray(given) && given.length === 2 ? (given.map(Number) as [number, number]) : [NaN, NaN]
}
