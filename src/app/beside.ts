import { SpecError } from '../core/errors.js'
import { describeObjective, goalsOf } from '../core/objective.js'
import { rankRecords } from '../core/ranking.js'
import { classes, classOf } from '../core/standing.js'
import type { Objective } from '../core/trial.js'
import type { FigureDefinition } from '../figures/figure.js'
import { distributions, type SweepValues } from '../figures/search/distributions.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import { readRecords } from '../sweeps/verdicts.js'

/**
 * The distribution of a sweep's points beside those of others, by the first objective of the sweep.
 * @throws SpecError for another sweep that is not judged by it.
 */
export function besideFigure(
  sweep: SweepFolder,
  objective: Objective,
  others: readonly { readonly sweep: SweepFolder; readonly objective: Objective }[],
): FigureDefinition {
  const [goal] = goalsOf(objective)
  for (const other of others) {
    const theirs = goalsOf(other.objective).find(({ metric }) => metric === goal!.metric)
    if (theirs?.direction !== goal!.direction)
      throw new SpecError(
        `--beside ${other.sweep.id}`,
        `it is to ${describeObjective(other.objective)}, and ${sweep.id} to ${goal!.direction} ${goal!.metric} (name sweeps of one objective)`,
      )
  }
  return distributions(
    // Named twice, it is one.
    [...new Map([sweep, ...others.map((other) => other.sweep)].map((one) => [one.id, one])).values()].map((one) =>
      valuesOf(one, goal!),
    ),
    goal!,
  )
}

function valuesOf(sweep: SweepFolder, goal: Objective): SweepValues {
  const all = rankRecords(readRecords(sweep), goal).all()
  // What was stopped early has no final value.
  const values = all.filter((one) => classOf(one) === classes.finished).map(({ mean }) => mean)
  return { sweep: sweep.id, values, without: all.length - values.length }
}
