import { mean, standardDeviation } from './statistics.js'
import { studentProbability, studentQuantile } from './student-t.js'

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

/** How the numbers of a claim's seeds are taken together. */
export interface IntervalRule {
  /** What its intervals are called. */
  readonly name: string
  /** Whether its error is that of all of a sweep's claims and looks together, not of each. */
  readonly together: boolean
  /** Of fewer seeds nothing is said. */
  readonly minSeeds: number
  /** `step` as in `estimate`. */
  of(values: readonly number[], scale: Scale, step: number): Estimate
}

/** Intervals of seeds whose number was fixed beforehand. */
export const fixedSeeds: IntervalRule = {
  name: '95 % interval',
  together: false,
  minSeeds: leastReplications,
  of: (values, scale, step) => estimate(values, scale, { step }),
}

interface IntervalOptions {
  /** Default 0.95. */
  readonly level?: number
  /** How many standard errors the interval of a mean reaches to either side, by the count of numbers. Default: Student's at `level`. */
  readonly standardErrors?: (count: number) => number
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
  const { effect, interval } = meanInterval(values.map(to), { ...options, step: resolutionOf(scale, step) })
  return { effect: from(effect), interval: [from(interval[0]), from(interval[1])] }
}

/** The smallest difference on the scale: of ranks near 1, where they are coarsest. */
function resolutionOf(scale: Exclude<Scale, 'share'>, step: number): number {
  const [to] = transforms(scale, step)
  return scale === 'rank' ? to(1) - to(1 - step) : step
}

/** Student's interval of the mean (Student 1908). */
function meanInterval(values: readonly number[], options: IntervalOptions): Estimate {
  const { level = 0.95, step = 0, standardErrors = (count) => studentQuantile(level, count - 1) } = options
  const centre = mean(values)
  if (values.length < 2) return { effect: centre, interval: [NaN, NaN] }
  const spread = Math.hypot(standardDeviation(values), step / 2)
  const halfWidth = (standardErrors(values.length) * spread) / Math.sqrt(values.length)
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

/**
 * How often chance alone would show numbers at least so far from a bound, on either side, if the truth lay at it: below 0.05
 * where the 95 % interval of `estimate` does not hold the bound.
 */
export function pValue(values: readonly number[], scale: Scale, bound: number, step = 0): number {
  if (scale === 'share') return pOfShare(values, bound)
  const [to] = transforms(scale, step)
  const { effect: centre, interval } = meanInterval(values.map(to), { step: resolutionOf(scale, step) })
  const standardError = (centre - interval[0]) / studentQuantile(0.95, values.length - 1)
  return 1 - studentProbability((centre - to(bound)) / standardError, values.length - 1)
}

/** Twice the smaller tail, as Clopper and Pearson's interval has it. */
function pOfShare(values: readonly number[], bound: number): number {
  const hits = values.filter((value) => value === 1).length
  const atLeast = upperTail(hits, values.length, bound)
  const atMost = 1 - upperTail(hits + 1, values.length, bound)
  return Math.min(1, 2 * Math.min(atLeast, atMost))
}

/**
 * Holm's correction (1979) of the p values that decide some of `count` claims, in their order: at a level of 0.05 chance decides
 * any of the claims in at most 5 of 100 cases.
 */
export function holm(pValues: readonly number[], count: number): number[] {
  const corrected = Array<number>(pValues.length)
  let least = 0
  const order = pValues.map((_, i) => i).sort((a, b) => pValues[a]! - pValues[b]!)
  for (const [rank, i] of order.entries()) {
    least = Math.max(least, Math.min(1, pValues[i]! * (count - rank)))
    corrected[i] = least
  }
  return corrected
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
export function shareWhere(holds: (share: number) => boolean): number {
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
