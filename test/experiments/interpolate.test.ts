import { describe, expect, it } from 'vitest'
import {
  alphaGrid,
  interpolate,
  pairs,
  pathCoefficients,
  twoLayerNet,
  widthAround,
} from '../../src/experiments/interpolate.js'
import { makePlan } from '../../src/sweeps/plan.js'

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
