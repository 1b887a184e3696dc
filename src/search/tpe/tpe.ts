import { Random } from '../../core/seed.js'
import { randomSuggestion } from '../random.js'
import { resultOf } from '../results.js'
import type { Explained, Observation, PointSampler, PointSamplerOptions } from '../sampler.js'
import { buildPoint, checkSpace, countValues, valueAt, type SearchAxis, type SearchPoint } from '../space.js'
import { Tried, untriedPoint } from '../tried.js'
import { ParzenEstimator } from './parzen.js'
import { Rows } from './rows.js'
import { Split, timeWeights } from './split.js'

const startup = 10
const candidates = 24
/** How often candidates are drawn anew when all have been tried. */
const rounds = 4

/**
 * The tree-structured Parzen estimator (Bergstra et al. 2011), as Optuna 5 has it: candidates are drawn from the density
 * l of good points, and the one with the largest l/g is suggested, where g is the density of the others and of those that
 * are pending. Axes that always hold together are drawn together; with several objectives, each axis on its own.
 * The first ten trials are random.
 */
export function tpeSampler(space: readonly SearchAxis[], options: PointSamplerOptions): PointSampler {
  checkSpace(space)
  return new TpeSampler(space, options)
}

/** Axes that always hold together, with the densities of this suggestion. */
interface Part {
  readonly rows: Rows
  readonly good: ParzenEstimator
  readonly others: ParzenEstimator
}

class TpeSampler implements PointSampler {
  readonly #tried: Tried
  readonly #split: Split
  readonly #rows: readonly Rows[]
  #count = 0

  constructor(
    private readonly space: readonly SearchAxis[],
    private readonly options: PointSamplerOptions,
  ) {
    const objectives = options.directions.length
    this.#tried = new Tried(space)
    this.#split = new Split(objectives)
    this.#rows = partsOf(space, objectives).map((axes) => new Rows(axes))
  }

  observe(observation: Observation): void {
    this.#tried.add(observation.point)
    if (observation.ignored === true) return
    for (const rows of this.#rows) rows.add(this.#count, observation.point)
    this.#split.add(resultOf(observation, this.options.directions))
    this.#count++
  }

  suggest({ index, pending }: { index: number; pending: readonly SearchPoint[] }): Explained | undefined {
    const random = new Random(this.options.seed, 'search', index)
    const isTried = this.#tried.with(pending)
    const known = this.#split.valued
    if (known < startup || this.#rows.length === 0) {
      const why = this.#rows.length === 0 ? undefined : `${known} of the ${startup} results that tpe begins with`
      return randomSuggestion(this.space, isTried, random, why)
    }
    return this.#best(this.#densities(pending), isTried, random)
  }

  #densities(pending: readonly SearchPoint[]): Part[] {
    const good = this.#split.good()
    const several = this.options.directions.length > 1
    return this.#rows.map((rows) => {
      pending.forEach((point, k) => rows.add(this.#count + k, point))
      const [mine, others] = [rows.select((id) => good.has(id)), rows.select((id) => !good.has(id))]
      rows.dropFrom(this.#count)
      const weights = several ? new Float64Array(mine.count).fill(1) : timeWeights(mine.count)
      return {
        rows,
        good: new ParzenEstimator(rows.kernelAxes, mine.columns, weights),
        others: new ParzenEstimator(rows.kernelAxes, others.columns, timeWeights(others.count)),
      }
    })
  }

  #best(parts: readonly Part[], isTried: (point: SearchPoint) => boolean, random: Random): Explained | undefined {
    const explain = (point: SearchPoint): Explained => ({
      point,
      rule: 'tpe',
      modelSize: this.#split.valued,
      criterion: criterionAt(parts, point),
    })
    for (let round = 0; round < rounds; round++) {
      const point = this.#drawn(parts, isTried, random)
      if (point !== undefined) return explain(point)
    }
    const spare = Array.from({ length: candidates }, () => untriedPoint(this.space, isTried, random))
    const explained = spare.flatMap((point) => (point === undefined ? [] : [explain(point)]))
    const best = explained.reduce<Explained | undefined>(
      (a, b) => (a === undefined || b.criterion! > a.criterion! ? b : a),
      undefined,
    )
    return best && { ...best, fallback: 'every point drawn near good ones had been tried: the best of 24 random ones' }
  }

  /** The best of the candidates of each part in turn; in the last one, the best that makes a new point. */
  #drawn(parts: readonly Part[], isTried: (point: SearchPoint) => boolean, random: Random): SearchPoint | undefined {
    const values: Record<string, number> = Object.create(null) as Record<string, number>
    const pointOf = (): SearchPoint =>
      buildPoint(this.space, (axis) => values[axis.name] ?? (countValues(axis) === 1 ? valueAt(axis, 0) : NaN))
    let ranked: { readonly rows: Rows; readonly drawn: readonly number[][] } | undefined
    for (const { rows, good, others } of parts) {
      if (!rows.axes.every(({ name }) => Object.hasOwn(pointOf(), name))) continue
      const drawn = Array.from({ length: candidates }, () => good.sample(random))
      const criteria = new Map(drawn.map((point) => [point, good.logDensity(point) - others.logDensity(point)]))
      drawn.sort((a, b) => criteria.get(b)! - criteria.get(a)!)
      rows.axes.forEach(({ name }, a) => (values[name] = drawn[0]![a]!))
      ranked = { rows, drawn }
    }
    for (const candidate of ranked?.drawn ?? []) {
      ranked!.rows.axes.forEach(({ name }, a) => (values[name] = candidate[a]!))
      const point = pointOf()
      // Another choice may bring axes that no part has drawn for.
      if (!Object.values(point).some(Number.isNaN) && !isTried(point)) return point
    }
    return undefined
  }
}

/** ln l/g, summed over the parts that hold at the point. */
function criterionAt(parts: readonly Part[], point: SearchPoint): number {
  let sum = 0
  for (const { rows, good, others } of parts) {
    if (!Object.hasOwn(point, rows.axes[0]!.name)) continue
    const values = rows.axes.map(({ name }) => point[name]!)
    sum += good.logDensity(values) - others.logDensity(values)
  }
  return sum
}

/** Axes of more than one value: by their condition, since those of the same hold together; or each on its own. */
function partsOf(space: readonly SearchAxis[], objectives: number): SearchAxis[][] {
  const parts = new Map<string, SearchAxis[]>()
  for (const axis of space) {
    if (countValues(axis) === 1) continue
    const key = objectives > 1 ? axis.name : JSON.stringify(axis.when ?? null)
    parts.set(key, [...(parts.get(key) ?? []), axis])
  }
  return [...parts.values()]
}
