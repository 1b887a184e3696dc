import { quoteInput } from '../../core/quote-input.js'
import { SpaceError, UnknownNameError, writtenAt } from '../../core/errors.js'
import type { Constraint, Goal, Objective } from '../../core/trial.js'
import { mapping } from './grid.js'
import { maxConfirm } from './learning.js'
import { isMapping } from '../../core/is-mapping.js'

/** The volume that fronts are compared by takes a time that doubles with each objective. */
const maxObjectives = 6

/** Reads `objective:`, one or a list of several. @throws SpaceError, UnknownNameError. */
export function parseObjective(raw: unknown): Objective {
  if (!Array.isArray(raw)) return parseGoal(raw)
  const goals = (raw as unknown[]).map(parseGoal)
  const [first, ...also] = goals
  if (first === undefined) throw new SpaceError('objective: an empty list (such as {metric: test/accuracy})')
  if (goals.length > maxObjectives)
    throw new SpaceError(
      `objective: ${goals.length} objectives (at most ${maxObjectives}; others may be bounded by constraints)`,
    )
  const twice = goals.find(({ metric }, i) => goals.findIndex((one) => one.metric === metric) < i)
  if (twice !== undefined) throw new SpaceError(`objective: ${twice.metric} is there twice (leave one out)`)
  return also.length === 0 ? first : { ...first, also }
}

function parseGoal(raw: unknown): Goal {
  const { metric, direction = 'minimize', ...others } = mapping('objective', raw)
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new UnknownNameError('key of objective', unknown, ['metric', 'direction'])
  if (typeof metric !== 'string') throw new SpaceError('objective: metric: missing (such as metric: test/accuracy)')
  if (direction !== 'minimize' && direction !== 'maximize')
    throw new UnknownNameError('direction', String(direction), ['minimize', 'maximize'])
  return { metric, direction }
}

/** Reads `constraints:`, such as `{memoryMb: {max: 500}}`. @throws SpaceError, UnknownNameError. */
export function parseConstraints(raw: unknown): Constraint[] {
  const entries = Object.entries(mapping('constraints', raw))
  if (entries.length === 0) throw new SpaceError('constraints: none is named (such as {memoryMb: {max: 500}})')
  return entries.map(([metric, bounds]) => {
    if (!isMapping(bounds) || Object.keys(bounds).length === 0)
      throw new SpaceError(
        `constraints: ${metric}: ${quoteInput(bounds)} is no bound (such as {max: 500}, {min: 0.9}, or both)`,
      )
    const { min, max, ...others } = bounds
    const [unknown] = Object.keys(others)
    if (unknown !== undefined) throw new UnknownNameError(`bound of ${metric}`, unknown, ['min', 'max'])
    const constraint = {
      metric,
      ...(min === undefined ? {} : { min: finite(`${metric}: min`, min) }),
      ...(max === undefined ? {} : { max: finite(`${metric}: max`, max) }),
    }
    if (constraint.min !== undefined && constraint.max !== undefined && constraint.min > constraint.max)
      throw new SpaceError(
        `constraints: ${metric}: min ${constraint.min} is above max ${constraint.max}, which nothing keeps`,
      )
    return constraint
  })
}

/** Reads `average:`, an axis that is averaged as seeds are, or a list of several. @throws SpaceError. */
export function parseAverage(raw: unknown): string[] {
  const names: readonly unknown[] = Array.isArray(raw) ? raw : [raw]
  if (names.length === 0) throw new SpaceError('average: names no axis (such as average: fold)')
  for (const [i, name] of names.entries())
    writtenAt([i], () => {
      if (typeof name !== 'string' || name === '')
        throw new SpaceError(`average: ${quoteInput(name)} is not the name of an axis (such as average: fold)`)
      if (names.indexOf(name) < i) throw new SpaceError(`average: ${name} is there twice (leave one out)`)
    })
  return names as string[]
}

function finite(what: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new SpaceError(`constraints: ${what}: ${quoteInput(value)} is not a number`)
}

/** Reads `confirm:`. @throws SpaceError. */
export function parseConfirm(raw: unknown): { readonly seeds: number } {
  if (Number.isInteger(raw) && Number(raw) >= 1 && Number(raw) <= maxConfirm) return { seeds: Number(raw) }
  throw new SpaceError(
    `confirm: ${quoteInput(raw)} is not a number of fresh seeds (an integer from 1 to ${maxConfirm})`,
  )
}
