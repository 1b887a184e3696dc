import { quoteInput } from '../../core/quote-input.js'
import { SpaceError } from '../../core/errors.js'
import { expressionOver } from '../../core/expression.js'
import type { Space } from '../../core/space.js'
import type { Params } from '../../core/trial.js'

/** A name that an expression can read. */
const namePattern = /^[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*$/u

/** `cost: '{epochs} * {width}'` as it is kept. @throws SpaceError when it is no expression's text. */
export function readCost(raw: unknown): string {
  if (typeof raw !== 'string' && typeof raw !== 'number')
    throw new SpaceError(`cost: ${quoteInput(raw)} is not an expression over the axes (such as '{epochs} * {width}')`)
  return String(raw)
}

/**
 * What a trial costs in proportion to others, by an expression over the axes of its command. A point for which that gives no
 * number above 0 costs nothing: a hint never keeps a trial from running.
 * @throws SpaceError, UnknownNameError where the expression can't be read, or gives no number.
 */
export function costOver(space: Space, cost: string): (params: Params) => number {
  const text = cost.replaceAll(/\{([^{}]*)\}/g, (_, name: string) => {
    if (namePattern.test(name)) return name
    throw new SpaceError(`cost: {${name}} can't stand in an expression (letters, digits and _, not a digit first)`)
  })
  const expression = expressionOver(space, text)
  const { type } = expression
  if (type !== 'number' && type !== 'any') throw new SpaceError(`cost: ${cost} gives a ${type} (a number is wanted)`)
  return (params) => {
    try {
      const value = expression.evaluate(params)
      return typeof value === 'number' ? Math.max(0, value) : 0
    } catch {
      // A division by 0, or the null of an option that is left out.
      return 0
    }
  }
}
