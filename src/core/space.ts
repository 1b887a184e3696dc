import { nearest, SpaceError, UnknownNameError } from './errors.js'
import type { ParamValue, Params } from './trial.js'
import { lookUp } from './names.js'
import { valueProblem } from './param-value.js'

/** One axis an experiment understands: its kind, bounds, default and a sentence of meaning. */
export type Axis = IntegerAxis | NumberAxis | ChoiceAxis | BooleanAxis | TextAxis | LiteralAxis

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
  /** Its values are those that were written: a text is none of them, and no number is made of it. Default false. */
  readonly literal?: boolean
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
  /** Its values are those that were written: a number is none of them, and no text is made of it. Default false. */
  readonly literal?: boolean
}
/** An argument of a program that takes values of several kinds, each as it was written. */
export interface LiteralAxis extends AxisBase<ParamValue> {
  readonly kind: 'literal'
  /** Numerals in quotes are numbers, as they were in the language that the sweep was planned in. Default false. */
  readonly numerals?: boolean
}

export type Space = Readonly<Record<string, Axis>>

type ValueOf<A extends Axis> =
  A extends ChoiceAxis<infer T>
    ? T
    : A extends IntegerAxis | NumberAxis
      ? number
      : A extends BooleanAxis
        ? boolean
        : A extends LiteralAxis
          ? ParamValue
          : string
/** The parameters of a space, typed: `ParamsOf<typeof space>`. */
export type ParamsOf<S extends Space> = { readonly [K in keyof S]: ValueOf<S[K]> }

/**
 * An axis of whole numbers. @throws SpaceError for an option that there is not, a bound that is no integer, or a default that
 * the bounds do not allow; the other factories alike.
 */
export const integer = (options: Omit<IntegerAxis, 'kind'>): IntegerAxis => checked({ kind: 'integer', ...options })
/** An axis of numbers, from `min` or `above` (itself not allowed) to `max`. @throws SpaceError as {@link integer}. */
export const number = (options: Omit<NumberAxis, 'kind'>): NumberAxis => checked({ kind: 'number', ...options })
/** An axis of the texts in `choices`. @throws SpaceError as {@link integer}. */
export const choice = <const T extends string>(options: Omit<ChoiceAxis<T>, 'kind'>): ChoiceAxis<T> =>
  checked({ kind: 'choice', ...options })
/** An axis of true and false. @throws SpaceError as {@link integer}. */
export const boolean = (options: Omit<BooleanAxis, 'kind'>): BooleanAxis => checked({ kind: 'boolean', ...options })
/** An axis of whatever was written. @throws SpaceError as {@link integer}. */
export const literal = (options: Omit<LiteralAxis, 'kind'>): LiteralAxis => checked({ kind: 'literal', ...options })
/** An axis of any text. @throws SpaceError as {@link integer}. */
export const text = (options: Omit<TextAxis, 'kind'>): TextAxis => checked({ kind: 'text', ...options })

const shared = ['default', 'doc', 'unit', 'label']
const optionsOf: Readonly<Record<Axis['kind'], readonly string[]>> = {
  integer: [...shared, 'min', 'max'],
  number: [...shared, 'min', 'max', 'above', 'literal'],
  choice: [...shared, 'choices'],
  boolean: shared,
  text: [...shared, 'literal'],
  literal: [...shared, 'numerals'],
}

/**
 * Every parameter of a space, however it was made. @throws SpaceError for what is none; `where` says which stage it is of.
 */
export function checkSpace(space: Readonly<Record<string, unknown>>, where: string): void {
  for (const [name, axis] of Object.entries(space)) {
    const kind = typeof axis === 'object' && axis !== null ? (axis as Partial<Axis>).kind : undefined
    const problem =
      kind === undefined || !Object.hasOwn(optionsOf, kind) ? `${written(axis)} is none` : problemWith(axis as Axis)
    if (problem !== undefined)
      throw new SpaceError(
        `${where}parameter ${name}: ${problem} (${name}: number({ default: 0.1 }), or integer, choice, boolean, text)`,
      )
  }
}

function problemWith(axis: Axis): string | undefined {
  try {
    checked(axis)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** A value as its author would write it: JSON calls numbers that are not finite null. */
function written(value: unknown): string {
  return typeof value === 'number' ? String(value) : typeof value === 'function' ? 'a function' : JSON.stringify(value)
}

/** An axis as it was written by hand, perhaps in JavaScript, where no compiler looked at it. */
function checked<A extends Axis>(axis: A): A {
  const { kind, ...options } = axis
  const refuse = (problem: string, hint = `${kind}({ ${example[kind]} })`): never => {
    throw new SpaceError(`${kind}: ${problem}`, { hint })
  }
  for (const name of Object.keys(options))
    if (!optionsOf[kind].includes(name)) {
      const near = kind === 'choice' && name === 'options' ? 'choices' : nearest(name, optionsOf[kind])
      refuse(`there is no option ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}`)
    }
  if (axis.default === undefined) refuse('the default is missing')
  for (const name of ['min', 'max', 'above'] as const) {
    const bound = (options as Partial<Record<typeof name, unknown>>)[name]
    if (bound !== undefined && !(kind === 'integer' ? Number.isSafeInteger(bound) : Number.isFinite(bound)))
      refuse(`${name} is ${written(bound)}, not ${kind === 'integer' ? 'an integer' : 'a number'}`)
  }
  if (axis.kind === 'choice' && !isTexts(axis.choices))
    refuse(`choices is ${JSON.stringify(axis.choices)}, not a list of texts`)
  if (kind !== 'literal' && typeof axis.default !== typeOf[kind])
    refuse(`the default ${written(axis.default)} is not ${describeAxis(axis)}`)
  parseValue('default', axis, axis.default)
  return axis
}

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every((text) => typeof text === 'string')

const typeOf = { integer: 'number', number: 'number', choice: 'string', boolean: 'boolean', text: 'string' } as const
const example: Readonly<Record<Axis['kind'], string>> = {
  integer: 'min: 1, max: 64, default: 8',
  number: 'above: 0, default: 0.1',
  choice: "choices: ['relu', 'tanh'], default: 'relu'",
  boolean: 'default: false',
  text: "default: ''",
  literal: 'default: null',
}

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
    case 'literal':
      return 'text, a number, true, false, null, or a list of those'
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
    throw new SpaceError(`${name}: ${written(raw)} is not ${describeAxis(axis)}`)
  }
  if ('literal' in axis && axis.literal === true) return literalValue(name, raw)
  switch (axis.kind) {
    case 'literal': {
      const isNumeral = axis.numerals === true && typeof raw === 'string' && raw.trim() !== ''
      return literalValue(name, isNumeral && Number.isFinite(Number(raw)) ? Number(raw) : raw)
    }
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

function literalValue(name: string, raw: unknown): ParamValue {
  const problem = valueProblem(raw)
  if (problem !== undefined) throw new SpaceError(`${name}: ${written(raw)} ${problem}`)
  return raw as ParamValue
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
    Object.entries(space).map(([name, axis]) => [name, Object.hasOwn(given, name) ? given[name]! : axis.default]),
  )
}
