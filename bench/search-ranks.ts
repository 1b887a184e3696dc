import { groupBy } from '../src/core/group-by.js'
import { mean } from '../src/core/mean.js'
import { Random } from '../src/core/seed.js'
import { quantile, ranks } from '../src/analysis/statistics.js'
import { round, table } from './measure.js'

/** What a sampler came to on a problem with a seed. */
export interface Run {
  readonly problem: string
  readonly sampler: string
  readonly seed: number
  /** Trials at once. */
  readonly workers: number
  /** Best loss found, above the least there is. */
  readonly regret: number
  /** Simulated, until the last trial ended; missing in files of earlier versions. */
  readonly seconds?: number
}

/** Fixed before anything was run: by how much a mean rank may lie above another's, at the upper end of 95 %. */
const mostRankDifference = 0.3
const bootstraps = 2000

/**
 * Mean ranks of samplers over problems and seeds, and differences of them, each with 95 % of bootstraps that draw the seeds
 * anew. A seed counts once every sampler has run every problem with it.
 */
export function describeRanks(runs: readonly Run[], samplers: readonly string[], problems: readonly string[]): string {
  const complete = [...groupBy(runs, ({ seed }) => seed).values()].filter(
    (own) => own.length === samplers.length * problems.length,
  )
  const seeds = complete.map((own) => meanRanksOf(own, samplers, problems))
  if (seeds.length === 0) return 'no seed is complete'
  const own = samplers.map((_, s) => mean(seeds.map((one) => one[s]!)))
  const random = new Random(0, 'bootstrap')
  const drawn = Array.from({ length: bootstraps }, () => {
    const some = seeds.map(() => seeds[random.below(seeds.length)]!)
    return samplers.map((_, s) => mean(some.map((one) => one[s]!)))
  })
  const counted = complete.flat()
  const rows = samplers.map((sampler, s) => [
    ...[sampler, own[s]!.toFixed(2), interval(drawn.map((one) => one[s]!))],
    timeOf(counted, sampler, samplers[0]!),
    ...problems.map((problem) => medianRegret(counted, sampler, problem)),
  ])
  const header = ['sampler', 'mean rank', '95 %', `time ÷ ${samplers[0]}'s`, ...problems]
  return [
    `${seeds.length} seeds of ${problems.length} problems; of each problem the median regret`,
    table(header, rows),
    comparisons(samplers, own, drawn).join('\n'),
  ].join('\n\n')
}

/** Of one seed: each sampler's rank, the mean over problems; equal regrets share their ranks. */
function meanRanksOf(runs: readonly Run[], samplers: readonly string[], problems: readonly string[]): number[] {
  const byProblem = problems.map((problem) =>
    ranks(samplers.map((name) => runs.find((run) => run.sampler === name && run.problem === problem)!.regret)),
  )
  return samplers.map((_, s) => mean(byProblem.map((own) => own[s]!)))
}

const interval = (values: readonly number[]): string =>
  `${quantile(values, 0.025).toFixed(2)} to ${quantile(values, 0.975).toFixed(2)}`

function medianRegret(runs: readonly Run[], sampler: string, problem: string): string {
  const own = runs.filter((run) => run.sampler === sampler && run.problem === problem)
  return quantile(
    own.map(({ regret }) => regret),
    0.5,
  ).toPrecision(2)
}

/** The median of simulated times, each divided by another sampler's on the same problem and seed. */
function timeOf(runs: readonly Run[], sampler: string, other: string): string {
  const secondsOf = new Map(runs.map((run) => [`${run.sampler} ${run.problem} ${run.seed}`, run.seconds]))
  const ratios = runs.flatMap((run) => {
    const theirs = secondsOf.get(`${other} ${run.problem} ${run.seed}`)
    return run.sampler !== sampler || run.seconds === undefined || theirs === undefined ? [] : [run.seconds / theirs]
  })
  return ratios.length === 0 ? '–' : round(quantile(ratios, 0.5))
}

/** Whether the upper ends of differences of mean ranks are at most what was fixed beforehand. */
function comparisons(samplers: readonly string[], own: readonly number[], drawn: readonly number[][]): string[] {
  const against = (a: string, b: string, limit: number): string[] => {
    const [i, j] = [samplers.indexOf(a), samplers.indexOf(b)]
    if (i < 0 || j < 0 || i === j) return []
    const differences = drawn.map((one) => one[i]! - one[j]!)
    const holds = quantile(differences, 0.975) <= limit ? 'yes' : 'no'
    return [
      `${a} against ${b}: ${(own[i]! - own[j]!).toFixed(2)} (${interval(differences)}), at most ${limit}: ${holds}`,
    ]
  }
  const best = samplers.reduce((a, b) => (own[samplers.indexOf(b)]! < own[samplers.indexOf(a)]! ? b : a))
  return [
    ...against('tpe', 'optuna-tpe', mostRankDifference),
    ...against('gp', 'optuna-gp', mostRankDifference),
    ...against('auto', best, mostRankDifference),
    ...samplers.flatMap((sampler) => against(sampler, 'random', 0)),
  ]
}
