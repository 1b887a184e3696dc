import { maxOf, minOf } from '../../core/extremes.js'
import { mean } from '../../core/mean.js'
import { log } from '../../analysis/elementary.js'
import { Random } from '../../core/seed.js'
import { randomSuggestion } from '../random.js'
import { ended, resultOf, type Result } from '../results.js'
import type { Explained, Observation, PointSampler, PointSamplerOptions } from '../sampler.js'
import { buildPoint, checkSpace, drawValue, type SearchAxis, type SearchPoint } from '../space.js'
import { Tried } from '../tried.js'
import { logExpectedImprovement, logProbabilityBelow, type Acquisition } from './acquisition.js'
import { Cube } from '../cube.js'
import { halfRanked } from './half-rank.js'
import { maximize } from './maximize.js'
import { fitHyperparameters, GaussianProcess, type Points } from './process.js'

const startup = 10
const candidates = 2048
/** The model is of at most so many results: the best of them, and the newest of the others. */
export const largestModel = 250
const bestKept = 100

/**
 * Bayesian optimisation by a Gaussian process, with the kernel, priors and maximiser of Optuna 5: Matérn 5/2, a length
 * scale of each axis, the largest ln of expected improvement, times the probability that every constraint holds. Several
 * objectives are weighted anew for each suggestion (ParEGO, Knowles 2006). The first ten trials are random. A trial that
 * failed counts as the worst value; one that a rule stopped teaches nothing.
 */
export function gpSampler(space: readonly SearchAxis[], options: PointSamplerOptions): PointSampler {
  checkSpace(space)
  return new GpSampler(space, options)
}

interface Known {
  readonly row: Float64Array
  readonly result: Result
  readonly violations: readonly number[]
}

class GpSampler implements PointSampler {
  readonly #tried: Tried
  readonly #cube: Cube
  readonly #known: Known[] = []
  #valued = 0

  constructor(
    private readonly space: readonly SearchAxis[],
    private readonly options: PointSamplerOptions,
  ) {
    this.#tried = new Tried(space)
    this.#cube = new Cube(space)
  }

  observe(observation: Observation): void {
    this.#tried.add(observation.point)
    const result = resultOf(observation, this.options.directions)
    if (observation.ignored === true || result.class === ended.stopped) return
    if (result.class !== ended.failed) this.#valued++
    this.#known.push({
      row: this.#cube.toRow(observation.point),
      result,
      violations: observation.violations ?? [],
    })
  }

  suggest({ index, pending }: { index: number; pending: readonly SearchPoint[] }): Explained | undefined {
    const random = new Random(this.options.seed, 'search', index)
    const isTried = this.#tried.with(pending)
    if (this.#valued < startup || this.#cube.axes.length === 0) {
      const why = `${this.#valued} of the ${startup} results that gp begins with`
      return randomSuggestion(this.space, isTried, random, this.#cube.axes.length === 0 ? undefined : why)
    }
    const { known, losses } = this.#model(random)
    const points: Points = { rows: known.map(({ row }) => row), isChoice: this.#cube.isChoice }
    const values = standardized(this.#warped(losses.map((loss) => -loss)))
    const hyperparameters = fitHyperparameters(points, values)
    const process = new GaussianProcess(points, values, hyperparameters)
    const feasible = known.flatMap(({ result }, i) => (result.class === ended.feasible ? [i] : []))
    const incumbent = feasible.reduce<number | undefined>(
      (best, i) => (best === undefined || values[i]! > values[best]! ? i : best),
      undefined,
    )
    const parts = this.#constraints(known)
    if (incumbent !== undefined) {
      const rows = pending.map((point) => this.#cube.toRow(point))
      parts.unshift(logExpectedImprovement(process, values, values[incumbent]!, rows, random))
    }
    const found = maximize(
      (point, gradient) => parts.reduce((sum, part) => sum + part(point, gradient), 0),
      this.#cube.grids.map((grid, a) => ({
        ...(grid && { grid }),
        isChoice: this.#cube.isChoice[a]!,
        lengthScale: 1 / Math.sqrt(hyperparameters.precisions[a]!),
      })),
      Array.from({ length: candidates }, () =>
        this.#cube.toRow(buildPoint(this.space, (axis) => drawValue(axis, random))),
      ),
      incumbent === undefined ? undefined : points.rows[incumbent],
      random,
    )
    for (const { point: row, value } of found) {
      const point = this.#cube.toPoint(row)
      if (!isTried(point)) return { point, rule: 'gp', modelSize: known.length, criterion: value }
    }
    return randomSuggestion(this.space, isTried, random, 'every candidate of gp had been tried')
  }

  /** What the model is of, the largest best; of the first version the values as they were told. */
  #warped(values: readonly number[]): readonly number[] {
    return this.options.version === 1 ? values : halfRanked(values)
  }

  /** The observations of the model, and one loss of each. */
  #model(random: Random): { known: readonly Known[]; losses: number[] } {
    const all = this.#scalar(random)
    if (all.length <= largestModel) return { known: this.#known, losses: all }
    const order = all.map((_, i) => i).sort((a, b) => all[a]! - all[b]! || a - b)
    const best = new Set(order.slice(0, bestKept))
    const others = all.map((_, i) => i).filter((i) => !best.has(i))
    const kept = [...best, ...others.slice(bestKept - largestModel)].sort((a, b) => a - b)
    return { known: kept.map((i) => this.#known[i]!), losses: kept.map((i) => all[i]!) }
  }

  /** One loss of each observation: of several objectives, each from 0 to 1, max wf + 0.05 Σ wf for random weights w. */
  #scalar(random: Random): number[] {
    const objectives = this.options.directions.length
    const valued = this.#known.filter(({ result }) => result.class !== ended.failed)
    const ranges = Array.from({ length: objectives }, (_, k) => {
      const losses = valued.map(({ result }) => result.losses[k]!)
      return { low: minOf(losses), high: maxOf(losses) }
    })
    const draws = ranges.map(() => (objectives === 1 ? 1 : -log(1 - random.uniform())))
    const total = draws.reduce((sum, draw) => sum + draw, 0)
    const lossOf = ({ result }: Known): number => {
      const losses = ranges.map(({ high }, k) => result.losses[k] ?? high)
      if (objectives === 1) return losses[0]!
      const weighted = losses.map((loss, k) => {
        const { low, high } = ranges[k]!
        return (draws[k]! / total) * (high === low ? 0 : (loss - low) / (high - low))
      })
      return maxOf(weighted) + 0.05 * weighted.reduce((sum, value) => sum + value, 0)
    }
    return this.#known.map(lossOf)
  }

  /** ln of the probability that each constraint holds. */
  #constraints(known: readonly Known[]): Acquisition[] {
    const told = known.filter(({ violations }) => violations.length > 0 && violations.every(Number.isFinite))
    const count = told[0]?.violations.length ?? 0
    const same = told.filter(({ violations }) => violations.length === count)
    const points: Points = { rows: same.map(({ row }) => row), isChoice: this.#cube.isChoice }
    return Array.from({ length: count }, (_, c) => {
      const raw = same.map(({ violations }) => violations[c]!)
      const values = standardized(raw)
      const process = new GaussianProcess(points, values, fitHyperparameters(points, values))
      return logProbabilityBelow(process, (0 - mean(raw)) / deviationOf(raw))
    })
  }
}

/** Population standard deviation; 1 where nothing varies. */
function deviationOf(values: readonly number[]): number {
  const centre = mean(values)
  const variance = mean(values.map((value) => (value - centre) * (value - centre)))
  return variance > 0 ? Math.sqrt(variance) : 1
}

function standardized(values: readonly number[]): Float64Array {
  const [centre, deviation] = [mean(values), deviationOf(values)]
  return Float64Array.from(values, (value) => (value - centre) / deviation)
}
