import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseSearch, samplePoints, samplerNames, samplers } from '../../../src/sweeps/spec/samplers.js'

describe('points of the unit cube', () => {
  it.each(samplerNames)(
    '%s gives the same points for the same seed, others for another, all within the cube',
    (name) => {
      const points = samplers[name](50, 6, 3)
      expect(samplers[name](50, 6, 3)).toEqual(points)
      expect(samplers[name](50, 6, 4)).not.toEqual(points)
      for (const u of points.flat()) expect(u >= 0 && u < 1).toBe(true)
    },
  )

  it('begin as Sobol’s do in Joe and Kuo’s numbering', () => {
    // The first five points of dimensions 1 to 4, as published generators give them.
    expect(samplers.sobol(5, 4, 0)).toEqual([
      [0, 0, 0, 0],
      [0.5, 0.5, 0.5, 0.5],
      [0.75, 0.25, 0.25, 0.25],
      [0.25, 0.75, 0.75, 0.75],
      [0.375, 0.375, 0.625, 0.875],
    ])
  })

  it('fill every dyadic interval of every axis once, in all 20 dimensions', () => {
    for (const size of [16, 256]) {
      const points = samplers.sobol(size, 20, 0)
      for (let k = 0; k < 20; k++)
        expect(new Set(points.map((point) => Math.floor(point[k]! * size))).size, `dimension ${k + 1}`).toBe(size)
    }
  })

  it('are refused by Sobol beyond 20 dimensions', () => {
    expect(() => samplers.sobol(2, 21, 0)).toThrow('sobol: 21 axes (at most 20; use latin-hypercube)')
  })

  it('of a Latin hypercube lie one in each interval of each axis', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 5 }), fc.nat(1000), (n, d, seed) => {
        const points = samplers['latin-hypercube'](n, d, seed)
        for (let k = 0; k < d; k++) expect(new Set(points.map((p) => Math.floor(p[k]! * n))).size).toBe(n)
      }),
    )
  })
})

describe('a search', () => {
  it('stays within its ranges, integers whole, both ends reached', () => {
    const points = samplePoints(
      parseSearch({
        sampler: 'sobol',
        count: 512,
        axes: {
          a: { uniform: [-1, 1] },
          b: { log: [1e-4, 1] },
          c: { int: [2, 5] },
          d: { 'log-int': [1, 64] },
          e: ['x', 'y'],
        },
      }),
    )
    const of = (name: string) => points.map((point) => point[name])
    for (const { a, b } of points as { a: number; b: number }[]) {
      expect(a >= -1 && a <= 1).toBe(true)
      expect(b >= 1e-4 && b <= 1).toBe(true)
    }
    expect([...new Set(of('c'))].sort()).toEqual([2, 3, 4, 5])
    expect(Math.min(...(of('d') as number[]))).toBe(1)
    expect(Math.max(...(of('d') as number[]))).toBe(64)
    expect(new Set(of('e'))).toEqual(new Set(['x', 'y']))
    // Even in the logarithm: half of the points lie below the geometric mean of the ends.
    expect((of('b') as number[]).filter((b) => b < 1e-2).length).toBe(256)
  })

  it.each([
    [{ count: 3 }, /search: axes: missing/],
    [{ count: 0, axes: { a: [1] } }, /count: 0 is not a number of points/],
    [{ sampler: 'sobl', count: 3, axes: { a: [1] } }, /unknown sampler: sobl/],
    [{ count: 3, axes: { a: { log: [0, 1] } } }, /a: \[0,1\] is not a range \(log wants .* both above 0/],
    [{ count: 3, axes: { a: { int: [0.5, 2] } } }, /integers/],
    [{ count: 3, axes: { a: { unifrom: [0, 1] } } }, /unknown range of a: unifrom/],
    [{ count: 3, size: 2, axes: { a: [1] } }, /unknown key of search: size/],
  ])('%j is refused with a sentence', (raw, message) => {
    expect(() => parseSearch(raw)).toThrow(message)
  })
})
