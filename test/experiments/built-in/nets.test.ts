import { describe, expect, it } from 'vitest'
import { cnnNet } from '../../../src/experiments/built-in/cnn.js'
import { functionNet } from '../../../src/experiments/vocabulary/nets.js'
import { evenWidths } from '../../../src/experiments/built-in/sim-func.js'
import { parameterCount, paramsNet } from '../../../src/experiments/built-in/params.js'
import { multiplyAdds } from '../../../src/net/net.js'

describe('the nets of the experiments', () => {
  it.each([
    ['c1', 5330],
    ['c2', 5331],
    ['c3', 5329],
    ['c4', 5288],
  ] as const)('%s has the %d parameters of the original', (structure, count) => {
    expect(cnnNet([28, 28, 1], structure, 'linear').parameterCount).toBe(count)
  })

  it.each([571, 1252, 10_350])('even widths come within 1 %% of a budget of %d at every depth', (budget) => {
    for (let depth = 1; depth <= 14; depth++) {
      const widths = evenWidths(depth, budget)
      expect(widths).toHaveLength(depth)
      expect(Math.max(...widths) - Math.min(...widths)).toBeLessThanOrEqual(1)
      const { parameterCount: count } = functionNet(widths, 'tanh')
      expect(Math.abs(count - budget) / budget, `depth ${depth}: ${count}`).toBeLessThanOrEqual(0.01)
    }
  })

  it.each([2, 64, 843])('params with %d units has P(u) parameters', (width) => {
    expect(paramsNet([28, 28, 1], { width, depth: 3, bottleneck: 10 }).parameterCount).toBe(parameterCount(width))
  })

  it('counts the multiply-adds of a convolution at each of its places, of a dense layer once', () => {
    // 17 filters of 12×12 at 17×17 places, then 272 × 10 and 10 × 10.
    const net = cnnNet([28, 28, 1], 'c4', 'linear')
    expect(multiplyAdds(net)).toBe(17 * 17 * 17 * 144 + 272 * 10 + 10 * 10)
  })
})
