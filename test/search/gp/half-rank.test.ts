import { describe, expect, it } from 'vitest'
import { halfRanked } from '../../../src/search/gp/half-rank.js'

describe('values whose worse half is ranked', () => {
  it('keep their better half, and have normal quantiles below the median', () => {
    // scipy.stats.norm.ppf at .5 · .5 / 2.5 and .5 · 1.5 / 2.5, times the root mean square of 0, 1 and 2.
    const deviation = Math.sqrt(5 / 3)
    const [lowest, second] = [3 - 1.2815515655446004 * deviation, 3 - 0.5244005127080409 * deviation]
    const warped = halfRanked([5, 1, 3, 4, 2])
    const expected = [5, lowest, 3, 4, second]
    warped.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 12))
  })

  it('have their order, and equal ones stay equal', () => {
    const values = [0.3, -7, 0.3, -7, -1e9, 2, 0.1, -8, 5, 0.29]
    const warped = halfRanked(values)
    values.forEach((a, i) =>
      values.forEach((b, j) => expect(Math.sign(warped[i]! - warped[j]!)).toBe(Math.sign(a - b))),
    )
  })

  it('say no more by how much the worst are worse', () => {
    const of = (worst: number): number[] => halfRanked([1, 2, 3, 4, 5, -1, worst])
    expect(of(-1e12)).toEqual(of(-2))
  })

  it.each([
    ['one', [4]],
    ['equal ones', [2, 2, 2]],
    ['the ends of doubles', [-1.7e308, 1.7e308, 1, -1.7e308]],
    ['none', []],
  ])('are as they were: %s', (_, values) => {
    expect(halfRanked(values)).toEqual(values)
  })

  it('spread the worse half by all of them where the better half is equal', () => {
    const warped = halfRanked([1, 1, 1, 0, -5])
    expect(warped.slice(0, 3)).toEqual([1, 1, 1])
    expect(warped[4]).toBeLessThan(warped[3]!)
    expect(warped[3]).toBeLessThan(1)
  })
})
