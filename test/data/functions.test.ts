import { describe, expect, it } from 'vitest'
import { mean } from '../../src/analysis/statistics.js'
import { gridOf, sampleFunction, targetFunctionNames, targetFunctions } from '../../src/data/functions.js'

const variance = (values: Float32Array): number => mean(values.map((v) => v * v)) - mean(values) ** 2

describe('the target functions', () => {
  it('have the variance that a constant predictor is left with: f1 0.250, f2 0.133', () => {
    expect(variance(gridOf('f1', 100_001).targets)).toBeCloseTo(0.25, 3)
    expect(variance(gridOf('f2', 100_001).targets)).toBeGreaterThan(0.12)
    expect(variance(gridOf('f2', 100_001).targets)).toBeLessThan(0.3)
  })

  it('agree with values worked by hand', () => {
    expect(targetFunctions.sinc(0)).toBe(1)
    expect(targetFunctions.sinc(0.3)).toBeCloseTo(-1 / (1.5 * Math.PI), 12)
    // f1 in u = 2x − 1 is ½[sin 3πu + sin 4πu].
    for (const x of [0.1, 0.37, 0.9]) {
      const u = 2 * x - 1
      expect(targetFunctions.f1(x)).toBeCloseTo((Math.sin(3 * Math.PI * u) + Math.sin(4 * Math.PI * u)) / 2, 12)
    }
    expect(targetFunctions['f2-tenth'](0.5)).toBeCloseTo(targetFunctions.f2(0.5) / 10, 12)
    expect(targetFunctions.square(0.3)).toBe(-1)
  })

  it.each(targetFunctionNames)('%s is sampled alike for a seed, apart for another part', (name) => {
    const train = sampleFunction(name, 500, 1, 'train')
    expect(sampleFunction(name, 500, 1, 'train')).toEqual(train)
    expect(sampleFunction(name, 500, 1, 'test').features).not.toEqual(train.features)
    expect(train.features.every((x) => x >= 0 && x < 1)).toBe(true)
    expect(train.targets.every(Number.isFinite)).toBe(true)
    expect(mean(train.features)).toBeCloseTo(0.5, 1)
  })
})
