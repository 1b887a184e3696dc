import { groupBy } from '../core/group-by.js'
import { mean, standardDeviation } from '../core/mean.js'
import type { Random } from '../core/seed.js'

export { mean, standardDeviation }

/** Population variance, Σ(x−x̄)²/n: the mean squared error of the best constant. */
export function variance(values: ArrayLike<number>): number {
  const centre = mean(values)
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += (values[i]! - centre) ** 2
  return sum / values.length
}

/** The `share` quantile by linear interpolation between order statistics (type 7 of Hyndman and Fan 1996). */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort()
  if (sorted.length === 0) return NaN
  const at = share * (sorted.length - 1)
  const below = Math.floor(at)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below]! + (at - below) * (sorted[above]! - sorted[below]!)
}

export const median = (values: ArrayLike<number>): number => quantile(values, 0.5)

/** Ranks from 1; equal values share the mean of their ranks. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a]! - values[b]!)
  const result = new Float64Array(values.length)
  for (let first = 0; first < order.length;) {
    let last = first
    while (last + 1 < order.length && values[order[last + 1]!] === values[order[first]!]) last++
    for (let i = first; i <= last; i++) result[order[i]!] = (first + last) / 2 + 1
    first = last + 1
  }
  return result
}

/** Pearson's correlation; NaN when either side does not vary. */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const [mx, my] = [mean(x), mean(y)]
  let [xy, xx, yy] = [0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i]! - mx, y[i]! - my]
    xy += dx * dy
    xx += dx * dx
    yy += dy * dy
  }
  return xx === 0 || yy === 0 ? NaN : xy / Math.sqrt(xx * yy)
}

/** Spearman's rank correlation: Pearson's of the ranks (Spearman 1904), ties shared. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return pearson(ranks(x), ranks(y))
}

/**
 * A percentile bootstrap interval (Efron 1979) of a statistic of paired points: points are drawn anew with
 * replacement `samples` times (default 2000); draws whose statistic is undefined are left out.
 */
export function bootstrapInterval(
  count: number,
  statistic: (indexes: Int32Array) => number,
  random: Random,
  { samples = 2000, level = 0.95 }: { samples?: number; level?: number } = {},
): [number, number] {
  const drawn: number[] = []
  const indexes = new Int32Array(count)
  for (let sample = 0; sample < samples; sample++) {
    for (let i = 0; i < count; i++) indexes[i] = random.below(count)
    const value = statistic(indexes)
    if (!Number.isNaN(value)) drawn.push(value)
  }
  return [quantile(drawn, (1 - level) / 2), quantile(drawn, (1 + level) / 2)]
}

/**
 * Spearman's correlation with its bootstrap interval over the points. With `clusters`, the clusters are drawn anew, each
 * with all its points (Field and Welsh 2007): points that share a seed are not independent.
 */
export function spearmanInterval(
  x: readonly number[],
  y: readonly number[],
  random: Random,
  clusters: readonly (string | number)[] = x.map((_, i) => i),
): { rho: number; interval: [number, number] } {
  const groups = [...groupBy(clusters.keys(), (i) => clusters[i]!).values()]
  const ofDrawn = (drawn: Int32Array): number => {
    const points = Array.from(drawn, (group) => groups[group]!).flat()
    return spearman(
      points.map((i) => x[i]!),
      points.map((i) => y[i]!),
    )
  }
  return { rho: spearman(x, y), interval: bootstrapInterval(groups.length, ofDrawn, random) }
}
