import { describe, expect, it } from 'vitest'
import { chanceOfPoints, weighPoints } from '../../src/analysis/compared.js'
import { pValue } from '../../src/analysis/intervals.js'
import { weighPairs, type Comparison } from '../../src/analysis/standings.js'
import { Random } from '../../src/core/seed.js'

const compared = (differences: readonly number[]): Comparison => ({
  point: {},
  first: differences.map(() => 0),
  second: differences,
  unpaired: 0,
  notFinite: 0,
  difference: differences.reduce((sum, one) => sum + one, 0) / differences.length,
  pairs: differences.length,
  ...weighPairs(differences),
})

describe('points of two sweeps', () => {
  it('are higher or lower where the whole interval is, with the p value of a claim', () => {
    const up = [0.9, 1, 1.1, 1.2]
    const [higher] = weighPoints([compared(up)])
    expect(higher).toMatchObject({ alone: 'higher', verdict: 'higher' })
    expect(higher!.p).toBeCloseTo(pValue(up, 'linear', 0), 12)
    expect(weighPoints([compared(up.map((one) => -one))])[0]).toMatchObject({ alone: 'lower', verdict: 'lower' })
    expect(weighPoints([compared([-1, 0.5, 1])])[0]).toMatchObject({ alone: 'inconclusive', verdict: 'inconclusive' })
  })

  it('say nothing with fewer than three pairs, and where all pairs differ alike', () => {
    expect(weighPoints([compared([5, 6]), compared([1, 1, 1]), compared([0, 0, 0])])).toEqual(
      [0, 1, 2].map(() => ({ alone: 'inconclusive', verdict: 'inconclusive' })),
    )
  })

  it('are decided among many only by what chance would hardly do to any', () => {
    const weak = compared([1, 2, 0.4, 1.3])
    expect(weighPoints([weak])[0]).toMatchObject({ verdict: 'higher' })
    const noise = Array.from({ length: 9 }, () => compared([-1, 0.5, 1]))
    const among = weighPoints([weak, ...noise])
    expect(among[0]).toMatchObject({ alone: 'higher', verdict: 'inconclusive' })
    expect(chanceOfPoints(among)).toMatch(/these 10 points .* 0\.5 of them .* leaves open 1 /)
    expect(chanceOfPoints(among.slice(0, 1))).toBe('')
  })

  it('without any difference are decided, any of ten, in at most 5 of 100 pairs of sweeps', () => {
    const random = new Random(7, 'compared')
    const rounds = 2_000
    let wrong = 0
    for (let i = 0; i < rounds; i++) {
      const points = Array.from({ length: 10 }, () => compared(Array.from({ length: 5 }, () => random.normal())))
      if (weighPoints(points).some(({ verdict }) => verdict !== 'inconclusive')) wrong++
    }
    expect(wrong / rounds).toBeLessThan(0.05 + 2 * Math.sqrt((0.05 * 0.95) / rounds))
  })
})
