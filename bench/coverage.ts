import { estimate, rankStep, type Scale } from '../src/analysis/intervals.js'
import { spearman } from '../src/analysis/statistics.js'
import { Random } from '../src/core/seed.js'
import { formatTable } from '../src/terminal/table.js'

/** How many seeds a claim may rest on. */
const replications = [3, 5, 8, 20] as const

/** One kind of interval in use, over one kind of noise. */
export interface Setting {
  readonly scale: Scale
  readonly noise: string
  /** What coverage is promised: between 94 and 96 %, at least 94 %, or nothing. */
  readonly promise: keyof typeof promises
  readonly step?: number
  /** The number of one seed. */
  readonly draw: (random: Random) => number
  /** What the interval should hold. Default: the mean of the numbers on the scale, over many seeds. */
  readonly truth?: number
}

const uniform = (random: Random): number => 2 * random.uniform() - 1
const exponential = (random: Random): number => -Math.log(1 - random.uniform())
/** Student's t of 3 degrees of freedom: a normal number over the root of a χ² over 3. */
const heavy = (random: Random): number =>
  random.normal() / Math.sqrt((random.normal() ** 2 + random.normal() ** 2 + random.normal() ** 2) / 3)

/** Spearman's correlation, within one seed, of a setting and a value that rises with it. */
const rankOf = (count: number, slope: number) => (random: Random) => {
  const x = Array.from({ length: count }, (_, i) => i)
  return spearman(
    x,
    x.map((i) => slope * i + random.normal()),
  )
}

export const settings: readonly Setting[] = [
  { scale: 'linear', noise: 'normal', promise: 'exact', draw: (random) => 3 + random.normal(), truth: 3 },
  {
    // What both settings of a seed share falls out of their difference.
    ...{ scale: 'linear', noise: 'normal, difference of pairs', promise: 'exact', truth: 0.5 },
    draw: (random) => {
      const shared = 10 * random.normal()
      return shared + 0.5 + random.normal() - (shared + random.normal())
    },
  },
  { scale: 'log', noise: 'log-normal', promise: 'exact', draw: (random) => Math.exp(2 * random.normal()), truth: 1 },
  {
    ...{ scale: 'log', noise: 'log-normal, ratio of pairs', promise: 'exact', truth: 100 },
    draw: (random) => {
      const shared = Math.exp(random.normal())
      return (100 * shared * Math.exp(random.normal())) / (shared * Math.exp(random.normal()))
    },
  },
  { scale: 'linear', noise: 'Student’s t of 3', promise: 'at least', draw: heavy, truth: 0 },
  {
    ...{ scale: 'linear', noise: 'double exponential', promise: 'at least', truth: 0 },
    draw: (random) => exponential(random) - exponential(random),
  },
  {
    ...{ scale: 'linear', noise: 'normal, a tenth of it ten times as wide', promise: 'at least', truth: 0 },
    draw: (random) => random.normal() * (random.uniform() < 0.1 ? 10 : 1),
  },
  {
    ...{ scale: 'log', noise: 'exp of Student’s t of 3', promise: 'at least', truth: 1 },
    draw: (random) => Math.exp(heavy(random)),
  },
  ...[4, 7, 15].flatMap((count) =>
    [0, 0.2, 0.5, 1, 2].map((slope): Setting => ({
      ...{ scale: 'rank', noise: `${count} settings, slope ${slope}`, promise: 'at least' },
      ...{ draw: rankOf(count, slope), step: rankStep(count) },
    })),
  ),
  ...[0.1, 0.5, 0.9, 0.98].map((share): Setting => ({
    ...{ scale: 'share', noise: `a share of ${share}`, promise: 'at least', truth: share },
    draw: (random) => (random.uniform() < share ? 1 : 0),
  })),
  { scale: 'linear', noise: 'uniform', promise: 'none', draw: uniform, truth: 0 },
  // Why losses are weighed on logarithms.
  { scale: 'linear', noise: 'exponential', promise: 'none', draw: exponential, truth: 1 },
  {
    ...{ scale: 'linear', noise: 'log-normal', promise: 'none', truth: Math.exp(0.5) },
    draw: (random) => Math.exp(random.normal()),
  },
]

/** Seeds whose mean stands for the truth where that has no closed form. */
const truthSeeds = 20_000

/** What share of `rounds` intervals hold the truth, for each number of seeds. */
export function coverage(setting: Setting, rounds: number): number[] {
  const { scale, noise, step = 0, draw } = setting
  const random = new Random(0, 'coverage', scale, noise)
  const of = (seeds: number) =>
    estimate(
      Array.from({ length: seeds }, () => draw(random)),
      scale,
      { step },
    )
  const truth = setting.truth ?? of(truthSeeds).effect
  return replications.map((seeds) => {
    let held = 0
    for (let round = 0; round < rounds; round++) {
      const [low, high] = of(seeds).interval
      if (low <= truth && truth <= high) held++
    }
    return held / rounds
  })
}

/** The words and the bounds of what is promised of a kind of interval. */
export const promises = {
  exact: { words: '94 to 96 %', least: 0.94, most: 0.96 },
  'at least': { words: 'at least 94 %', least: 0.94, most: 1 },
  none: { words: '–', least: 0, most: 1 },
} as const

/** Prints how often each kind of interval in use holds the truth. */
export function benchCoverage(rounds = 20_000): void {
  const rows = settings.map((setting) => {
    const { scale, noise, promise } = setting
    const covered = coverage(setting, rounds).map((share) => `${(100 * share).toFixed(1)} %`)
    return [scale, noise, ...covered, promises[promise].words]
  })
  const error = 100 * Math.sqrt((0.95 * 0.05) / rounds)
  console.log(`Coverage of 95 % intervals over ${rounds} rounds (standard error ${error.toFixed(2)} %)`)
  console.log(formatTable(['scale', 'noise', ...replications.map((n) => `${n} seeds`), 'promised'], rows))
}
