import { median } from '../../analysis/statistics.js'
import { groupBy } from '../../core/group-by.js'
import { mean } from '../../core/mean.js'
import { lookUp } from '../../core/names.js'
import { valueKey } from '../../core/param-value.js'
import type { ParamValue, Trial, TrialId } from '../../core/trial.js'
import { varyingAxes } from '../../core/varying-axes.js'

/** How long an earlier trial took. */
export interface MeasuredTime {
  readonly trial: Pick<Trial, 'id' | 'stage' | 'params'>
  readonly durationMs: number
}

/** How long a trial is expected to take, in ms. */
export type ExpectedTime = (trial: Pick<Trial, 'id' | 'stage' | 'params'>) => number

/** Times that differ by less are taken for the same: to go by them would be to go by chance. */
const leastRatio = 1.1
/** As in programs that take hardly longer than it takes to start them: any order ends as early. */
const leastDifferenceMs = 1_000
/** Backfitting converges geometrically; on a grid the first round is exact. */
const rounds = 20
/** Points, and ms to which times of nothing are raised. */
const shrinkage = 1
const leastMs = 1

/**
 * How long trials take, by how long others took. A trial that was measured itself takes what it took; for the others an additive model of
 * the logarithm of the time is fitted, stage by stage: for each numeric axis a line over the logarithm of its value, so that
 * times follow a power of it beyond what was measured, and for each value of any axis what it deviates from that. Logarithms
 * of run times are what such models are fitted to (Hutter, Xu, Hoos & Leyton-Brown, Artificial Intelligence 206, 2014); it is
 * fitted by backfitting (Buja, Hastie & Tibshirani, Annals of Statistics 17, 1989), each coefficient shrunk as by one point
 * more at the mean. Seeds are no axes: of trials that differ in these alone the median counts.
 *
 * The time to fit grows linearly with the points and their axes.
 *
 * @returns nothing where too little was measured, fewer points than two and one for each axis that varies; a trial of a
 * stage without enough of its own is expected to take what trials of the others took in the geometric mean.
 */
export function expectTimes(measured: readonly MeasuredTime[]): ExpectedTime | undefined {
  const own = new Map([...groupBy(measured, ({ trial }) => trial.id)].map(([id, times]) => [id, medianOf(times)]))
  const byStage = new Map<string, AdditiveModel>()
  for (const [stage, times] of groupBy(measured, ({ trial }) => trial.stage)) {
    const points = pointsOf(times)
    if (points.length >= 2 + varyingAxes(points).length) byStage.set(stage, new AdditiveModel(points))
  }
  const models = [...byStage.values()]
  if (models.length === 0) return undefined
  const elsewhere = Math.exp(mean(models.map((model) => model.mean)))
  return ({ id, stage, params }) => own.get(id) ?? byStage.get(stage)?.timeAt(params) ?? elsewhere
}

/** The expected time of each of these trials; nothing where that tells none from another. */
export function timesOf(
  trials: readonly Trial[],
  expected: ExpectedTime | undefined,
): ReadonlyMap<TrialId, number> | undefined {
  if (expected === undefined) return undefined
  const times = new Map<TrialId, number>()
  let [shortest, longest] = [Infinity, 0]
  for (const trial of trials) {
    const time = expected(trial)
    times.set(trial.id, time)
    shortest = Math.min(shortest, time)
    longest = Math.max(longest, time)
  }
  return longest < leastRatio * shortest || longest - shortest < leastDifferenceMs ? undefined : times
}

/** Trials that differ in their seeds alone. */
interface Point {
  readonly params: Trial['params']
  /** Of their median time. */
  readonly log: number
}

function pointsOf(measured: readonly MeasuredTime[]): Point[] {
  const byPoint = groupBy(measured, ({ trial }) => pointKey(trial.params))
  return [...byPoint.values()].map((times) => ({
    params: times[0]!.trial.params,
    log: Math.log(Math.max(leastMs, medianOf(times))),
  }))
}

const pointKey = (params: Trial['params']): string =>
  JSON.stringify(Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1)))

/** A value as a key; the empty one where the point has no such axis. */
const keyAt = (params: Trial['params'], axis: string): string => valueKey(lookUp(params, axis))

class AdditiveModel {
  /** Of the logarithms of the times. */
  readonly mean: number
  readonly #effects: readonly AxisEffect[]

  constructor(points: readonly Point[]) {
    this.mean = mean(points.map(({ log }) => log))
    this.#effects = varyingAxes(points).map((axis) => new AxisEffect(axis, points))
    const rest = Float64Array.from(points, ({ log }) => log - this.mean)
    for (let round = 0; round < rounds; round++) for (const effect of this.#effects) effect.fit(rest)
  }

  timeAt(params: Trial['params']): number {
    return Math.exp(this.#effects.reduce((sum, effect) => sum + effect.at(params), this.mean))
  }
}

/** What an axis adds to the logarithm of the time. */
class AxisEffect {
  readonly #scale: Scale | undefined
  #slope = 0
  readonly #deviations: Float64Array
  /** The number of each value that was measured. */
  readonly #numbers = new Map<string, number>()
  /** Of each point, its value's number and place on the line. */
  readonly #numberOf: Int32Array
  readonly #placeOf: Float64Array
  readonly #counts: Float64Array
  readonly #squares: number

  constructor(
    private readonly axis: string,
    points: readonly Point[],
  ) {
    this.#scale = scaleOf(points.map(({ params }) => lookUp(params, axis)))
    this.#numberOf = Int32Array.from(points, ({ params }) => {
      const key = keyAt(params, axis)
      const number = this.#numbers.get(key) ?? this.#numbers.size
      this.#numbers.set(key, number)
      return number
    })
    this.#placeOf = Float64Array.from(points, ({ params }) => this.#scale?.(lookUp(params, axis)) ?? 0)
    this.#squares = this.#placeOf.reduce((sum, place) => sum + place * place, 0)
    this.#deviations = new Float64Array(this.#numbers.size)
    this.#counts = new Float64Array(this.#numbers.size)
    for (const number of this.#numberOf) this.#counts[number]!++
  }

  /** Takes from `rest`, which all effects leave unexplained, what this one explains better than so far. */
  fit(rest: Float64Array): void {
    const covered = rest.reduce((sum, value, i) => sum + value * this.#placeOf[i]!, 0)
    const slope = (covered + this.#slope * this.#squares) / (this.#squares + shrinkage)
    rest.forEach((_, i) => (rest[i]! -= (slope - this.#slope) * this.#placeOf[i]!))
    this.#slope = slope
    const sums = new Float64Array(this.#deviations.length)
    rest.forEach((value, i) => (sums[this.#numberOf[i]!]! += value))
    const steps = sums.map((sum, number) => {
      const [count, before] = [this.#counts[number]!, this.#deviations[number]!]
      const after = (sum + before * count) / (count + shrinkage)
      this.#deviations[number] = after
      return after - before
    })
    rest.forEach((_, i) => (rest[i]! -= steps[this.#numberOf[i]!]!))
  }

  at(params: Trial['params']): number {
    const number = this.#numbers.get(keyAt(params, this.axis))
    const place = this.#scale?.(lookUp(params, this.axis)) ?? 0
    return this.#slope * place + (number === undefined ? 0 : this.#deviations[number]!)
  }
}

/** A value's place on an axis of mean 0 and standard deviation 1; 0 for one that has none. */
type Scale = (value: ParamValue | undefined) => number

/** By the logarithm where all values are above 0, else as they are; none for an axis that is not of numbers alone. */
function scaleOf(values: readonly (ParamValue | undefined)[]): Scale | undefined {
  const numbers = values.filter((value) => typeof value === 'number' && Number.isFinite(value)) as number[]
  if (numbers.length < values.length) return undefined
  const raw = numbers.every((value) => value > 0) ? Math.log : (value: number) => value
  const places = numbers.map(raw)
  const middle = mean(places)
  const deviation = Math.sqrt(mean(places.map((place) => (place - middle) ** 2)))
  return (value) => {
    const place = typeof value === 'number' ? (raw(value) - middle) / deviation : 0
    return Number.isFinite(place) ? place : 0
  }
}

const medianOf = (times: readonly MeasuredTime[]): number => median(times.map(({ durationMs }) => durationMs))
