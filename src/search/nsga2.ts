import { crowdingDistances, dominates, paretoRanks } from '../analysis/pareto.js'
import { Random } from '../core/seed.js'
import { randomSuggestion } from './random.js'
import { compareResults, ended, resultOf, type Result } from './results.js'
import type { Explained, Observation, PointSampler, PointSamplerOptions } from './sampler.js'
import { buildPoint, checkSpace, drawValue, nearestValue, type SearchAxis, type SearchPoint } from './space.js'
import { Tried } from './tried.js'

const populationSize = 50
const crossoverShare = 0.9
/** How often a child is made anew when it has been tried. */
const children = 64

/**
 * NSGA-II (Deb et al. 2002) as Optuna 5 has it: each 50 results are a generation, and the 50 best of it and of the parents
 * before are the next parents, by fronts and then by how lonely a point is in its front. A child has each value of one of
 * two parents, each the better of two drawn; one value in as many as there are axes is drawn anew. The first 50 trials are
 * random.
 */
export function nsga2Sampler(space: readonly SearchAxis[], options: PointSamplerOptions): PointSampler {
  checkSpace(space)
  return new Nsga2Sampler(space, options)
}

export interface Individual {
  readonly point: SearchPoint
  readonly result: Result
}

class Nsga2Sampler implements PointSampler {
  readonly #tried: Tried
  #parents: readonly Individual[] = []
  #generation: Individual[] = []
  #used = 0

  constructor(
    private readonly space: readonly SearchAxis[],
    private readonly options: PointSamplerOptions,
  ) {
    this.#tried = new Tried(space)
  }

  observe(observation: Observation): void {
    this.#tried.add(observation.point)
    if (observation.ignored === true) return
    this.#generation.push({ point: observation.point, result: resultOf(observation, this.options.directions) })
    if (this.#generation.length < populationSize) return
    this.#used += populationSize
    this.#parents = fittest([...this.#parents, ...this.#generation], populationSize)
    this.#generation = []
  }

  suggest({ index, pending }: { index: number; pending: readonly SearchPoint[] }): Explained | undefined {
    const random = new Random(this.options.seed, 'search', index)
    const isTried = this.#tried.with(pending)
    if (this.#parents.length === 0)
      return randomSuggestion(
        this.space,
        isTried,
        random,
        `fewer than the ${populationSize} results that nsga2 begins with`,
      )
    for (let child = 0; child < children; child++) {
      const point = this.#child(random)
      if (!isTried(point)) return { point, rule: 'nsga2', modelSize: this.#used }
    }
    return randomSuggestion(this.space, isTried, random, 'every child that nsga2 made had been tried')
  }

  #child(random: Random): SearchPoint {
    const [one, other] = [this.#parent(random), this.#parent(random)]
    const isCrossed = random.uniform() < crossoverShare
    return buildPoint(this.space, (axis) => {
      const from = isCrossed && random.uniform() < 0.5 ? other : one
      const isNew = random.uniform() * this.space.length < 1
      return isNew || !Object.hasOwn(from, axis.name) ? drawValue(axis, random) : nearestValue(axis, from[axis.name]!)
    })
  }

  /** Of two drawn the one that beats the other, else the first. */
  #parent(random: Random): SearchPoint {
    const [a, b] = [0, 0].map(() => this.#parents[random.below(this.#parents.length)]!)
    return (beats(b!.result, a!.result) ? b! : a!).point
  }
}

/** A feasible result beats the others, and one that it dominates; the others go by `compareResults`. */
function beats(a: Result, b: Result): boolean {
  if (a.class === ended.feasible && b.class === ended.feasible) return dominates(a.losses, b.losses)
  return compareResults(a, b) < 0
}

/** The `count` fittest, in the order they came. */
export function fittest(all: readonly Individual[], count: number): Individual[] {
  const feasible = all.filter(({ result }) => result.class === ended.feasible)
  const others = all.filter(({ result }) => result.class !== ended.feasible)
  others.sort((a, b) => compareResults(a.result, b.result))
  const losses = feasible.map(({ result }) => result.losses)
  const ranks = paretoRanks(losses)
  const loneliness = new Float64Array(feasible.length)
  for (const rank of new Set(ranks)) {
    const front = feasible.map((_, i) => i).filter((i) => ranks[i] === rank)
    const distances = crowdingDistances(front.map((i) => losses[i]!))
    front.forEach((i, at) => (loneliness[i] = distances[at]!))
  }
  const order = feasible.map((_, i) => i)
  order.sort(
    (a, b) =>
      ranks[a]! - ranks[b]! || (loneliness[b]! > loneliness[a]! ? 1 : loneliness[b]! < loneliness[a]! ? -1 : a - b),
  )
  const kept = new Set([...order.map((i) => feasible[i]!), ...others].slice(0, count))
  return all.filter((one) => kept.has(one))
}
