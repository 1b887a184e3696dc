import { describe, expect, it, onTestFinished } from 'vitest'
import {
  alphaGrid,
  interpolate,
  pairs,
  pathCoefficients,
  widthAround,
} from '../../../src/experiments/built-in/interpolate.js'
import { twoLayerNet } from '../../../src/experiments/vocabulary/nets.js'
import { CompiledEngine } from '../../../src/engines/compiled/compiled.js'
import { defineNet, initialize } from '../../../src/net/net.js'
import { Random } from '../../../src/core/seed.js'
import { makePlan } from '../../../src/sweeps/plan.js'

const plan = (axes: Record<string, (string | number)[]>) =>
  makePlan(interpolate, { experiment: 'interpolate', profile: 'full', axes, seeds: [0, 1] }, () => 'data').trials

describe('the interpolation experiment', () => {
  it('has the original net of 269,322 parameters', () => {
    expect(twoLayerNet(1).parameterCount).toBe(269_322)
  })

  it.each([
    { alphaFrom: -1, alphaTo: 2, alphaStep: 0.05, count: 61 },
    { alphaFrom: -1, alphaTo: 1.95, alphaStep: 0.05, count: 60 },
    { alphaFrom: -0.7, alphaTo: 1.3, alphaStep: 0.3, count: 9 },
  ])('walks a grid that holds exactly 0 and 1: %o', ({ count, ...grid }) => {
    const alphas = alphaGrid(grid)
    expect(alphas).toHaveLength(count)
    expect(alphas).toContain(0)
    expect(alphas).toContain(1)
    expect(alphas).toEqual([...alphas].sort((a, b) => a - b))
  })

  it.each(['linear', 'curved'] as const)('has the nets themselves at the ends of the %s path', (path) => {
    expect(pathCoefficients(path, 0)).toEqual([0, 1])
    expect(pathCoefficients(path, 1)).toEqual([1, 0])
  })

  it('mirrors the line when its nets change places', () => {
    for (const alpha of alphaGrid({ alphaFrom: -1, alphaTo: 2, alphaStep: 0.05 })) {
      const [a, b] = pathCoefficients('linear', alpha)
      const mirrored = pathCoefficients('linear', Number((1 - alpha).toFixed(9)))
      expect(mirrored[1]).toBeCloseTo(a, 12)
      expect(mirrored[0]).toBeCloseTo(b, 12)
    }
  })

  describe('between nets', () => {
    const convex = defineNet([3], [{ kind: 'dense', units: 3 }])
    const random = new Random(3, 'rows')
    const rows = {
      features: Float32Array.from({ length: 3 * 80 }, () => random.normal()),
      targets: Int32Array.from({ length: 80 }, (_, i) => i % 3),
    }
    const alphas = alphaGrid({ alphaFrom: -1, alphaTo: 2, alphaStep: 0.1 })
    async function curve(a: Float32Array, b: Float32Array): Promise<number[]> {
      const engine = new CompiledEngine()
      onTestFinished(() => engine.dispose())
      const coefficients = alphas.map((alpha) => pathCoefficients('linear', alpha))
      const options = { net: convex, loss: 'softmax-cross-entropy' as const, rows }
      return (await engine.evaluateCombinations(options, [a, b], coefficients)).map(({ loss }) => loss)
    }

    it('that are one and the same, the loss is the same everywhere', async () => {
      const theta = initialize(convex, 1)
      const losses = await curve(theta, theta)
      for (const loss of losses) expect(Math.abs(loss / losses[0]! - 1)).toBeLessThan(1e-6)
    })

    it('of a convex model, the loss is nowhere above the chord', async () => {
      const [a, b] = [initialize(convex, 1), initialize(convex, 2)]
      const losses = await curve(a, b)
      const [atA, atB] = [losses[alphas.indexOf(1)]!, losses[alphas.indexOf(0)]!]
      alphas.forEach((alpha, i) => {
        if (alpha >= 0 && alpha <= 1) expect(losses[i]).toBeLessThanOrEqual(alpha * atA + (1 - alpha) * atB + 1e-7)
        else expect(losses[i]).toBeGreaterThanOrEqual(alpha * atA + (1 - alpha) * atB - 1e-7)
      })
      // And mirrored when they change places.
      const mirrored = await curve(b, a)
      losses.forEach((loss, i) => expect(mirrored[alphas.length - 1 - i]).toBeCloseTo(loss, 5))
    })
  })

  it('pairs nets of one seed that differ in one respect, the small batch first', () => {
    const trials = plan({ batch: [1000, 100], init: ['independent', 'shared'] }).filter(({ stage }) => stage === 'main')
    const found = pairs(trials)
    expect(found).toHaveLength(4)
    for (const [a, b] of found) {
      expect([a!.params['batch'], b!.params['batch']]).toEqual([100, 1000])
      expect(a!.params['init']).toBe(b!.params['init'])
      expect(a!.seeds).toEqual(b!.seeds)
    }
  })

  it('pairs no nets whose budgets differ', () => {
    const trials = plan({ batch: [1000, 100], budget: ['epochs', 'updates'] }).filter(({ stage }) => stage === 'main')
    const found = pairs(trials)
    expect(found).toHaveLength(4)
    for (const [a, b] of found) expect(a!.params['budget']).toBe(b!.params['budget'])
  })

  it('derives another grid from the very same nets', () => {
    const nets = (trials: ReturnType<typeof plan>) => trials.filter((t) => t.stage === 'main').map((t) => t.id)
    const [coarse, fine] = [
      plan({ batch: [100, 1000], alphaStep: [0.5] }),
      plan({ batch: [100, 1000], alphaStep: [0.01] }),
    ]
    expect(nets(fine)).toEqual(nets(coarse))
    expect(fine.filter((t) => t.stage === 'interpolate')).toHaveLength(2)
    expect(fine.at(-1)!.id).not.toBe(coarse.at(-1)!.id)
  })

  it('measures a valley by where the loss leaves twice its end and a tenth', () => {
    const alphas = [-1, -0.5, 0, 0.5, 1]
    expect(widthAround(alphas, [9, 0.15, 0.1, 0.25, 9], 2)).toBe(1)
    expect(widthAround(alphas, [9, 9, 0.1, 9, 0.1], 2)).toBe(0)
    expect(widthAround(alphas, [1, 1, 1, 1, 1], 2)).toBe(2)
  })
})
