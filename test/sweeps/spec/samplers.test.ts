import fc from 'fast-check'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cautionAbout } from '../../../src/app/planning/caution.js'
import { planTarget } from '../../../src/app/planning/plan.js'
import { readStore } from '../../../src/system/store.js'
import { temporaryFolder } from '../../helpers/cli.js'
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
    [{ count: 3, axes: { a: { uniform: [0, 1], step: 2 } } }, /a: step: 2 \(a number above 0, at most 1/],
    [{ count: 3, axes: { a: { int: [0, 10], step: 0.5 } } }, /a: step: 0.5 \(an integer/],
    [{ count: 3, axes: { a: { uniform: [0, 1e300], step: 1e-300 } } }, /a: step: 1e-300/],
    [{ count: 3, axes: { a: { normal: [0, 0] } } }, /a: \[0,0\] is not a range \(normal wants \[mean, deviation\]/],
    [{ count: 3, axes: { a: { 'log-normal': [0, 200] } } }, /all within e\^±700/],
    [{ count: 3, axes: { a: { 'log-normal': [90, 80], step: 1e-300 } } }, /step: 1e-300/],
    [{ count: 3, axes: { a: { uniform: [-1e308, 1e308] } } }, /is not a range/],
    [{ count: 3, axes: { a: { choice: [1, 2], weights: [1] } } }, /weights: \[1\] \(a list of 2 numbers/],
    [{ count: 3, axes: { a: { choice: [1, 2], weights: [0, 0] } } }, /one above it/],
    [{ count: 3, axes: { a: { choice: [1, 2], step: 1 } } }, /a list of values has none/],
    [{ count: 3, axes: { a: { int: [1, 2], weights: [1, 2] } } }, /weights stand beside choice/],
    [{ count: 3, axes: { a: { step: 2 } } }, /is not a range \(one of/],
  ])('%j is refused with a sentence', (raw, message) => {
    expect(() => parseSearch(raw)).toThrow(message)
  })

  const drawn = (axis: unknown, sampler = 'sobol', count = 1024) =>
    samplePoints(parseSearch({ sampler, count, axes: { a: axis, u: { uniform: [0, 1] } } })).map(({ a }) => a as number)

  it('with a step has its multiples alone, equally often', () => {
    const count = (axis: unknown) =>
      Object.fromEntries(
        [...new Set(drawn(axis))].sort((a, b) => a - b).map((v) => [v, drawn(axis).filter((a) => a === v).length]),
      )
    expect(count({ uniform: [0.1, 0.4], step: 0.1 })).toEqual({ 0.1: 256, 0.2: 256, 0.3: 256, 0.4: 256 })
    expect(Object.keys(count({ int: [8, 64], step: 8 })).map(Number)).toEqual([8, 16, 24, 32, 40, 48, 56, 64])
    expect([...new Set(drawn({ log: [0.5, 2], step: 0.5 }))].sort()).toEqual([0.5, 1, 1.5, 2])
  })

  it('of a normal law has its mean and deviation, also on a scale of its own', () => {
    const spread = (values: number[]) => {
      const mean = values.reduce((a, b) => a + b, 0) / values.length
      return [mean, Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length)]
    }
    const [mean, deviation] = spread(drawn({ normal: [1e6, 0.01] })) as [number, number]
    expect(mean).toBeCloseTo(1e6, 3)
    expect(deviation).toBeCloseTo(0.01, 3)
    const [logMean, logDeviation] = spread(drawn({ 'log-normal': [-3, 0.5] }).map(Math.log)) as [number, number]
    expect(logMean).toBeCloseTo(-3, 2)
    expect(logDeviation).toBeCloseTo(0.5, 2)
    for (const value of drawn({ normal: [0, 1], step: 0.1 })) expect(value).toBe(Math.round(value * 10) / 10)
  })

  it('of weighted values has each as often as its weight says', () => {
    const values = drawn({ choice: [1, 2, 3], weights: [3, 0, 1] })
    expect([1, 2, 3].map((v) => values.filter((one) => one === v).length)).toEqual([768, 0, 256])
  })

  it('of a narrow range keeps within it, with values that differ', () => {
    const values = drawn({ uniform: [1000000.1, 1000000.2] })
    for (const value of values) expect(value >= 1000000.1 && value <= 1000000.2).toBe(true)
    expect(new Set(values).size).toBeGreaterThan(1000)
  })

  it.each(['random', 'sobol'])('by %s has as many different points as were asked for, where there are', (sampler) => {
    const points = (count: number, language?: 2) =>
      samplePoints(parseSearch({ sampler, count, axes: { n: { int: [1, 20] } } }), undefined, language).map(
        ({ n }) => n,
      )
    expect(new Set(points(20)).size).toBe(20)
    expect(points(10)).toEqual(points(20).slice(0, 10))
    expect(new Set(points(30)).size).toBe(20)
    expect(new Set(points(20, 2)).size).toBeLessThan(sampler === 'random' ? 20 : 21)
  })

  it('with fewer settings than were asked for says how many there are', async () => {
    const where = temporaryFolder()
    const caution = async (more: string): Promise<string | undefined> => {
      writeFileSync(
        join(where, 's.yaml'),
        `experiment: {command: 'true {model} {depth}', defaults: {depth: 0}}\nsearch: {count: 12, axes: {model: [a, b], depth: {int: [1, 6]}}}\n${more}`,
      )
      return cautionAbout(await planTarget(join(where, 's.yaml'), { set: [] }, readStore(join(where, 'store'))))
    }
    expect(await caution('')).toBeUndefined()
    expect(await caution('when: {depth: {model: a}}\n')).toBe(
      'The search has 7 different settings, and count is 12: the axes have no more, or some are left out or made one by when.',
    )
  })
})
