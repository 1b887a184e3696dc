import { mean, standardDeviation } from './statistics.js'
import { studentQuantile } from './student-t.js'

/**
 * How the numbers of independent replications (one a seed) are taken together, and what their interval is:
 *
 * - `linear`: their mean, by Student's t.
 * - `log`: their geometric mean, by Student's t on logarithms; for losses and ratios, whose noise multiplies.
 * - `rank`: rank correlations within each seed, by Student's t on Fisher's z.
 * - `share`: how many of them are 1 and not 0, by Clopper and Pearson's exact interval.
 *
 * `npm run bench coverage` prints how often each covers the truth.
 */
export type Scale = 'linear' | 'log' | 'rank' | 'share'

/** Independent replications of which fewer say nothing: a spread of two is none. */
export const leastReplications = 3

export interface Estimate {
  /** The mean on the scale, in the numbers' own unit. */
  readonly effect: number
  readonly interval: readonly [number, number]
}

interface IntervalOptions {
  /** Default 0.95. */
  readonly level?: number
  /**
   * The smallest difference that one number can show, such as 1 / rows for an accuracy; on a logarithmic scale that of
   * logarithms (default 0). Half of it is added to the spread, in quadrature, lest equal numbers make an interval of no width;
   * ranks need it.
   */
  readonly step?: number
}

/**
 * The 95 % interval of what independent numbers show on a scale. Ends are NaN where the scale can't hold a number (a
 * logarithm of zero), and of fewer than two numbers.
 */
export function estimate(values: readonly number[], scale: Scale, options: IntervalOptions = {}): Estimate {
  if (scale === 'share') return shareOf(values, options)
  const { step = 0 } = options
  const [to, from] = transforms(scale, step)
  // Near 1, where ranks are coarsest.
  const resolution = scale === 'rank' ? to(1) - to(1 - step) : step
  const { effect, interval } = meanInterval(values.map(to), { ...options, step: resolution })
  return { effect: from(effect), interval: [from(interval[0]), from(interval[1])] }
}

/** Student's interval of the mean (Student 1908). */
function meanInterval(values: readonly number[], { level = 0.95, step = 0 }: IntervalOptions): Estimate {
  const centre = mean(values)
  if (values.length < 2) return { effect: centre, interval: [NaN, NaN] }
  const spread = Math.hypot(standardDeviation(values), step / 2)
  const halfWidth = (studentQuantile(level, values.length - 1) * spread) / Math.sqrt(values.length)
  return { effect: centre, interval: [centre - halfWidth, centre + halfWidth] }
}

type Transform = (value: number) => number

/** To a scale and back. Fisher's z is infinite at 1, which ranks reach: they are divided by 1 + step. */
function transforms(scale: Exclude<Scale, 'share'>, step: number): readonly [Transform, Transform] {
  if (scale === 'linear') return [(value) => value, (value) => value]
  if (scale === 'log') return [Math.log, Math.exp]
  const within: Transform = (rho) => Math.max(-1, Math.min(1, rho))
  return [(rho) => Math.atanh(rho / (1 + step)), (z) => within(Math.tanh(z) * (1 + step))]
}

/** How far one exchange of neighbours moves Spearman's correlation of `count` points: 12 / (n³ − n). */
export const rankStep = (count: number): number => 12 / (count ** 3 - count)

/** The exact interval of a share (Clopper and Pearson 1934), which covers at least what it says. */
function shareOf(values: readonly number[], { level = 0.95 }: IntervalOptions): Estimate {
  const count = values.length
  const successes = values.filter((value) => value === 1).length
  const tail = (1 - level) / 2
  const low = successes === 0 ? 0 : shareWhere((share) => upperTail(successes, count, share) > tail)
  const high = successes === count ? 1 : shareWhere((share) => 1 - upperTail(successes + 1, count, share) < tail)
  return { effect: successes / count, interval: [low, high] }
}

/** The least share in [0, 1] from which on something holds, by halving. */
function shareWhere(holds: (share: number) => boolean): number {
  let [low, high] = [0, 1]
  for (let halving = 0; halving < 50; halving++) {
    const middle = (low + high) / 2
    if (holds(middle)) high = middle
    else low = middle
  }
  return high
}

/** The probability of at least so many successes in `count` draws. */
function upperTail(successes: number, count: number, share: number): number {
  let sum = 0
  let logChoose = 0
  for (let k = 0; k <= count; k++) {
    if (k > 0) logChoose += Math.log((count - k + 1) / k)
    if (k >= successes) sum += Math.exp(logChoose + k * Math.log(share) + (count - k) * Math.log1p(-share))
  }
  return sum
}
