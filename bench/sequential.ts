import { estimate, rankStep, type Scale } from '../src/analysis/intervals.js'
import { looks } from '../src/analysis/sequential.js'
import { quantile, spearman } from '../src/analysis/statistics.js'
import { maxOf } from '../src/core/extremes.js'
import { firstLook } from '../src/core/first-look.js'
import { Random } from '../src/core/seed.js'
import { stateOf } from '../src/experiments/vocabulary/effects.js'
import { formatTable } from '../src/terminal/table.js'

/** A sweep of claims whose truth lies exactly at their bound, so that whatever is decided of one is decided wrongly. */
export interface NullSweep {
  readonly what: string
  readonly scale: Scale
  readonly above: number
  readonly below?: number
  readonly step?: number
  /** Claims of the sweep. Default 1. */
  readonly claims?: number
  /** The number of one seed for one claim. */
  readonly draw: (random: Random) => number
}

const exponential = (random: Random): number => -Math.log(1 - random.uniform())
const heavy = (random: Random): number =>
  random.normal() / Math.sqrt((random.normal() ** 2 + random.normal() ** 2 + random.normal() ** 2) / 3)
const settings = [0, 1, 2, 3, 4, 5, 6]

export const nullSweeps: readonly NullSweep[] = [
  { what: 'a difference', scale: 'linear', above: 0, draw: (random) => random.normal() },
  { what: 'a ratio', scale: 'log', above: 1, draw: (random) => Math.exp(random.normal()) },
  { what: 'alike, at the margin', scale: 'linear', above: -1, below: 1, draw: (random) => 1 + random.normal() },
  { what: 'a difference, Student’s t of 3', scale: 'linear', above: 0, draw: heavy },
  {
    ...{ what: 'a difference, double exponential', scale: 'linear', above: 0 },
    draw: (random) => exponential(random) - exponential(random),
  },
  {
    ...{ what: 'a trend over 7 values', scale: 'rank', above: 0, step: rankStep(settings.length) },
    draw: (random) =>
      spearman(
        settings,
        settings.map(() => random.normal()),
      ),
  },
  { what: 'a share of one half', scale: 'share', above: 0.5, draw: (random) => (random.uniform() < 0.5 ? 1 : 0) },
  { what: 'three differences', scale: 'linear', above: 0, claims: 3, draw: (random) => random.normal() },
]

/** After how many seeds of `maxSeeds` each of a sweep's claims is decided, looking after each from the first look on; Infinity where never. */
function decidedAt(sweep: NullSweep, maxSeeds: number, random: Random): number[] {
  const { scale, step = 0, claims = 1, draw } = sweep
  return Array.from({ length: claims }, () => {
    const values = Array.from({ length: maxSeeds }, () => draw(random))
    let seeds = firstLook
    for (const interval of looks(values, scale, step, 0.05 / claims)) {
      if (stateOf(interval, sweep) !== 'inconclusive') return seeds
      seeds++
    }
    return Infinity
  })
}

/** The share of `rounds` sweeps in which anything is decided, looking after each seed up to so many. */
export function falseVerdicts(sweep: NullSweep, rounds: number, maxSeeds: number): number {
  const random = new Random(0, 'sequential', sweep.what)
  let wrong = 0
  for (let round = 0; round < rounds; round++)
    if (decidedAt(sweep, maxSeeds, random).some((seeds) => Number.isFinite(seeds))) wrong++
  return wrong / rounds
}

/** The same for a difference, were 95 % intervals looked at that suit a number of seeds fixed beforehand. */
function falseByIntervals(rounds: number, maxSeeds: number): number {
  const random = new Random(2, 'sequential')
  let wrong = 0
  for (let round = 0; round < rounds; round++) {
    const values = Array.from({ length: maxSeeds }, () => random.normal())
    const counts = Array.from({ length: maxSeeds - firstLook + 1 }, (_, i) => firstLook + i)
    const decides = (count: number): boolean =>
      stateOf(estimate(values.slice(0, count), 'linear').interval, { above: 0 }) !== 'inconclusive'
    if (counts.some(decides)) wrong++
  }
  return wrong / rounds
}

/** The median and the 90 % quantile of the seeds that decide an effect of so many standard deviations. */
export function seedsNeeded(deviations: number, claims: number, rounds: number): { half: number; most: number } {
  const random = new Random(1, 'sequential', deviations)
  const sweep: NullSweep = {
    ...{ what: 'an effect', scale: 'linear', above: 0, claims },
    draw: (of) => deviations + of.normal(),
  }
  const seeds = Array.from({ length: rounds }, () => decidedAt(sweep, 120, random)).map(maxOf)
  return { half: Math.ceil(quantile(seeds, 0.5)), most: Math.ceil(quantile(seeds, 0.9)) }
}

/** Prints how often chance decides a claim, looking again and again, and how many seeds a real effect takes. */
export function benchSequential(rounds = 2000): void {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  const error = Math.sqrt((0.05 * 0.95) / rounds)
  console.log(
    `Sweeps of no effect in which anything is decided, of ${rounds} (promised: 5 %, with 2 standard errors ${percent(0.05 + 2 * error)})`,
  )
  const rows = nullSweeps.map((sweep) => [
    sweep.what,
    ...[30, 100].map((maxSeeds) => percent(falseVerdicts(sweep, rounds, maxSeeds))),
  ])
  rows.push(['a difference, by 95 % intervals', ...[30, 100].map((most) => percent(falseByIntervals(rounds, most)))])
  console.log(formatTable(['claimed', 'a look after each of 5 to 30 seeds', 'of 5 to 100'], rows))
  console.log('\nSeeds that decide a difference of so many standard deviations of a pair: median, and nine in ten')
  const needed = [1, 2].map((deviations) => [
    String(deviations),
    ...[1, 2, 5].map((claims) => {
      const { half, most } = seedsNeeded(deviations, claims, Math.ceil(rounds / 4))
      return `${half}, ${most}`
    }),
  ])
  console.log(formatTable(['standard deviations', '1 claim', '2 claims, all', '5 claims, all'], needed))
}
