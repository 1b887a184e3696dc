import { describe, expect, it } from 'vitest'
import { mean, median, pearson, quantile, ranks, spearman, standardDeviation } from '../../src/analysis/statistics.js'

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
})
