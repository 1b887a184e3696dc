import { describe, expect, it } from 'vitest'
import { lbfgs } from '../../src/analysis/lbfgs.js'
import { norm } from '../../src/analysis/vectors.js'

describe('L-BFGS', () => {
  it('finds the minimum of a quadratic with a condition number of 1000', async () => {
    const scales = Float64Array.from({ length: 20 }, (_, i) => 1000 ** (i / 19))
    const slopeAt = async (x: Float64Array) => ({
      loss: x.reduce((sum, value, i) => sum + (scales[i]! * (value - 1) ** 2) / 2, 0),
      gradient: x.map((value, i) => scales[i]! * (value - 1)),
    })
    const { point, slope } = await lbfgs(slopeAt, new Float64Array(20), { steps: 500, threshold: 1e-9 })
    expect(norm(slope.gradient)).toBeLessThanOrEqual(1e-9)
    for (const value of point) expect(value).toBeCloseTo(1, 8)
  })

  it('follows the curved valley of Rosenbrock’s function to its end, never uphill', async () => {
    const slopeAt = async ([x, y]: Float64Array) => ({
      loss: (1 - x!) ** 2 + 100 * (y! - x! ** 2) ** 2,
      gradient: Float64Array.of(-2 * (1 - x!) - 400 * x! * (y! - x! ** 2), 200 * (y! - x! ** 2)),
    })
    const losses: number[] = []
    const { point } = await lbfgs(slopeAt, [-1.2, 1], {
      steps: 200,
      threshold: 1e-8,
      onStep: async (_, __, slope) => void losses.push(slope.loss),
    })
    expect(point[0]).toBeCloseTo(1, 6)
    expect(point[1]).toBeCloseTo(1, 6)
    expect(losses).toEqual([...losses].sort((a, b) => b - a))
  })

  it('stays where the gradient already vanishes', async () => {
    const flat = async () => ({ loss: 1, gradient: new Float64Array(3) })
    expect((await lbfgs(flat, [1, 2, 3], { steps: 5 })).point).toEqual(Float64Array.of(1, 2, 3))
  })
})
