import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/core/seed.js'
import { Evolution, warmStart } from '../../../src/search/cma/evolution.js'
import { createPointSampler } from '../../../src/search/samplers.js'
import type { SearchAxis } from '../../../src/search/space.js'
import { reference } from '../reference.js'

interface State {
  readonly points: number[][]
  readonly mean: number[]
  readonly sigma: number
  readonly covariance: number[]
}
const { cases, warm } = reference<{ cases: { dimensions: number; generations: State[] }[]; warm: State }>('cma')
const rowsOf = (points: number[][]) => points.map((point) => Float64Array.from(point))
const expectClose = (found: ArrayLike<number>, expected: readonly number[], tolerance: number): void =>
  expected.forEach((value, i) =>
    expect(Math.abs(found[i]! - value)).toBeLessThan(tolerance * Math.max(1, Math.abs(value))),
  )
const identity = (d: number) => Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? 1 : 0))

describe('the evolution of CMA-ES', () => {
  it.each(cases.map((one) => [one.dimensions, one.generations] as const))(
    'in %i dimensions goes the steps of cmaes',
    (d, generations) => {
      const evolution = new Evolution({ mean: new Float64Array(d).fill(0.5), sigma: 1 / 6, covariance: identity(d) })
      for (const { points, mean, sigma, covariance } of generations) {
        expect(points).toHaveLength(evolution.populationSize)
        evolution.update(rowsOf(points))
        expectClose(
          [...evolution.mean, evolution.sigma, ...evolution.covariance],
          [...mean, sigma, ...covariance],
          1e-6,
        )
      }
    },
  )

  it('starts warm as cmaes does', () => {
    const { mean, sigma, covariance } = warmStart(rowsOf(warm.points))
    expectClose([...mean, sigma, ...covariance], [...warm.mean, warm.sigma, ...warm.covariance], 1e-9)
  })

  it('draws from its distribution, and lets nothing from elsewhere move it far', () => {
    const evolution = new Evolution({
      mean: Float64Array.of(0.2, 0.7),
      sigma: 0.5,
      covariance: Float64Array.of(2, 0.6, 0.6, 1),
    })
    const random = new Random(1)
    const draws = Array.from({ length: 20_000 }, () =>
      evolution.pointOf(Float64Array.of(random.normal(), random.normal())),
    )
    const covariance = draws.reduce((sum, point) => sum + (point[0]! - 0.2) * (point[1]! - 0.7), 0) / draws.length
    expect(covariance / 0.15).toBeCloseTo(1, 1)
    expect([...evolution.injected(Float64Array.of(0.3, 0.8))]).toEqual([0.3, 0.8])
    const far = evolution.injected(Float64Array.of(100, 0.7))
    expect(far[1]).toBeCloseTo(0.7, 12)
    expect(far[0]! - 0.2).toBeLessThan(0.5 * Math.SQRT2 * (Math.SQRT2 + 1))
  })
})

describe('the sampler cma-es', () => {
  const run = (
    space: readonly SearchAxis[],
    loss: (x: readonly number[]) => number,
    count: number,
    lag = 1,
  ): number => {
    const sampler = createPointSampler('cma-es', space, { directions: ['maximize'], seed: 1 })
    const points: Readonly<Record<string, number>>[] = []
    let best = Infinity
    for (let index = 0; index < count; index++) {
      if (index >= lag) {
        const value = loss(Object.values(points[index - lag]!))
        best = Math.min(best, value)
        sampler.observe({ index: index - lag, point: points[index - lag]!, values: [-value] })
      }
      points.push(sampler.suggest({ index, pending: points.slice(Math.max(0, index - lag + 1)) })!.point)
    }
    return best
  }
  const floats: SearchAxis[] = Array.from({ length: 5 }, (_, k) => ({ name: `x${k}`, kind: 'float', low: -5, high: 5 }))

  it.each([1, 8])('comes near the least value of an ellipsoid, with %i trials at a time', (lag) => {
    const ellipsoid = (x: readonly number[]): number => x.reduce((sum, value, k) => sum + 10 ** k * (value - 1) ** 2, 0)
    expect(run(floats, ellipsoid, 1200, lag)).toBeLessThan(1e-3)
  })

  it('does not get stuck on integers', () => {
    const ints: SearchAxis[] = Array.from({ length: 5 }, (_, k) => ({ name: `x${k}`, kind: 'int', low: -10, high: 10 }))
    expect(
      run([...floats.slice(0, 1), ...ints.slice(1)], (x) => x.reduce((sum, value) => sum + (value - 3) ** 2, 0), 400),
    ).toBeLessThan(1e-2)
  })
})
