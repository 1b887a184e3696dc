import { mean } from '../../core/mean.js'
import { normalQuantile } from '../../analysis/normal.js'
import { median } from '../../analysis/statistics.js'

/**
 * Values (largest is best) whose worse half no longer says by how much it is worse: the distinct ones below the median become
 * the quantiles, evenly spaced, of the lower half of a normal distribution around the median. The better half stays as it is,
 * and its root mean square above the median is that distribution's deviation. So a few huge losses do not press together the
 * small ones, between which a search has to choose. The half-rank warping of Vizier (Song et al. 2024, arXiv 2408.11527, section 4).
 */
export function halfRanked(values: readonly number[]): number[] {
  const middle = median(values)
  const distinct = [...new Set(values)].sort((a, b) => a - b)
  const worse = distinct.filter((value) => value < middle)
  const better = distinct.slice(worse.length)
  const deviation = rootMeanSquare(better, middle) || rootMeanSquare(distinct, middle)
  // Of values near the ends of doubles nothing can be computed.
  if (!Number.isFinite(deviation)) return [...values]
  const count = worse.length + (better[0] === middle ? 0.5 : 0)
  const warped = new Map(
    worse.map((value, i) => [value, middle + deviation * normalQuantile((0.5 * (i + 0.5)) / count)]),
  )
  return values.map((value) => warped.get(value) ?? value)
}

const rootMeanSquare = (values: readonly number[], centre: number): number =>
  Math.sqrt(mean(values.map((value) => (value - centre) * (value - centre))))
