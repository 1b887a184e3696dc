import { describe, expect, it } from 'vitest'
import {
  bootstrapInterval,
  mean,
  median,
  pearson,
  quantile,
  ranks,
  spearman,
  spearmanInterval,
  standardDeviation,
} from '../../src/analysis/statistics.js'
import { Random } from '../../src/core/seed.js'

describe('statistics', () => {
  it('agree with values worked by hand', () => {
    expect(mean([1, 2, 6])).toBe(3)
    expect(standardDeviation([2, 4, 4, 4, 5, 5, 7, 9])).toBeCloseTo(Math.sqrt(32 / 7), 12)
    expect(standardDeviation([3])).toBe(0)
    expect(median([3, 1, 2])).toBe(2)
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75)
    expect([...ranks([10, 20, 20, 5])]).toEqual([2, 3.5, 3.5, 1])
  })

  it('find perfect monotone relations, ties, and nothing in a constant', () => {
    expect(spearman([1, 2, 3, 4], [1, 8, 27, 64])).toBe(1)
    expect(spearman([1, 2, 3, 4], [4, 3, 2, 1])).toBe(-1)
    expect(pearson([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12)
    expect(spearman([1, 2, 3], [5, 5, 5])).toBeNaN()
    // scipy.stats.spearmanr([1,2,3,4,5],[5,6,7,8,7]) = 0.8207826816681233
    expect(spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])).toBeCloseTo(0.8207826816681233, 12)
  })

  it('cover the true mean in about 95 of 100 samples', () => {
    const random = new Random(1)
    let covered = 0
    for (let repeat = 0; repeat < 200; repeat++) {
      const values = Float64Array.from({ length: 40 }, () => random.normal() + 3)
      const [low, high] = bootstrapInterval(40, (indexes) => mean(Array.from(indexes, (i) => values[i]!)), random, {
        samples: 400,
      })
      if (low <= 3 && 3 <= high) covered++
    }
    expect(covered / 200).toBeGreaterThan(0.88)
    expect(covered / 200).toBeLessThanOrEqual(1)
  })

  it('give an interval around rho that narrows with more points', () => {
    const random = new Random(2)
    const noisy = (n: number) => {
      const x = Array.from({ length: n }, (_, i) => i)
      return spearmanInterval(
        x,
        x.map((v) => v + n * 0.5 * random.normal()),
        new Random(3),
      )
    }
    const [few, many] = [noisy(15), noisy(300)]
    expect(few.interval[0]).toBeLessThanOrEqual(few.rho)
    expect(few.interval[1]).toBeGreaterThanOrEqual(few.rho)
    expect(many.interval[1] - many.interval[0]).toBeLessThan(few.interval[1] - few.interval[0])
  })
})

describe("the interval of Spearman's correlation", () => {
  it('widens when points that go together are drawn together', () => {
    const random = new Random(5, 'clusters')
    // Four seeds, each with ten almost equal points: four observations, not forty.
    const clusters = Array.from({ length: 40 }, (_, i) => i % 4)
    const x = clusters.map((cluster) => cluster + 0.01 * random.uniform())
    const y = clusters.map((cluster) => [0.3, 0.1, 0.9, 0.6][cluster]! + 0.01 * random.uniform())
    const width = ({ interval: [low, high] }: { interval: [number, number] }): number => high - low
    const apart = spearmanInterval(x, y, new Random(1))
    const together = spearmanInterval(x, y, new Random(1), clusters)
    expect(together.rho).toBe(apart.rho)
    expect(width(together)).toBeGreaterThan(1.5 * width(apart))
  })
})
