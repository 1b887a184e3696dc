import { describe, expect, it } from 'vitest'
import { hypervolumeSubset } from '../../../src/analysis/pareto.js'
import { Random } from '../../../src/core/seed.js'
import { createPointSampler } from '../../../src/search/samplers.js'
import type { SearchAxis } from '../../../src/search/space.js'
import { ParzenEstimator } from '../../../src/search/tpe/parzen.js'
import { Rows } from '../../../src/search/tpe/rows.js'
import { Split, timeWeights } from '../../../src/search/tpe/split.js'
import { resultOf } from '../../../src/search/results.js'
import { reference } from '../reference.js'

interface Case {
  readonly axes: SearchAxis[]
  /** Of each axis, one of each observation. */
  readonly values: number[][]
  readonly points: number[][]
  readonly logDensities: number[]
}
const cases = reference<Case[]>('parzen')

function estimatorOf({ axes, values }: Pick<Case, 'axes' | 'values'>): ParzenEstimator {
  const rows = new Rows(axes)
  const count = values[0]!.length
  for (let i = 0; i < count; i++) rows.add(i, Object.fromEntries(axes.map(({ name }, a) => [name, values[a]![i]!])))
  return new ParzenEstimator(rows.kernelAxes, rows.select(() => true).columns, timeWeights(count))
}

describe('the Parzen estimator', () => {
  it.each(cases.map((one) => [one.axes.map(({ name }) => name).join(), one.values[0]!.length, one] as const))(
    'over %s of %i observations has the densities of Optuna 5',
    (_axes, _count, one) => {
      const estimator = estimatorOf(one)
      one.points.forEach((point, i) =>
        expect(Math.abs(estimator.logDensity(point) / one.logDensities[i]! - 1)).toBeLessThan(1e-9),
      )
    },
  )

  it.each(
    cases
      .filter(({ axes, values }) => axes.length === 1 && [0, 3, 60].includes(values[0]!.length))
      .map((one) => [one.axes[0]!.name, one] as const),
  )('draws from the density that it states: %s', (_name, one) => {
    const estimator = estimatorOf(one)
    const axis = one.axes[0]!
    const random = new Random(1, 'draws')
    const draws = Array.from({ length: 20_000 }, () => estimator.sample(random)[0]!)
    if (axis.kind === 'choice' || axis.step !== undefined || axis.kind === 'int') {
      const seen = new Map<number, number>()
      for (const value of draws) seen.set(value, (seen.get(value) ?? 0) + 1)
      for (const [value, count] of seen) {
        const share = Math.exp(estimator.logDensity([value]))
        expect(Math.abs(count / draws.length - share)).toBeLessThan(5 * Math.sqrt(share / draws.length) + 1e-3)
      }
    } else {
      // The mean of 1/density over draws is the length of the axis, in its own unit or its logarithm.
      const length = axis.log === true ? Math.log(axis.high / axis.low) : axis.high - axis.low
      const inverse = draws.map((value) => Math.exp(-estimator.logDensity([value])))
      expect(inverse.reduce((sum, value) => sum + value, 0) / draws.length / length).toBeCloseTo(1, 1)
    }
  })
})

describe('the split of TPE', () => {
  const good = (objectives: number, observations: Parameters<typeof resultOf>[0][]): number[] => {
    const split = new Split(objectives)
    const directions = new Array<'minimize'>(objectives).fill('minimize')
    for (const observation of observations) split.add(resultOf(observation, directions))
    return [...split.good()].sort((a, b) => a - b)
  }
  const observed = (index: number, values?: number[], rest: object = {}) => ({
    index,
    point: {},
    ...(values && { values }),
    ...rest,
  })

  it('takes a tenth, at most 25, the best first', () => {
    expect(
      good(
        1,
        Array.from({ length: 11 }, (_, i) => observed(i, [-i])),
      ),
    ).toEqual([9, 10])
    expect(
      good(
        1,
        Array.from({ length: 400 }, (_, i) => observed(i, [i])),
      ),
    ).toHaveLength(25)
  })

  it('fills up with stopped trials, the farthest first, then with those that violate a constraint least', () => {
    const few = [
      observed(0, [9]),
      observed(1, [1], { violations: [2] }),
      observed(2, [5], { stoppedAtStep: 3 }),
      observed(3, [7], { stoppedAtStep: 4 }),
      observed(4, [0], { violations: [-1, 1] }),
      observed(5),
    ]
    const failed = Array.from({ length: 30 }, (_, i) => observed(6 + i, [NaN]))
    const infeasible = Array.from({ length: 26 }, (_, i) => observed(36 + i, [3], { violations: [5 + i] }))
    // 31 with values: 4 good ones.
    expect(good(1, [...few, ...failed, ...infeasible])).toEqual([0, 2, 3, 4])
  })

  it('of several objectives takes whole fronts, and of the last the largest hypervolume', () => {
    const line = Array.from({ length: 20 }, (_, i) => observed(i, [i, 19 - i]))
    const behind = Array.from({ length: 10 }, (_, i) => observed(20 + i, [30 + i, 30 - i]))
    const best = hypervolumeSubset(
      line.map(({ values }) => values!),
      [20.9, 20.9],
      3,
    )
    expect(good(2, [...line, ...behind])).toEqual(best)
  })
})

describe('the TPE sampler', () => {
  const space: SearchAxis[] = [
    { name: 'x', kind: 'float', low: -5, high: 5 },
    { name: 'rate', kind: 'float', low: 1e-5, high: 1, log: true },
    { name: 'kind', kind: 'choice', choices: 3 },
    { name: 'depth', kind: 'int', low: 1, high: 8, when: { axis: 'kind', among: [1, 2] } },
  ]
  const loss = (point: Readonly<Record<string, number>>): number =>
    (point['x']! - 1) ** 2 +
    Math.log10(point['rate']! / 1e-3) ** 2 +
    [3, 0, 1][point['kind']!]! +
    Math.abs((point['depth'] ?? 5) - 5)
  const bestOf = (name: 'tpe' | 'random', seed: number): number => {
    const sampler = createPointSampler(name, space, { directions: ['minimize'], seed })
    let best = Infinity
    for (let index = 0; index < 80; index++) {
      const { point } = sampler.suggest({ index, pending: [] })!
      best = Math.min(best, loss(point))
      sampler.observe({ index, point, values: [loss(point)] })
    }
    return best
  }

  it('finds what random points do not', () => {
    const seeds = Array.from({ length: 10 }, (_, seed) => seed)
    const wins = seeds.filter((seed) => bestOf('tpe', seed) < bestOf('random', seed))
    expect(wins.length).toBeGreaterThanOrEqual(9)
  })

  it('keeps away from where trials are pending', () => {
    const line: SearchAxis[] = [{ name: 'x', kind: 'float', low: 0, high: 1 }]
    const suggestion = (pending: number[]): number => {
      const sampler = createPointSampler('tpe', line, { directions: ['minimize'], seed: 3 })
      for (let index = 0; index < 20; index++) {
        const x = index / 20
        sampler.observe({
          index,
          point: { x },
          values: [Math.abs(x - 0.25) < 0.06 || Math.abs(x - 0.75) < 0.06 ? 0 : 1],
        })
      }
      return sampler.suggest({ index: 20, pending: pending.map((x) => ({ x })) })!.point['x']!
    }
    const first = suggestion([])
    expect(Math.abs(suggestion([0, 0.005, 0.01, 0.015].map((d) => first + d)) - first)).toBeGreaterThan(0.02)
  })
})
