import type { Observation } from './sampler.js'

/** How a trial ended, for samplers: the lower class comes before the higher whatever their values. */
export const ended = { feasible: 0, stopped: 1, infeasible: 2, failed: 3 } as const

export interface Result {
  readonly class: (typeof ended)[keyof typeof ended]
  /** All to be minimised; empty of a failed trial. */
  readonly losses: readonly number[]
  /** Σ of the violations above 0. */
  readonly violation: number
  /** Of a stopped trial; else 0. */
  readonly step: number
}

/** An observation as samplers compare it. A value that is not finite is none. */
export function resultOf(
  { values, violations = [], stoppedAtStep }: Observation,
  directions: readonly ('minimize' | 'maximize')[],
): Result {
  const hasValues = values?.length === directions.length && values.every(Number.isFinite)
  const losses = hasValues ? values.map((value, k) => (directions[k] === 'minimize' ? value : -value)) : []
  const violation = violations.reduce((sum, amount) => sum + (amount > 0 || amount !== amount ? amount : 0), 0)
  const isInfeasible = violation > 0 || violation !== violation
  const kind = !hasValues
    ? 'failed'
    : isInfeasible
      ? 'infeasible'
      : stoppedAtStep === undefined
        ? 'feasible'
        : 'stopped'
  return { class: ended[kind], losses, violation: isInfeasible ? violation || Infinity : 0, step: stoppedAtStep ?? 0 }
}

/**
 * Negative where a is better: by its class, then of feasible trials by the first objective, of stopped ones by how far they
 * came and then by the objective, of infeasible ones by their violation.
 */
export function compareResults(a: Result, b: Result): number {
  if (a.class !== b.class) return a.class - b.class
  if (a.class === ended.failed) return 0
  if (a.class === ended.infeasible) return a.violation === b.violation ? 0 : a.violation - b.violation
  return b.step - a.step || a.losses[0]! - b.losses[0]!
}
