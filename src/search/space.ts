import { SpaceError } from '../core/errors.js'
import type { Random } from '../core/seed.js'
import { exponentOf } from '../core/decimal.js'
import { exp, log } from '../analysis/elementary.js'

/** An axis holds only where the choice axis `axis`, which stands before it, has one of the choices `among`. */
export interface Condition {
  readonly axis: string
  /** Indices of choices. */
  readonly among: readonly number[]
}

/** An axis as a sampler sees it. */
export type SearchAxis = NumberAxis | ChoiceAxis

export interface NumberAxis {
  readonly name: string
  readonly kind: 'float' | 'int'
  /** Both ends belong to the axis. */
  readonly low: number
  readonly high: number
  /** Drawn evenly in the logarithm; default false. Not together with `step`. */
  readonly log?: boolean
  /** Values are low, low + step, …; default 1 of integers, none of floats. */
  readonly step?: number
  readonly when?: Condition
}

export interface ChoiceAxis {
  readonly name: string
  readonly kind: 'choice'
  /** How many there are; a point holds the index of one. */
  readonly choices: number
  /** How often a random point has each, of any sum; default evenly. */
  readonly weights?: readonly number[]
  readonly when?: Condition
}

/** Axis name → a value, or the index of a choice; an axis whose condition does not hold is absent. */
export type SearchPoint = Readonly<Record<string, number>>

/** @throws SpaceError where the axes contradict themselves. */
export function checkSpace(space: readonly SearchAxis[]): void {
  const seen = new Map<string, SearchAxis>()
  for (const axis of space) {
    if (seen.has(axis.name)) throw new SpaceError(`${axis.name}: is an axis twice`)
    if (axis.kind === 'choice') checkChoices(axis)
    else checkRange(axis)
    const parent = axis.when === undefined ? undefined : seen.get(axis.when.axis)
    if (axis.when !== undefined && parent?.kind !== 'choice')
      throw new SpaceError(`${axis.name}: depends on ${axis.when.axis}, which is not an axis of choices before it`)
    if (parent?.kind === 'choice' && !axis.when!.among.every((at) => isIndex(at, parent.choices)))
      throw new SpaceError(`${axis.name}: depends on choices that ${parent.name} does not have`)
    seen.set(axis.name, axis)
  }
}

const isIndex = (value: number, count: number): boolean => Number.isSafeInteger(value) && value >= 0 && value < count

function checkChoices({ name, choices, weights }: ChoiceAxis): void {
  if (!Number.isSafeInteger(choices) || choices < 1)
    throw new SpaceError(`${name}: ${choices} choices (an integer of at least 1)`)
  if (weights === undefined) return
  const right = weights.length === choices && weights.every((weight) => Number.isFinite(weight) && weight >= 0)
  if (!right || !weights.some((weight) => weight > 0))
    throw new SpaceError(`${name}: weights: ${weights.join(', ')} (one of each choice, none below 0, one above it)`)
}

function checkRange({ name, kind, low, high, log, step }: NumberAxis): void {
  const range = `${low} to ${high}`
  if (!Number.isFinite(high - low) || low > high)
    throw new SpaceError(`${name}: ${range} is not a range (low at most high, both finite)`)
  if (log === true && low <= 0) throw new SpaceError(`${name}: ${range} has no logarithm (low must be above 0)`)
  if (step !== undefined && (!(step > 0) || !Number.isFinite(step) || log === true))
    throw new SpaceError(`${name}: step: ${step} (above 0, and not of a logarithmic axis)`)
  if (kind === 'int' && ![low, high, step ?? 1].every((value) => Number.isSafeInteger(value)))
    throw new SpaceError(`${name}: ${range}, step ${step ?? 1} are not integers`)
}

/** The distance between neighbours, or `undefined` where there are none. */
export const stepOf = (axis: NumberAxis): number | undefined => axis.step ?? (axis.kind === 'int' ? 1 : undefined)

/** How many values an axis has; infinite of a float without step. */
export function countValues(axis: SearchAxis): number {
  if (axis.kind === 'choice') return axis.choices
  const step = stepOf(axis)
  if (axis.low === axis.high) return 1
  // A step of 0.1 fits ten times into 0 to 1, though not in binary.
  return step === undefined ? Infinity : Math.floor((axis.high - axis.low) / step + 1e-9) + 1
}

/** The `at`-th value of an axis that has finitely many. */
export function valueAt(axis: SearchAxis, at: number): number {
  if (axis.kind === 'choice') return at
  const step = stepOf(axis)
  return step === undefined || at === 0 ? axis.low : canonical(axis, axis.low + at * step)
}

/** The value of the axis that is nearest: on its grid, within its ends, with as many digits as tell a millionth of it. */
export function nearestValue(axis: SearchAxis, value: number): number {
  const count = countValues(axis)
  if (axis.kind === 'choice') return Math.max(0, Math.min(count - 1, Math.round(value)))
  const step = stepOf(axis)
  if (step === undefined) return canonical(axis, value)
  return valueAt(axis, Math.max(0, Math.min(count - 1, Math.round((value - axis.low) / step))))
}

/** Few digits, so that a value reads well and has one form: equal points have equal values. */
function canonical(axis: NumberAxis, value: number): number {
  const { low, high, kind } = axis
  const within = Math.max(low, Math.min(high, value))
  if (kind === 'int') return within
  return Math.max(low, Math.min(high, Number(within.toPrecision(digitsOf(axis)))))
}

function digitsOf({ low, high }: NumberAxis): number {
  const largest = Math.max(Math.abs(low), Math.abs(high))
  const narrower = high === low ? 0 : exponentOf(largest) - exponentOf(high - low)
  return Math.max(6, Math.min(17, 6 + narrower))
}

/** The next value above one of a float axis without steps; `undefined` at its high end. */
export function valueAbove(axis: NumberAxis, value: number): number | undefined {
  // One unit of the last digit, a tenth of it below a power of ten, or where that is less than doubles tell, the next double.
  const unit = value === 0 ? 0 : Number(`1e${exponentOf(Math.abs(value)) + 1 - digitsOf(axis)}`)
  return [value + unit / 10, value + unit, doubleAbove(value)]
    .map((above) => canonical(axis, above))
    .find((above) => above > value)
}

function doubleAbove(value: number): number {
  const bits = new BigInt64Array(new Float64Array([value + 0]).buffer)
  bits[0]! += value >= 0 ? 1n : -1n
  return new Float64Array(bits.buffer)[0]!
}

/** Whether the axis holds at a point. */
export const holds = ({ when }: SearchAxis, point: SearchPoint): boolean =>
  when === undefined || (Object.hasOwn(point, when.axis) && when.among.includes(point[when.axis]!))

/** A text that only equal points share. */
export const pointKey = (space: readonly SearchAxis[], point: SearchPoint): string =>
  space.map(({ name }) => (Object.hasOwn(point, name) ? String(point[name]! + 0) : '')).join()

/** A point with one value of each axis that holds, in the order of the space. */
export function buildPoint(space: readonly SearchAxis[], valueOf: (axis: SearchAxis) => number): SearchPoint {
  const point: Record<string, number> = Object.create(null) as Record<string, number>
  for (const axis of space) if (holds(axis, point)) point[axis.name] = valueOf(axis)
  return point
}

/** How many points there are: infinite with a float axis that has no step. */
export function countPoints(space: readonly SearchAxis[]): number {
  const count = (at: number, point: SearchPoint): number => {
    const axis = space[at]
    if (axis === undefined) return 1
    if (!holds(axis, point)) return count(at + 1, point)
    const branches = axis.kind === 'choice' && space.some(({ when }) => when?.axis === axis.name)
    if (!branches) return countValues(axis) * count(at + 1, point)
    let total = 0
    for (let choice = 0; choice < axis.choices; choice++) total += count(at + 1, { ...point, [axis.name]: choice })
    return total
  }
  return count(0, {})
}

/** A value of the axis by its own law: even, even in the logarithm, or by the weights of its choices. */
export function drawValue(axis: SearchAxis, random: Random): number {
  const u = random.uniform()
  if (axis.kind === 'choice')
    return axis.weights === undefined ? Math.floor(u * axis.choices) : weighted(axis.weights, u)
  const step = stepOf(axis)
  if (axis.log === true) {
    // An integer has the share of the logarithm within half a step of it.
    const half = (step ?? 0) / 2
    const [from, to] = [log(axis.low - half), log(axis.high + half)]
    return nearestValue(axis, exp(from + u * (to - from)))
  }
  if (step !== undefined) return valueAt(axis, Math.floor(u * countValues(axis)))
  return canonical(axis, axis.low + u * (axis.high - axis.low))
}

function weighted(weights: readonly number[], u: number): number {
  let left = u * weights.reduce((sum, weight) => sum + weight, 0)
  const at = weights.findIndex((weight) => (left -= weight) < 0)
  return at < 0 ? weights.findLastIndex((weight) => weight > 0) : at
}
