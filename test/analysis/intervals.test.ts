import { describe, expect, it } from 'vitest'
import { coverage, promises, settings } from '../../bench/coverage.js'
import { estimate, holm, pValue, rankStep } from '../../src/analysis/intervals.js'
import { Random } from '../../src/core/seed.js'
import { studentQuantile } from '../../src/analysis/student-t.js'

describe("Student's quantile", () => {
  // scipy.stats.t.ppf
  it.each([
    [0.95, 1, 12.706204736174694],
    [0.95, 2, 4.302652729749462],
    [0.95, 7, 2.3646242515927853],
    [0.95, 99, 1.9842169515864174],
    [0.99, 4, 4.604094871349992],
    [0.99, 999, 2.5807596372676365],
  ])('of %f and %i degrees of freedom is %f, as SciPy has it', (level, freedom, expected) => {
    expect(studentQuantile(level, freedom) / expected).toBeCloseTo(1, 9)
  })
})

describe('a p value', () => {
  it('is below a level where the interval of that level does not hold the bound', () => {
    const random = new Random(4, 'p')
    for (let round = 0; round < 300; round++) {
      const values = Array.from({ length: 3 + random.below(6) }, () => random.normal() + 0.7)
      for (const [scale, own, bound] of [
        ['linear', values, 0],
        ['log', values.map(Math.exp), 1],
        ['rank', values.map((value) => Math.tanh(value)), 0.1],
        ['share', values.map((value) => (value > 0 ? 1 : 0)), 0.4],
      ] as const) {
        const step = scale === 'rank' ? rankStep(8) : 0
        const [low, high] = estimate(own, scale, { step }).interval
        const p = pValue(own, scale, bound, step)
        if (Math.abs(p - 0.05) > 1e-6) expect(p < 0.05).toBe(bound < low || bound > high)
      }
    }
  })

  it('of three numbers is 1 − t / √(t² + 2), as Student’s t of two degrees has it', () => {
    // Mean 3, deviation √7.
    const t = 3 / Math.sqrt(7 / 3)
    expect(pValue([1, 2, 6], 'linear', 0)).toBeCloseTo(1 - t / Math.sqrt(t * t + 2), 9)
  })

  it('is corrected as Holm has it', () => {
    // statsmodels' multipletests([0.01, 0.04, 0.03], method='holm'): 0.03, 0.06, 0.06.
    expect(holm([0.01, 0.04, 0.03], 3)).toEqual([0.03, 0.06, 0.06])
    expect(holm([0.5, 0.9], 5)).toEqual([1, 1])
    expect(holm([], 4)).toEqual([])
  })
})

describe('an interval', () => {
  it('is of the mean on a linear, of the geometric mean on a logarithmic scale', () => {
    const linear = estimate([1, 2, 6], 'linear')
    expect(linear.effect).toBe(3)
    // scipy.stats.t.interval(0.95, 2, loc=3, scale=scipy.stats.sem([1, 2, 6]))
    expect(linear.interval[0]).toBeCloseTo(-3.5724106077, 9)
    expect(linear.interval[1]).toBeCloseTo(9.5724106077, 9)
    const log = estimate([1, 10, 100], 'log')
    expect(log.effect).toBeCloseTo(10, 12)
    expect(log.interval[0] * log.interval[1]).toBeCloseTo(100, 9)
  })

  it('of a share is that of Clopper and Pearson', () => {
    // scipy.stats.beta.ppf
    const [low, high] = estimate([1, 1, 1, 1, 1, 0, 0, 0], 'share').interval
    expect(low).toBeCloseTo(0.24486321636655, 9)
    expect(high).toBeCloseTo(0.91476658586275, 9)
    expect(estimate([1, 1, 1], 'share').interval[0]).toBeCloseTo(0.29240177382129, 9)
    expect(estimate([0, 0, 0], 'share').interval[0]).toBe(0)
  })

  it('of equal ranks has a width, the more the fewer settings were ranked, and ends at 1', () => {
    const [few, many] = [4, 15].map((count) => estimate([1, 1, 1], 'rank', { step: rankStep(count) }))
    expect(few!.effect).toBe(1)
    expect(few!.interval[1]).toBe(1)
    expect(few!.interval[0]).toBeLessThan(many!.interval[0])
    expect(many!.interval[0]).toBeLessThan(1)
  })

  it('has no ends where the scale cannot hold a number, or there is only one', () => {
    expect(estimate([1, 0, 2], 'log').interval).toEqual([NaN, NaN])
    expect(estimate([1, -1, 2], 'log').interval).toEqual([NaN, NaN])
    expect(estimate([1], 'linear').interval).toEqual([NaN, NaN])
  })

  const promised = settings.filter(({ promise }) => promise !== 'none')
  it.each(promised.map((setting) => [setting.scale, setting.noise, setting] as const))(
    'on a %s scale holds the truth as often as promised: %s',
    (_, __, setting) => {
      const { least, most } = promises[setting.promise]
      for (const share of coverage(setting, setting.scale === 'rank' ? 1000 : 4000)) {
        expect(share).toBeGreaterThanOrEqual(least)
        expect(share).toBeLessThanOrEqual(most)
      }
    },
  )
})
