import { formatNumber } from './format.js'
import { printableLine } from './printable.js'
import type { Constraint, Goal, Objective } from './trial.js'

/** What a sweep is judged by: its own objective, else the experiment's, with its constraints. */
export function sweepObjective(
  {
    objective,
    constraints,
    confirm,
    average,
  }: {
    readonly objective?: Objective
    readonly constraints?: readonly Constraint[]
    readonly confirm?: { readonly seeds: number; readonly after?: number }
    readonly average?: readonly string[]
  },
  experiment: { readonly objective: Objective },
): Objective {
  const own = objective ?? experiment.objective
  return {
    ...own,
    ...(constraints && { constraints }),
    ...(confirm?.after !== undefined && { confirm: { seeds: confirm.seeds, after: confirm.after } }),
    // A plan may come from elsewhere.
    ...(Array.isArray(average) && { average }),
  }
}

/** Every objective, in their order. */
export const goalsOf = ({ metric, direction, also = [] }: Objective): readonly Goal[] => [
  { metric, direction },
  ...also,
]

/** Whether there is a front in the place of a best point. */
export const hasFront = ({ also = [] }: Objective): boolean => also.length > 0

/** A value as a loss: the smaller the better. */
export const lossOf = ({ direction }: Goal, value: number): number => (direction === 'minimize' ? value : -value)

/** How far a value is beyond a constraint's bounds, in units of the bound (1 of a bound of 0); at most 0 of one that keeps them. */
export function violationOf({ min, max }: Constraint, value: number): number {
  const beyond = (amount: number, bound: number): number => amount / (Math.abs(bound) || 1)
  const violations = [
    ...(max === undefined ? [] : [beyond(value - max, max)]),
    ...(min === undefined ? [] : [beyond(min - value, min)]),
  ]
  return violations.reduce((worst, one) => (one > worst || one !== one ? one : worst), -Infinity)
}

/** `minimize loss and maximize accuracy, with memoryMb at most 500`. */
export function describeObjective(objective: Objective): string {
  const goals = goalsOf(objective).map(({ metric, direction }) => `${direction} ${printableLine(metric)}`)
  const constraints = (objective.constraints ?? []).map(describeConstraint)
  const over =
    objective.average === undefined ? '' : `, averaged over ${objective.average.map(printableLine).join(', ')}`
  return `${goals.join(' and ')}${constraints.length === 0 ? '' : `, with ${constraints.join(' and ')}`}${over}`
}

/** `memoryMb at most 500`. */
export function describeConstraint({ metric, min, max }: Constraint): string {
  const bounds = [
    ...(min === undefined ? [] : [`at least ${formatNumber(min)}`]),
    ...(max === undefined ? [] : [`at most ${formatNumber(max)}`]),
  ]
  return `${printableLine(metric)} ${bounds.join(' and ')}`
}
