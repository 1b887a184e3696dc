import { formatCount } from '../core/format.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import { objectiveOf } from './objective.js'
import { sameOrOthers } from './same-or-others.js'

/** What comes out when everything is decided again that rules decided about trials. */
export interface StopsVerification {
  /** How often a rule stopped a trial, made it wait or let it go on; `undefined` where that can't be decided again here. */
  readonly decisions?: number
  /** What of them comes out otherwise, a sentence each; `undefined` where they can't be decided again here. */
  readonly others?: readonly string[]
  /** A sentence for each trial that was stopped without a decision in the journal. */
  readonly untold?: readonly string[]
  /** Decisions that nothing can be said of: of an earlier extent of the plan, or without their reports. */
  readonly unknown?: number
  /** None comes out otherwise. */
  readonly isDone: boolean
  /** The same for a person. */
  readonly lines: readonly string[]
}

/** Decides again, from the reports in the journal, what rules decided; `undefined` of a sweep without rules. */
export async function verifyStops(sweep: SweepFolder): Promise<StopsVerification | undefined> {
  const { frozen } = sweep
  const rules = frozen.spec.scheduler ?? []
  if (rules.length === 0) return undefined
  const names = rules.map(({ rule }) => rule).join(' and ')
  const objective = await objectiveOf(sweep).catch((error: Error) => error)
  // Where the experiment is not to be had, nothing is known against what was decided.
  if (objective instanceof Error)
    return { isDone: true, lines: [`${names}: can't decide again here: ${objective.message}`] }
  const { recomputeStops } = await import('../sweeps/scheduling/recompute-stops.js')
  try {
    const { decisions, others, untold, unknown } = recomputeStops(frozen, [...sweep.events()], rules, objective)
    const same = sameOrOthers(others, 'each made anew as it was')
    const left = unknown === 0 ? '' : ` (${unknown} more, of which the journal tells too little to make them again)`
    const line = `${names}: ${formatCount(decisions, 'decision')}, ${same}${left}`
    return { decisions, others, untold, unknown, isDone: others.length === 0, lines: [line, ...others, ...untold] }
  } catch (error) {
    return { isDone: false, lines: [`${names}: can't decide again: ${(error as Error).message}`] }
  }
}
