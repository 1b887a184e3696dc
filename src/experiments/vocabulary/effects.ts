import { estimate, leastReplications as minReplications } from '../../analysis/intervals.js'
import { mean } from '../../analysis/statistics.js'
import { minOf } from '../../core/extremes.js'
import { formatCount } from '../../core/format.js'
import { groupBy } from '../../core/group-by.js'
import type { TrialRecord } from '../../core/trial.js'
import type { Claim, Tested, Verdict, VerdictState } from '../experiment.js'
import { metricOf } from './numbers.js'
import type { Choose, Records } from './records.js'

/** Claims about effects: what each seed's trials show as one number, the interval over seeds, and what follows of it. */

/** One number of each seed that has it. */
export type BySeed = ReadonlyMap<string, number>

/** Something measured once in every seed, and where it must lie. */
export interface Effect extends Tested {
  /** What a seed must have to count, for the person whose sweep lacks it. */
  readonly needs: string
  readonly of: (records: Records) => BySeed
  /** The smallest difference that one of the numbers can show (`estimate`). */
  readonly step?: (records: Records) => number
}

/**
 * What the trials of each seed show together: its settings are no replications of each other, so they make one number.
 * Seeds whose number is NaN are left out.
 */
export function bySeed(records: Records, numberOf: (own: TrialRecord[]) => number): BySeed {
  const seeds = groupBy(records, ({ trial }) => JSON.stringify(trial.seeds))
  return new Map([...seeds].map(([seed, own]) => [seed, numberOf(own)] as const).filter(([, value]) => value === value))
}

/** The geometric mean; NaN of nothing. */
export const geometricMean = (values: readonly number[]): number => Math.exp(mean(values.map(Math.log)))

/** How many times the second values the first are, by geometric means; NaN where either are missing. */
export const ratioOf = (values: readonly number[], to: readonly number[]): number =>
  geometricMean(values) / geometricMean(to)

/** By how many rows of those held out one accuracy is higher than another. */
export const inRows = (difference: number, rows: number): number => difference * rows

/**
 * Rows by which two nets must differ to be told apart: had each row an even chance of going either way, five of a kind
 * would come in 2 · ½⁵ = 6 of 100 cases, six in 3 (the sign test).
 */
export const tellingRows = 5

/** An effect that every trial has: the mean over a seed's trials. */
export const meanEffect = (choose: Choose, metric: string, tested: Omit<Effect, 'of' | 'scale'>): Effect => ({
  scale: 'linear',
  ...tested,
  of: (records) => bySeed(choose(records), (own) => mean(own.map(metricOf(metric)))),
})

/**
 * Where an interval lies: reproduced if the whole of it is on the claim's side of its bound, not reproduced if it is on the
 * other, else inconclusive.
 */
export function stateOf(
  [low, high]: readonly [number, number],
  { above = -Infinity, below = Infinity }: Pick<Tested, 'above' | 'below'>,
): VerdictState {
  if (low > above && high < below) return 'reproduced'
  return high < above || low > below ? 'not reproduced' : 'inconclusive'
}

/** Three significant digits, for numbers of any size. */
const tell = (value: number): string => String(Number(value.toPrecision(3)))

/** What one effect comes to. */
export function weigh(effect: Effect, records: Records): Verdict {
  const { quantity, scale, needs } = effect
  const values = [...effect.of(records).values()]
  const seeds = values.length
  const open = (why: string): Verdict => ({ state: 'inconclusive', summary: `${quantity}: ${why}`, seeds })
  if (seeds < minReplications)
    return open(`${['no seed has', '1 seed has', '2 seeds have'][seeds]} ${needs} (${minReplications} needed)`)
  const { effect: found, interval } = estimate(values, scale, { step: effect.step?.(records) ?? 0 })
  const [low, high] = interval
  if (!Number.isFinite(low) || !Number.isFinite(high))
    return open(`the seeds' numbers have no interval (${values.map(tell).join(', ')})`)
  if (low === high) return open(`${seeds} seeds give the same number, ${tell(found)}: no spread to judge by`)
  const summary = `${quantity}: ${tell(found)}, 95 % interval ${tell(low)} to ${tell(high)}, ${formatCount(seeds, 'seed')}`
  return { state: stateOf(interval, effect), summary, seeds, effect: found, interval }
}

/** What of a claim is not about its effects. */
type Frame = Omit<Claim, 'check' | 'tested' | 'kind'>

/**
 * A claim that rests on effects: reproduced if all of them are, not reproduced if one of them is not. The verdict's effect
 * and interval are those of the first that decides it.
 */
export function weighed({ effects, ...claim }: Frame & { readonly effects: readonly [Effect, ...Effect[]] }): Claim {
  return {
    ...claim,
    tested: effects.map(({ quantity, scale, above, below, why }) => ({
      ...{ quantity, scale },
      ...(above === undefined ? {} : { above }),
      ...(below === undefined ? {} : { below }),
      ...(why === undefined ? {} : { why }),
    })),
    check(records) {
      const parts = effects.map((effect) => weigh(effect, records))
      const state = (['not reproduced', 'inconclusive'] as const).find((worst) => parts.some((p) => p.state === worst))
      const decisive = parts.find((part) => part.state === (state ?? 'reproduced'))!
      const summary = parts.map((part) => part.summary).join('; ')
      return { ...decisive, summary, seeds: minOf(parts.map((part) => part.seeds)) }
    },
  }
}
