import { nearest } from '../../core/errors.js'
import { rangeKinds } from './sampled-axis.js'

type Mapping = Readonly<Record<string, unknown>>
const sequenceWords = ['range', 'linspace', 'logspace']
/** What is said of an axis's values; also a slip of the hand in it, which is better told than taken for a parameter. */
export const isSetOfValues = (value: Mapping): boolean => {
  const keys = Object.keys(value)
  if (keys.some((key) => key === 'expr' || sequenceWords.includes(key))) return true
  const [only, ...others] = keys
  return (
    others.length === 0 && only!.length > 5 && nearest(only!, sequenceWords) !== undefined && isNumbers(value[only!])
  )
}

/** A range of a search, or what one number pair alone can only be: a range by a name that there is not. */
export const isRange = (value: Mapping): boolean => {
  const keys = Object.keys(value)
  if (keys.some((key) => (rangeKinds as readonly string[]).includes(key))) return true
  return keys.every((key) => key === 'step' || key === 'weights' || isNumbers(value[key]))
}

const isNumbers = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 1 && value.every((item) => typeof item === 'number')

/** Bounds of `when` and `exclude`. */
export const isBounds = (value: Mapping): boolean => Object.hasOwn(value, 'min') || Object.hasOwn(value, 'max')
