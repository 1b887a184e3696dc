import { describe, expect, it } from 'vitest'
import { approachCriticalPoint } from '../../../src/analysis/critical-point.js'
import { norm } from '../../../src/analysis/vectors.js'
import { minRatio, minRatioNet } from '../../../src/experiments/built-in/min-ratio.js'
import { makePlan } from '../../../src/sweeps/plan.js'
import { sharpnessNet } from '../../../src/experiments/built-in/sharpness.js'

describe('min-ratio and sharpness', () => {
  it('have nets of exactly the published sizes: 411, 97 and 31,228 parameters', () => {
    expect(minRatioNet({ net: 'original', activation: 'leaky' }).parameterCount).toBe(411)
    expect(minRatioNet({ net: 'small', activation: 'tanh' }).parameterCount).toBe(97)
    expect(sharpnessNet({ dropout: true }).parameterCount).toBe(31_228)
  })

  it('walk to a saddle as readily as to a minimum: the gradient vanishes at both', async () => {
    // x⁴/4 − x²/2 + y²: a saddle at 0, minima at ±1.
    const slopeAt = async ([x, y]: Float64Array) => ({
      loss: x! ** 4 / 4 - x! ** 2 / 2 + y! ** 2,
      gradient: Float64Array.of(x! ** 3 - x!, 2 * y!),
    })
    const hessianAt = async ([x]: Float64Array) => Float64Array.of(3 * x! ** 2 - 1, 0, 0, 2)
    for (const [start, expected] of [
      [0.2, 0],
      [0.9, 1],
    ] as const) {
      const { point, slope } = await approachCriticalPoint(slopeAt, hessianAt, [start, 0.5], {
        steps: 100,
        threshold: 1e-10,
      })
      expect(norm(slope.gradient)).toBeLessThan(1e-10)
      expect(point[0]).toBeCloseTo(expected, 8)
    }
  })

  it('plan their settings of several axes together, and take out of them what a person sets', () => {
    const nets = (axes: Record<string, (string | number)[]>) =>
      makePlan(minRatio, { experiment: 'min-ratio', profile: 'reduced', axes, seeds: [0] }, () => 'data')
        .trials.filter(({ stage }) => stage === 'main')
        .map(({ params }) => [params['net'], params['finder'], params['epochs']])
    expect(nets({})).toEqual([
      ...[30, 100, 300, 1000, 3000].map((epochs) => ['small', 'gauss-newton', epochs]),
      ['original', 'gradient-norm', 600],
      ['original', 'gradient-norm', 600],
    ])
    expect(nets({ epochs: [50] })).toEqual([
      ['small', 'gauss-newton', 50],
      ['original', 'gradient-norm', 50],
      ['original', 'gradient-norm', 50],
    ])
  })

  it('weigh no claim without enough nets', () => {
    for (const claim of minRatio.claims) expect(claim.check([]).state).toBe('inconclusive')
  })
})
