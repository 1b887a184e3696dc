import { firstLook } from '../core/first-look.js'
import { estimate, shareWhere, type IntervalRule, type Scale } from './intervals.js'

/**
 * Intervals for looking again after each seed: with probability 1 − `error` the truth lies in all of them at once, however
 * many looks are taken and whatever ends them (a confidence sequence). Each is cut to the ones before it.
 *
 * - Means, on their scale: the mixture of Student's t over a normal prior of the effect in standard deviations (Lai 1976;
 *   Wang and Ramdas 2025, "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance").
 * - Shares: the mixture of Bernoulli's over Jeffreys' prior (Robbins 1970; Howard et al. 2021).
 *
 * That each is crossed with probability `error` at most is Ville's inequality (1939). `npm run bench sequential` prints how
 * often that is, and how many seeds it takes.
 */
export function sequential(error: number, together = false): IntervalRule {
  return {
    name: '95 % confidence sequence',
    together,
    minSeeds: firstLook,
    of(values, scale, step) {
      let interval: Interval = [-Infinity, Infinity]
      for (interval of looks(values, scale, step, error));
      const { effect } = estimate(values, scale, { step })
      const isAlike = interval[0] === -Infinity && interval[1] === Infinity && new Set(values).size === 1
      return { effect, interval: isAlike ? [effect, effect] : interval }
    },
  }
}

type Interval = readonly [number, number]

/** The interval at each look, from the first on; NaN once there is a number that the scale can't hold. */
export function* looks(values: readonly number[], scale: Scale, step: number, error: number): Generator<Interval> {
  let [low, high]: Interval = [-Infinity, Infinity]
  for (let count = firstLook; count <= values.length; count++) {
    const [from, to] = intervalAt(values.slice(0, count), scale, step, error)
    if (Number.isNaN(from) || Number.isNaN(to)) [low, high] = [NaN, NaN]
    // Equal numbers show no spread; where nothing is common to two looks, the error has come to pass.
    else if (from !== to && Math.max(low, from) <= Math.min(high, to))
      [low, high] = [Math.max(low, from), Math.min(high, to)]
    yield [low, high]
  }
}

function intervalAt(values: readonly number[], scale: Scale, step: number, error: number): readonly [number, number] {
  if (scale === 'share') return shareInterval(values.filter((value) => value === 1).length, values.length, error)
  const reach = standardErrors(values.length, error)
  // Too few for any end: beyond the scale's own.
  if (reach === Infinity) return [-Infinity, Infinity]
  return estimate(values, scale, { step, standardErrors: () => reach }).interval
}

/**
 * How many standard errors the sequence reaches after n numbers: where √(1/(n+1)) · ((1 + T)/(1 + T/(n+1)))^(n/2), with
 * T = t²/(n−1), comes to 1/`error`. The prior's deviation is 1, which suits effects of half to two standard deviations.
 */
function standardErrors(count: number, error: number): number {
  const growth = ((count + 1) / error ** 2) ** (1 / count)
  const left = 1 - growth / (count + 1)
  return left <= 0 ? Infinity : Math.sqrt(((count - 1) * (growth - 1)) / left)
}

/** Where B(s+½, n−s+½)/B(½, ½) / (pˢ(1−p)ⁿ⁻ˢ) stays below 1/`error`. */
function shareInterval(successes: number, count: number, error: number): readonly [number, number] {
  const failures = count - successes
  let logMixture = 0
  for (let i = 0; i < successes; i++) logMixture += Math.log(i + 0.5)
  for (let i = 0; i < failures; i++) logMixture += Math.log(i + 0.5)
  for (let i = 1; i <= count; i++) logMixture -= Math.log(i)
  const times = (factor: number, log: number): number => (factor === 0 ? 0 : factor * log)
  const holds = (share: number): boolean =>
    logMixture - times(successes, Math.log(share)) - times(failures, Math.log1p(-share)) < -Math.log(error)
  const centre = successes / count
  const low = successes === 0 ? 0 : shareWhere((part) => holds(part * centre)) * centre
  const high = failures === 0 ? 1 : 1 - shareWhere((part) => holds(1 - part * (1 - centre))) * (1 - centre)
  return [low, high]
}
