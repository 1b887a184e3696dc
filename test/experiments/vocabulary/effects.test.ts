import { describe, expect, it } from 'vitest'
import { rankVerdict } from '../../../src/experiments/vocabulary/effects.js'

const ten = Array.from({ length: 10 }, (_, i) => i)
const what = { claim: 'test', unit: 'points', seeds: 1 }

describe('a claim about a rank correlation', () => {
  it.each([
    ['falling, held to a fall', ten.map((i) => -i), -0.8, 'reproduced'],
    ['rising, held to a fall', ten, -0.8, 'not reproduced'],
    ['rising, held to a rise', ten, 0.3, 'reproduced'],
    ['falling, held to a rise', ten.map((i) => -i), 0.3, 'not reproduced'],
    ['going up and down, held to a rise', ten.map((i) => (i * 7) % 10), 0.3, 'inconclusive'],
    ['constant', ten.map(() => 1), 0.3, 'inconclusive'],
  ] as const)('%s', (_, y, bound, state) => {
    expect(rankVerdict(ten, y, bound, what).state).toBe(state)
  })

  it('shows the effect and the interval as they are, whichever way the bound lies', () => {
    const { effect, interval } = rankVerdict(ten, ten, 0.3, what)
    expect(effect).toBeCloseTo(1, 12)
    expect(interval![0]).toBeGreaterThan(0.3)
  })
})
