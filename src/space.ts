import { SpaceError, UnknownNameError } from './errors.js'
import type { ParamValue, Params } from './trial.js'
import { lookUp } from './names.js'

/** One axis an experiment understands: its kind, bounds, default and a sentence of meaning. */
export type Axis = IntegerAxis | NumberAxis | ChoiceAxis | BooleanAxis | TextAxis

interface AxisBase<T extends ParamValue> {
  readonly default: T
  /** One sentence; shown by `mlds experiments NAME`. */
  readonly doc?: string
  /** Shown on figure axes and in tables, such as `epochs`. */
  readonly unit?: string
  /** An axis that says how a trial is run rather than what it is (`epochs` for a resumable net) may be left out of labels. */
  readonly label?: string
}
export interface IntegerAxis extends AxisBase<number> {
  readonly kind: 'integer'
  readonly min?: number
  readonly max?: number
}
export interface NumberAxis extends AxisBase<number> {
  readonly kind: 'number'
  readonly min?: number
  readonly max?: number
  /** The bound itself is not allowed. */
  readonly above?: number
}
export interface ChoiceAxis<T extends string = string> extends AxisBase<T> {
  readonly kind: 'choice'
  readonly choices: readonly T[]
}
export interface BooleanAxis extends AxisBase<boolean> {
  readonly kind: 'boolean'
}
/** Free text, such as a command's argument. */
export interface TextAxis extends AxisBase<string> {
  readonly kind: 'text'
}

export type Space = Readonly<Record<string, Axis>>

type ValueOf<A extends Axis> =
  A extends ChoiceAxis<infer T>
    ? T
    : A extends IntegerAxis | NumberAxis
      ? number
      : A extends BooleanAxis
        ? boolean
        : string
/** The parameters of a space, typed: `ParamsOf<typeof space>`. */
export type ParamsOf<S extends Space> = { readonly [K in keyof S]: ValueOf<S[K]> }

export const integer = (options: Omit<IntegerAxis, 'kind'>): IntegerAxis => ({ kind: 'integer', ...options })
export const number = (options: Omit<NumberAxis, 'kind'>): NumberAxis => ({ kind: 'number', ...options })
export const choice = <const T extends string>(options: Omit<ChoiceAxis<T>, 'kind'>): ChoiceAxis<T> => ({
  kind: 'choice',
  ...options,
})
export const boolean = (options: Omit<BooleanAxis, 'kind'>): BooleanAxis => ({ kind: 'boolean', ...options })
export const text = (options: Omit<TextAxis, 'kind'>): TextAxis => ({ kind: 'text', ...options })

/** What would be a right value, in words: `an integer from 1 to 4096`. */
export function describeAxis(axis: Axis): string {
  switch (axis.kind) {
    case 'integer':
      return `an integer${bounds(axis.min, axis.max)}`
    case 'number':
      return `a number${axis.above === undefined ? bounds(axis.min, axis.max) : ` above ${axis.above}${axis.max === undefined ? '' : `, at most ${axis.max}`}`}`
    case 'choice':
      return `one of ${axis.choices.join(', ')}`
    case 'boolean':
      return 'true or false'
    case 'text':
      return 'text'
  }
}

function bounds(min?: number, max?: number): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`
  if (min !== undefined) return ` of at least ${min}`
  return max === undefined ? '' : ` of at most ${max}`
}

/**
 * Checks one value a person wrote against its axis; numerals in text are understood (`"32"` → 32).
 * @throws SpaceError naming the axis, the value and what would be right.
 */
export function parseValue(name: string, axis: Axis, raw: unknown): ParamValue {
  const refuse = (): never => {
    throw new SpaceError(`${name}: ${JSON.stringify(raw)} is not ${describeAxis(axis)}`)
  }
  switch (axis.kind) {
    case 'integer':
    case 'number': {
      const value = typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : raw
      if (typeof value !== 'number' || !Number.isFinite(value)) return refuse()
      if (axis.kind === 'integer' && !Number.isSafeInteger(value)) return refuse()
      if (axis.min !== undefined && value < axis.min) return refuse()
      if (axis.max !== undefined && value > axis.max) return refuse()
      if (axis.kind === 'number' && axis.above !== undefined && value <= axis.above) return refuse()
      return value
    }
    case 'choice': {
      const value = String(raw)
      return axis.choices.includes(value) ? value : refuse()
    }
    case 'boolean':
      if (raw === true || raw === 'true') return true
      if (raw === false || raw === 'false') return false
      return refuse()
    case 'text':
      return typeof raw === 'string' || typeof raw === 'number' || typeof raw === 'boolean' ? String(raw) : refuse()
  }
}

/** The axis of that name. @throws UnknownNameError with the nearest known name. */
export function axisOf(space: Space, name: string): Axis {
  const axis = lookUp(space, name)
  if (axis === undefined) throw new UnknownNameError('axis', name, Object.keys(space))
  return axis
}

/** Every axis at its default, overridden by `given` (already parsed). */
export function completeParams(space: Space, given: Params): Params {
  return Object.fromEntries(
    Object.entries(space).map(([name, axis]) => [name, lookUp<ParamValue>(given, name) ?? axis.default]),
  )
}
