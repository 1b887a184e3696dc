import { normalQuantile } from '../../analysis/normal.js'
import { SpaceError } from '../../core/errors.js'
import { Random } from '../../core/seed.js'
import { Cube } from '../cube.js'
import { randomSuggestion } from '../random.js'
import { compareResults, resultOf, type Result } from '../results.js'
import type { Explained, Observation, PointSampler, PointSamplerOptions } from '../sampler.js'
import { buildPoint, checkSpace, drawValue, type SearchAxis, type SearchPoint } from '../space.js'
import { Tried } from '../tried.js'
import { Evolution, warmStart, type Start } from './evolution.js'

/** Draws are repeated so often for each axis until all values lie within the space; then they are cut off. */
const drawsPerAxis = 10
const startSigma = 1 / 6

/**
 * CMA-ES over the numbers of a space; choices, and numbers that do not always hold, are drawn at random. Each generation
 * is made of the next results, in the order they are told, whoever proposed them: none is thrown away, and one from far
 * away moves the distribution no more than one that was drawn. The first `learnt` results make a warm start.
 * @throws SpaceError for several objectives, or without a number that always holds.
 */
export function cmaEsSampler(space: readonly SearchAxis[], options: PointSamplerOptions, learnt = 0): PointSampler {
  checkSpace(space)
  if (options.directions.length > 1)
    throw new SpaceError(`cma-es: ${options.directions.length} objectives (it takes one: use nsga2 or tpe)`)
  return new CmaEsSampler(space, options, learnt)
}

interface Told {
  readonly row: Float64Array
  readonly result: Result
}

class CmaEsSampler implements PointSampler {
  readonly #tried: Tried
  /** The axes that are adapted. */
  readonly #cube: Cube
  #evolution: Evolution | undefined
  /** Of the generation, or of the warm start, that is not complete. */
  #told: Told[] = []
  #used = 0

  constructor(
    private readonly space: readonly SearchAxis[],
    private readonly options: PointSamplerOptions,
    private readonly learnt: number,
  ) {
    this.#tried = new Tried(space)
    this.#cube = new Cube(space.filter(({ kind, when }) => kind !== 'choice' && when === undefined))
    if (learnt === 0 && this.#cube.axes.length > 0) this.#evolution = new Evolution(this.#fromMiddle())
  }

  observe(observation: Observation): void {
    this.#tried.add(observation.point)
    if (observation.ignored === true || this.#cube.axes.length === 0) return
    this.#told.push({
      row: this.#cube.toRow(observation.point),
      result: resultOf(observation, this.options.directions),
    })
    if (this.#told.length < (this.#evolution?.populationSize ?? this.learnt)) return
    const rows = this.#told.sort((a, b) => compareResults(a.result, b.result)).map(({ row }) => row)
    if (this.#evolution === undefined) this.#evolution = new Evolution(warmStart(rows))
    else this.#evolution.update(rows.map((row) => this.#evolution!.injected(row)))
    this.#used += this.#told.length
    this.#told = []
  }

  suggest({ index, pending }: { index: number; pending: readonly SearchPoint[] }): Explained | undefined {
    const random = new Random(this.options.seed, 'search', index)
    const isTried = this.#tried.with(pending)
    const evolution = this.#evolution
    if (evolution === undefined)
      return randomSuggestion(this.space, isTried, random, 'cma-es adapts numbers that always hold: there is none')
    for (let draw = 0; draw < drawsPerAxis * this.#cube.axes.length; draw++) {
      const row = this.#draw(evolution, random)
      const numbers = this.#cube.toPoint(row)
      const point = buildPoint(this.space, (axis) => numbers[axis.name] ?? drawValue(axis, random))
      if (!isTried(point)) return { point, rule: 'cma-es', modelSize: this.#used }
    }
    return randomSuggestion(this.space, isTried, random, 'every point that cma-es drew had been tried')
  }

  #draw(evolution: Evolution, random: Random): Float64Array {
    const d = this.#cube.axes.length
    let row = this.#drawOnce(evolution, random)
    for (let draw = 1; draw < drawsPerAxis * d && row.some((value) => value < 0 || value > 1); draw++)
      row = this.#drawOnce(evolution, random)
    return row.map((value) => Math.max(0, Math.min(1, value)))
  }

  /**
   * One draw. Along an axis with steps it is widened, if need be, so that one in d·λ leaves the value that the mean has,
   * on its farther side: else the axis would never move again (the margin of Hamano et al. 2022, arXiv 2205.13482).
   */
  #drawOnce(evolution: Evolution, random: Random): Float64Array {
    const d = this.#cube.axes.length
    const row = evolution.pointOf(new Float64Array(d).map(() => normalQuantile(random.uniform() || 2 ** -54)))
    const margin = normalQuantile(1 - 0.5 / (d * evolution.populationSize))
    this.#cube.axes.forEach((_, a) => {
      const mean = evolution.mean[a]!
      const cell = this.#cube.cellAt(a, Math.max(0, Math.min(1, mean)))
      if (cell === undefined) return
      const needed = Math.max(mean - cell.from, cell.to - mean) / margin
      const deviation = evolution.deviation(a)
      if (deviation < needed) row[a] = mean + (row[a]! - mean) * (needed / deviation)
    })
    return row
  }

  #fromMiddle(): Start {
    const d = this.#cube.axes.length
    const covariance = new Float64Array(d * d)
    for (let k = 0; k < d; k++) covariance[k * d + k] = 1
    return { mean: new Float64Array(d).fill(0.5), sigma: startSigma, covariance }
  }
}
