import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/core/seed.js'
import { logExpectedImprovement, logGain, logProbabilityBelow } from '../../../src/search/gp/acquisition.js'
import { minimizeInBox } from '../../../src/search/gp/minimize.js'
import {
  fitHyperparameters,
  GaussianProcess,
  Likelihood,
  type Hyperparameters,
} from '../../../src/search/gp/process.js'
import { createPointSampler } from '../../../src/search/samplers.js'
import type { SearchAxis } from '../../../src/search/space.js'
import { reference } from '../reference.js'

interface Case {
  readonly rows: number[][]
  readonly isChoice: boolean[]
  readonly values: number[]
  readonly logs: number[]
  readonly loss: number
  readonly gradient: number[]
  readonly at: number[][]
  readonly mean: number[]
  readonly variance: number[]
  readonly logImprovement: number[]
  readonly fittedLoss: number
}
const { cases, z, logGain: gains } = reference<{ cases: Case[]; z: number[]; logGain: number[] }>('gaussian-process')

const pointsOf = ({ rows, isChoice }: Case) => ({ rows: rows.map((row) => Float64Array.from(row)), isChoice })
const madeOf = (one: Case): GaussianProcess => {
  const [precisions, variance, noise] = [one.logs.slice(0, -2), one.logs.at(-2)!, one.logs.at(-1)!]
  const hyperparameters: Hyperparameters = {
    precisions: Float64Array.from(precisions, Math.exp),
    variance: Math.exp(variance),
    noise: Math.exp(noise) + 1e-6,
  }
  return new GaussianProcess(pointsOf(one), Float64Array.from(one.values), hyperparameters)
}
const expectClose = (found: ArrayLike<number>, expected: readonly number[], tolerance = 1e-9): void =>
  expected.forEach((value, i) =>
    expect(Math.abs(found[i]! - value)).toBeLessThan(tolerance * Math.max(1, Math.abs(value))),
  )

describe.each(cases.map((one) => [one.rows.length, one] as const))('a Gaussian process of %i points', (_, one) => {
  const values = Float64Array.from(one.values)

  it('has the posterior of Optuna 5, of hyperparameters and of the function', () => {
    const { loss, gradient } = new Likelihood(pointsOf(one), values).slopeAt(Float64Array.from(one.logs))
    expectClose([loss, ...gradient], [one.loss, ...one.gradient])
    const process = madeOf(one)
    const predictions = one.at.map((row) => process.predict(process.covariances(Float64Array.from(row))))
    expectClose(
      predictions.map(({ mean }) => mean),
      one.mean,
    )
    expectClose(
      predictions.map(({ variance }) => variance),
      one.variance,
    )
    const improvement = logExpectedImprovement(process, values, Math.max(...values), [], new Random(1))
    expectClose(
      one.at.map((row) => improvement(Float64Array.from(row))),
      one.logImprovement,
    )
  })

  it('is fitted as well', () => {
    const { precisions, variance, noise } = fitHyperparameters(pointsOf(one), values)
    const logs = Float64Array.of(...precisions, variance, noise - 1e-6).map(Math.log)
    expect(new Likelihood(pointsOf(one), values).slopeAt(logs).loss).toBeLessThan(one.fittedLoss + 1e-3)
  })

  it('is ranked by acquisitions with right slopes', () => {
    const process = madeOf(one)
    const row = Float64Array.from(one.at[0]!)
    const pending = one.at.slice(1, 3).map((at) => Float64Array.from(at))
    for (const acquisition of [
      logExpectedImprovement(process, values, 0.5, [], new Random(1)),
      logExpectedImprovement(process, values, 0.5, pending, new Random(1)),
      logProbabilityBelow(process, 0.3),
    ]) {
      const gradient = new Float64Array(row.length)
      acquisition(row, gradient)
      one.isChoice.forEach((isChoice, a) => {
        if (isChoice) return expect(gradient[a]).toBe(0)
        const moved = (by: number): number => acquisition(row.map((value, k) => (k === a ? value + by : value)))
        expect(gradient[a]! / ((moved(1e-5) - moved(-1e-5)) / 2e-5)).toBeCloseTo(1, 4)
      })
    }
  })
})

describe('expected improvement', () => {
  it('has the logarithm of Optuna 5, far in the tail too', () => {
    for (const [i, at] of z.entries())
      expect(Math.abs(logGain(at) - gains[i]!)).toBeLessThan(1e-9 * Math.max(1, Math.abs(gains[i]!)))
  })

  it('is the mean over joint draws of what pending trials may be', () => {
    const [one] = [cases[1]!]
    const process = madeOf(one)
    const pending = [Float64Array.from(one.at[1]!), Float64Array.from(one.at[2]!)]
    const best = 0.2
    const at = Float64Array.from(one.at[0]!)
    // By brute force: the three values drawn together, and how much the third is above the best of the others.
    const all = [...pending, at]
    const covariance = all.map((a) => all.map((b) => process.posteriorCovariance(a, b)))
    const means = all.map((a) => process.predict(process.covariances(a)).mean)
    const random = new Random(5)
    const l00 = Math.sqrt(covariance[0]![0]!)
    const [l10, l20] = [covariance[1]![0]! / l00, covariance[2]![0]! / l00]
    const l11 = Math.sqrt(covariance[1]![1]! - l10 ** 2)
    const l21 = (covariance[2]![1]! - l20 * l10) / l11
    const l22 = Math.sqrt(covariance[2]![2]! - l20 ** 2 - l21 ** 2)
    let total = 0
    const draws = 100_000
    for (let draw = 0; draw < draws; draw++) {
      const [a, b, c] = [random.normal(), random.normal(), random.normal()]
      const threshold = Math.max(best, means[0]! + l00 * a, means[1]! + l10 * a + l11 * b)
      total += Math.max(0, means[2]! + l20 * a + l21 * b + l22 * c - threshold)
    }
    const found = Array.from({ length: 20 }, (_, seed) =>
      Math.exp(logExpectedImprovement(process, Float64Array.from(one.values), best, pending, new Random(seed))(at)),
    )
    expect(found.reduce((sum, value) => sum + value, 0) / found.length / (total / draws)).toBeCloseTo(1, 1)
  })
})

describe('minimising in a box', () => {
  const options = { low: [-2, -2], high: [2, 2], steps: 200, tolerance: 1e-8 }
  const rosenbrock = ([x, y]: Float64Array) => ({
    loss: 100 * (y! - x! ** 2) ** 2 + (1 - x!) ** 2,
    gradient: Float64Array.of(-400 * x! * (y! - x! ** 2) - 2 * (1 - x!), 200 * (y! - x! ** 2)),
  })
  it('finds the valley of Rosenbrock, or the end of the box before it', () => {
    expectClose(minimizeInBox(rosenbrock, [-1.2, 1], options).point, [1, 1], 1e-3)
    expectClose(minimizeInBox(rosenbrock, [-1.2, 1], { ...options, high: [0.5, 2] }).point, [0.5, 0.25], 1e-4)
  })
})

describe('the sampler gp', () => {
  const space: SearchAxis[] = [
    { name: 'x', kind: 'float', low: -5, high: 5 },
    { name: 'kind', kind: 'choice', choices: 3 },
    { name: 'depth', kind: 'int', low: 1, high: 40 },
  ]
  const loss = (point: Readonly<Record<string, number>>): number =>
    (point['x']! - 1) ** 2 + [3, 0, 1][point['kind']!]! + ((point['depth']! - 17) / 10) ** 2

  it('finds the best of a mixed space, within a constraint', () => {
    for (const limit of [undefined, 0]) {
      const sampler = createPointSampler('gp', space, { directions: ['minimize'], seed: 1 })
      let best = Infinity
      for (let index = 0; index < 40; index++) {
        const { point } = sampler.suggest({ index, pending: [] })!
        const violation = limit === undefined ? -1 : point['x']! - limit
        if (violation <= 0) best = Math.min(best, loss(point))
        sampler.observe({
          index,
          point,
          values: [loss(point)],
          ...(limit !== undefined && { violations: [violation] }),
        })
      }
      expect(best).toBeLessThan(limit === undefined ? 0.02 : 1.1)
    }
  })

  it('spreads trials that run at the same time', () => {
    const plane: SearchAxis[] = ['x', 'y'].map((name) => ({ name, kind: 'float', low: -5, high: 5 }))
    const rough = ({ x, y }: Readonly<Record<string, number>>): number => x! ** 2 + y! ** 2 + 10 * Math.cos(3 * x! * y!)
    const sampler = createPointSampler('gp', plane, { directions: ['minimize'], seed: 2 })
    const pending: Readonly<Record<string, number>>[] = []
    for (let index = 0; index < 20; index++) {
      const { point } = sampler.suggest({ index, pending })!
      if (index < 12) sampler.observe({ index, point, values: [rough(point)] })
      else pending.push(point)
    }
    const distances = pending.flatMap((a, i) =>
      pending.slice(i + 1).map((b) => Math.hypot(a['x']! - b['x']!, a['y']! - b['y']!)),
    )
    expect(Math.min(...distances)).toBeGreaterThan(0.05)
  })
})
