import { maxOf, minOf } from './extremes.js'
import { formatCount, formatNumber, formatSetting } from './format.js'
import { lookUp } from './names.js'
import { describeConstraint, goalsOf, hasFront } from './objective.js'
import { printableLine } from './printable.js'
import type { Ranking } from './ranking.js'
import { violationIn, type Standing } from './standing.js'
import type { Objective } from './trial.js'

/**
 * The best point in one line: `best by the mean over 8 seeds: x=1, loss 4.01, standard deviation 0.1`; of several objectives
 * the front: `front of 5 points: loss 0.1 to 0.4, size 10 to 500`.
 */
export function describeBest(ranking: Ranking, objective: Objective, axes: readonly string[]): string {
  if (hasFront(objective)) {
    const { confirmed } = ranking
    const isConfirmed = confirmed !== undefined && confirmed.front().length > 0
    return isConfirmed
      ? describeConfirmedFront(confirmed, ranking, objective, axes)
      : describeFront(ranking, objective, axes)
  }
  const best = ranking.best()
  const confirmed = ranking.confirmed?.best()?.standing
  if (best !== undefined && confirmed !== undefined) return describeConfirmed(confirmed, ranking, objective, axes)
  if (best === undefined) return describeNone('best', ranking)
  const { standing, tied } = best
  const { values, deviation, stopped, diverged, kept = [] } = standing
  const seeds =
    values.length === 1 ? 'best, of one seed' : `best by the mean over ${describeCount(standing, objective, 'seed')}`
  const spread = values.length === 1 ? '' : `, standard deviation ${formatNumber(Number(deviation.toPrecision(2)))}`
  const notes = [
    ...kept.map(({ metric, mean }) => `${printableLine(metric)} ${formatNumber(mean)}`),
    ...(tied === 0 ? [] : [`tied with ${formatCount(tied, 'other point')}`]),
    ...(stopped === 0 ? [] : [`${stopped} stopped early`]),
    ...(diverged === 0 ? [] : [`${diverged} more diverged`]),
  ]
  const { metric } = objective
  return `${seeds}: ${pointOf(standing, axes)}${metric} ${formatNumber(standing.mean)}${spread}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`
}

/** What the front is worth: its values in the sweep are biased, since its points were chosen for them. */
function describeConfirmedFront(
  confirmed: Ranking,
  ranking: Ranking,
  objective: Objective,
  axes: readonly string[],
): string {
  const front = confirmed.front()
  const known = new Set(confirmed.all().map(({ params }) => JSON.stringify(params)))
  const before = ranking.all().filter(({ params }) => known.has(JSON.stringify(params)))
  const all = confirmed.all().length
  const seeds = describeCount(front[0]!, objective, 'fresh seed')
  const of = front.length === all ? formatCount(all, 'point') : `${front.length} of ${formatCount(all, 'point')}`
  const point = front.length === 1 ? pointOf(front[0]!, axes) : ''
  const biased = `in the sweep ${rangesOf(before, objective)}, biased: chosen for that among ${formatCount(ranking.all().length, 'point')}`
  return `front of ${of}, confirmed on ${seeds}: ${point}${rangesOf(front, objective)} (${biased})`
}

/** `loss 0.1 to 0.4, size 10 to 500`. */
function rangesOf(points: readonly Standing[], objective: Objective): string {
  const ranges = goalsOf(objective).map(({ metric }, k) => {
    const means = points.map((one) => one.means![k]!)
    const [low, high] = [formatNumber(minOf(means)), formatNumber(maxOf(means))]
    return `${printableLine(metric)} ${low === high ? low : `${low} to ${high}`}`
  })
  return ranges.join(', ')
}

/** What the winner is worth: its value in the sweep is biased, since it was chosen for it. */
function describeConfirmed(
  confirmed: Standing,
  ranking: Ranking,
  objective: Objective,
  axes: readonly string[],
): string {
  const { params, values, mean, deviation, diverged } = confirmed
  const { metric } = objective
  const all = ranking.all()
  const before = all.find((one) => JSON.stringify(one.params) === JSON.stringify(params))
  const spread = values.length === 1 ? '' : `, standard deviation ${formatNumber(Number(deviation.toPrecision(2)))}`
  const ill = diverged === 0 ? '' : `${diverged} more diverged; `
  const biased = `in the sweep ${before === undefined ? 'unknown' : formatNumber(before.mean)}, biased: it was chosen for that among ${formatCount(all.length, 'point')}`
  return `best, confirmed on ${describeCount(confirmed, objective, 'fresh seed')}: ${pointOf({ params }, axes)}${metric} ${formatNumber(mean)}${spread} (${ill}${biased})`
}

/** `8 seeds`; where folds are averaged as well, `15 trials: 3 seeds, each over fold`. */
function describeCount({ values, seeds }: Standing, { average }: Objective, seed: string): string {
  if (average === undefined || seeds === undefined) return formatCount(values.length, seed)
  const over = average.map(printableLine).join(' and ')
  return `${formatCount(values.length, 'trial')} (${formatCount(seeds, seed)}, each over ${over})`
}

function describeFront(ranking: Ranking, objective: Objective, axes: readonly string[]): string {
  const front = ranking.front()
  if (front.length === 0) return describeNone('front', ranking)
  const all = ranking.all()
  const breaking = all.filter((one) => violationIn(one) > 0).length
  const constraints = (objective.constraints ?? []).map(describeConstraint).join(' and ')
  const note = breaking === 0 ? '' : ` (${breaking} of ${formatCount(all.length, 'point')} not within ${constraints})`
  const point = front.length === 1 ? pointOf(front[0]!, axes) : ''
  return `front of ${front.length === 1 ? 'one point' : `${front.length} points`}: ${point}${rangesOf(front, objective)}${note}`
}

const describeNone = (what: 'best' | 'front', ranking: Ranking): string =>
  `${what} so far: ${ranking.whyNone() === undefined ? 'none yet' : `none: ${ranking.whyNone()}`}`

function pointOf({ params }: Pick<Standing, 'params'>, axes: readonly string[]): string {
  const point = axes
    .filter((axis) => Object.hasOwn(params, axis))
    .map((axis) => `${axis}=${printableLine(formatSetting(lookUp(params, axis)))}`)
    .join(' ')
  return point === '' ? '' : `${point}, `
}
