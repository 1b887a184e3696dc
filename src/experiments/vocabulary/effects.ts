import {
  estimate,
  fixedSeeds,
  leastReplications as minReplications,
  type IntervalRule,
  pValue,
} from '../../analysis/intervals.js'
import { mean } from '../../analysis/statistics.js'
import { maxOf, minOf } from '../../core/extremes.js'
import { formatCount } from '../../core/format.js'
import { groupBy } from '../../core/group-by.js'
import type { Seeds, TrialRecord } from '../../core/trial.js'
import type { Claim, ClaimPart, Tested, Verdict, VerdictState } from '../experiment.js'
import { metricOf } from './numbers.js'
import type { Choose, Records } from './records.js'

/** Claims about effects: what each seed's trials show as one number, the interval over seeds, and what follows of it. */

/** One number of each seed that has it. */
export type BySeed = ReadonlyMap<string, number>

/** What a seed must have several of, such as batch sizes. */
export interface Settings {
  /** In the plural. */
  readonly what: string
  /** Which a trial is of; `undefined` where it is of none that counts. */
  readonly of: (record: TrialRecord, records: Records) => unknown
  /** How many different ones, or which. */
  readonly needed: number | readonly unknown[]
}

/** Something measured once in every seed, and where it must lie. */
export interface Effect extends Omit<Tested, 'minSeeds' | 'settings'> {
  /** What a seed must have to count, for the person whose sweep lacks it. */
  readonly needs: string
  /** The trials it is about, chosen by their parameters alone, so that a plan can be asked whether it has them. */
  readonly trials: Choose
  /** Default: any one trial makes a seed's number. */
  readonly settings?: Settings
  /** What those of one seed show together; NaN where they show nothing. */
  readonly of: (own: readonly TrialRecord[], records: Records) => number
  /** The smallest difference that one of the numbers can show (`estimate`). */
  readonly step?: (records: Records) => number
  /** Why no number of any seed may be judged, where what was measured does not fit the scale. */
  readonly unfit?: (records: Records) => string | undefined
  /** How many seeds there are, whatever came of their trials. Default: those that have a number. */
  readonly seedsInAll?: (records: Records) => number
}

const seedOf = ({ trial }: TrialRecord): string => JSON.stringify(trial.seeds)

/**
 * An effect's number in each seed that has one: settings of a seed are no replications of each other, so they make one number.
 */
export function numbersOf({ trials, of, unfit }: Pick<Effect, 'trials' | 'of' | 'unfit'>, records: Records): BySeed {
  if (unfit?.(records) !== undefined) return new Map()
  const seeds = groupBy(trials(records), seedOf)
  return new Map(
    [...seeds].map(([seed, own]) => [seed, of(own, records)] as const).filter(([, value]) => value === value),
  )
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

/** Which of a seed's trials count, by what came of them: a net that never learnt shows nothing of what it has learnt. */
export type Counted = (own: Records, records: Records) => Records

/** An effect that every trial has: the mean over those of a seed that are counted, by default all. */
export const meanEffect = (
  metric: string,
  { counted = (own) => own, ...tested }: Omit<Effect, 'of' | 'scale'> & { readonly counted?: Counted },
): Effect => ({
  scale: 'linear',
  ...tested,
  of: (own, records) => mean(counted(own, records).map(metricOf(metric))),
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
export function weigh(effect: Effect, records: Records, rule: IntervalRule = fixedSeeds): Verdict {
  const { quantity, scale, needs } = effect
  const values = [...numbersOf(effect, records).values()]
  const seeds = values.length
  const open = (why: string): Verdict => ({ state: 'inconclusive', summary: `${quantity}: ${why}`, seeds })
  const unfit = effect.unfit?.(records)
  if (unfit !== undefined) return open(unfit)
  if (seeds < rule.minSeeds) {
    const have = seeds === 0 ? 'no seed has' : seeds === 1 ? '1 seed has' : `${seeds} seeds have`
    return open(`${have} ${needs} (${rule.minSeeds} needed)`)
  }
  const { effect: found, interval } = rule.of(values, scale, effect.step?.(records) ?? 0)
  const [low, high] = interval
  if (!Number.isFinite(low) || !Number.isFinite(high))
    return open(`the seeds' numbers have no interval (${values.map(tell).join(', ')})`)
  if (low === high) {
    const isOne = values.every((value) => value === values[0])
    return open(
      isOne
        ? `${seeds} seeds give the same number, ${tell(found)}: no spread to judge by`
        : `the numbers of ${seeds} seeds, about ${tell(found)}, differ by less than arithmetic can tell`,
    )
  }
  const inAll = Math.max(seeds, effect.seedsInAll?.(records) ?? 0)
  const counted = inAll === seeds ? formatCount(seeds, 'seed') : `${seeds} of ${formatCount(inAll, 'seed')}`
  const summary = `${quantity}: ${tell(found)}, ${rule.name} ${tell(low)} to ${tell(high)}, ${counted}`
  const state = stateOf(interval, effect)
  const weighed = { state, summary, seeds, effect: found, interval }
  if (rule.together) return { ...weighed, together: true }
  if (rule !== fixedSeeds || state === 'inconclusive') return weighed
  return { ...weighed, p: pOf(effect, state, values, effect.step?.(records) ?? 0) }
}

/** To be borne out it must lie beyond each bound that it has, to be refuted beyond one. */
function pOf({ scale, above, below }: Effect, state: VerdictState, values: readonly number[], step: number): number {
  const ps = [above, below].filter((bound) => bound !== undefined).map((bound) => pValue(values, scale, bound, step))
  return state === 'reproduced' ? maxOf(ps) : minOf(ps)
}

/** More seeds than any claim may ask for. */
const mostSeeds = 1000

/**
 * Seeds of which fewer cannot bear an effect out, whatever their numbers: of a share as many as put the interval beyond the
 * bound when all agree, else three.
 */
export function minSeedsOf({ scale, above = 0, below = 1 }: Pick<Tested, 'scale' | 'above' | 'below'>): number {
  if (scale !== 'share') return minReplications
  const agreed = above > 0 ? 1 : 0
  for (let seeds = minReplications; seeds < mostSeeds; seeds++) {
    const [low, high] = estimate(Array<number>(seeds).fill(agreed), 'share').interval
    if (low > above || high < below) return seeds
  }
  return mostSeeds
}

const countOf = ({ needed }: Settings): number => (typeof needed === 'number' ? needed : needed.length)

/** How many of the settings that a seed must have its trials have. */
function settingsHad(own: Records, records: Records, { of, needed }: Settings): number {
  const had = new Set(own.map((record) => of(record, records)))
  had.delete(undefined)
  return typeof needed === 'number' ? Math.min(needed, had.size) : needed.filter((setting) => had.has(setting)).length
}

/** What planned trials lack for an effect, in words; `undefined` when nothing. */
function missingOf(effect: Effect, planned: Records): string | undefined {
  const seeds = [...groupBy(effect.trials(planned), seedOf).values()]
  if (seeds.length === 0) return `it has no ${effect.needs}`
  const { settings } = effect
  const had = settings === undefined ? [] : seeds.map((own) => settingsHad(own, planned, settings))
  const isWhole = (_: unknown, i: number): boolean => settings === undefined || had[i] === countOf(settings)
  const whole = seeds.filter(isWhole).length
  const needed = minSeedsOf(effect)
  if (whole === 0)
    return `a seed has ${maxOf(had)} of ${countOf(settings!)} ${settings!.what} (it needs ${effect.needs})`
  return whole < needed ? `add ${formatCount(needed - whole, 'seed')}` : undefined
}

/** What of a claim is not about its effects. */
type Frame = Omit<Claim, 'check' | 'tested' | 'kind' | 'missing' | 'parts'>

/**
 * A claim that rests on effects: reproduced if all of them are, not reproduced if one of them is not. The verdict's effect
 * and interval are those of the first that decides it.
 */
export function weighed({ effects, ...claim }: Frame & { readonly effects: readonly [Effect, ...Effect[]] }): Claim {
  return {
    ...claim,
    tested: effects.map(testedOf),
    missing: (planned) => [...new Set(effects.flatMap((effect) => missingOf(effect, planned) ?? []))],
    parts: (records) => effects.map((effect) => partOf(effect, records)),
    check(records, rule) {
      const parts = effects.map((effect) => weigh(effect, records, rule))
      const state = (['not reproduced', 'inconclusive'] as const).find((worst) => parts.some((p) => p.state === worst))
      const decisive = parts.find((part) => part.state === (state ?? 'reproduced'))!
      const summary = parts.map((part) => part.summary).join('; ')
      const told = { ...decisive, summary, seeds: minOf(parts.map((part) => part.seeds)) }
      const ps = parts.flatMap((part) => (part.state === told.state && part.p !== undefined ? [part.p] : []))
      if (state === 'inconclusive' || ps.length === 0) return told
      // All parts must hold, and any of them may refute.
      return { ...told, p: state === undefined ? maxOf(ps) : Math.min(1, parts.length * minOf(ps)) }
    },
  }
}

const partOf = (effect: Effect, records: Records): ClaimPart => ({
  ...testedOf(effect),
  ...weigh(effect, records),
  step: effect.step?.(records) ?? 0,
  numbers: [...numbersOf(effect, records)].map(([seeds, value]) => ({ seeds: JSON.parse(seeds) as Seeds, value })),
})

/** What an effect rests on, as data. */
const testedOf = (effect: Effect): Tested => {
  const { quantity, scale, above, below, why, settings } = effect
  return {
    ...{ quantity, scale },
    ...(above === undefined ? {} : { above }),
    ...(below === undefined ? {} : { below }),
    ...(why === undefined ? {} : { why }),
    minSeeds: minSeedsOf(effect),
    ...(settings === undefined ? {} : { settings: { what: settings.what, least: countOf(settings) } }),
  }
}
