import { describe, expect, it } from 'vitest'
import { falseVerdicts, nullSweeps, seedsNeeded } from '../../bench/sequential.js'
import { looks, sequential } from '../../src/analysis/sequential.js'
import { firstLook } from '../../src/core/first-look.js'
import { Random } from '../../src/core/seed.js'

const random = new Random(0, 'looks')
const normals = (count: number): number[] => Array.from({ length: count }, () => 0.3 + random.normal())

describe('a confidence sequence', () => {
  it('ends where the mixture of normal effects is 1/error times as likely as that end', () => {
    for (const error of [0.05, 0.01])
      for (let round = 0; round < 20; round++) {
        const values = normals(40)
        let before: readonly number[] = []
        let n = firstLook - 1
        for (const ends of looks(values, 'linear', 0, error)) {
          n++
          // An end that an earlier look set is that look's.
          const own = ends.filter((end) => Number.isFinite(end) && !before.includes(end))
          before = ends
          for (const end of own) {
            const shifted = values.slice(0, n).map((value) => value - end)
            const sum = shifted.reduce((a, b) => a + b, 0)
            const squares = shifted.reduce((a, b) => a + b * b, 0)
            const logRatio = -0.5 * Math.log(n + 1) + (n / 2) * Math.log(squares / (squares - sum ** 2 / (n + 1)))
            expect(logRatio).toBeCloseTo(-Math.log(error), 8)
          }
        }
      }
  })

  it('of five successes reaches from where 1/20 of the mixture is left to 1', () => {
    const [low, high] = sequential(0.05).of([1, 1, 1, 1, 1], 'share', 0).interval
    expect(low).toBeCloseTo((((0.5 * 1.5 * 2.5 * 3.5 * 4.5) / 120) * 0.05) ** (1 / 5), 9)
    expect(high).toBe(1)
    const [from, to] = sequential(0.05).of([0, 0, 0, 0, 0], 'share', 0).interval
    expect([from, to]).toEqual([0, expect.closeTo(1 - low, 9)])
  })

  it('only narrows, and is the same in units of any size', () => {
    for (let round = 0; round < 50; round++) {
      const values = normals(40)
      let [low, high] = [-Infinity, Infinity]
      for (const [from, to] of looks(values, 'linear', 0, 0.05)) {
        expect(from).toBeGreaterThanOrEqual(low)
        expect(to).toBeLessThanOrEqual(high)
        ;[low, high] = [from, to]
      }
      const scaled = sequential(0.05).of(
        values.map((value) => 1000 * value + 7),
        'linear',
        0,
      ).interval
      expect(scaled[0]).toBeCloseTo(1000 * low + 7, 6)
      expect(scaled[1]).toBeCloseTo(1000 * high + 7, 6)
    }
  })

  it('says nothing of numbers that are all alike, and is not stuck with the first ones that are', () => {
    const rule = sequential(0.05)
    expect(rule.of([2, 2, 2, 2, 2, 2], 'linear', 0).interval).toEqual([2, 2])
    const [low, high] = rule.of([0, 0, 0, 0, 0, ...normals(20).map((value) => value + 1)], 'linear', 0).interval
    expect(low).toBeLessThan(high)
    expect(rule.of([1, 2, 0, 3, 4, 5], 'log', 0).interval).toEqual([NaN, NaN])
  })

  it.each(nullSweeps.map((sweep) => [sweep.what, sweep] as const))(
    'decides in at most 5 of 100 sweeps of no effect, and 2 standard errors, with a look after each of 5 to 25 seeds: %s',
    (_, sweep) => {
      const rounds = 500
      expect(falseVerdicts(sweep, rounds, 25)).toBeLessThanOrEqual(0.05 + 2 * Math.sqrt((0.05 * 0.95) / rounds))
    },
  )

  it('decides an effect of one standard deviation with a dozen seeds, of two with seven, half of the time', () => {
    expect(seedsNeeded(1, 1, 200).half).toBeLessThanOrEqual(14)
    expect(seedsNeeded(2, 1, 200).half).toBeLessThanOrEqual(8)
  })
})
