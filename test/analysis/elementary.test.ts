import { describe, expect, it } from 'vitest'
import { exp, log } from '../../src/analysis/elementary.js'
import { Random } from '../../src/core/seed.js'

const ulps = (a: number, b: number): number => (a === b ? 0 : Math.abs(a - b) / (Math.abs(b) * 2 ** -52))

describe('exp and log of plain arithmetic', () => {
  it('are within two units in the last place of those of this machine', () => {
    const random = new Random(1, 'elementary')
    let worst = 0
    for (let draw = 0; draw < 200_000; draw++) {
      const x = (random.uniform() - 0.5) * 1400
      worst = Math.max(worst, ulps(exp(x), Math.exp(x)))
      const near = 1 + (random.uniform() - 0.5) * 0.5
      for (const y of [Math.exp(x), near]) worst = Math.max(worst, ulps(log(y), Math.log(y)))
    }
    expect(worst).toBeLessThan(2)
  })

  it('are right at the ends', () => {
    for (const x of [0, -0, 1, 709.7827, 709.79, -744.9, -746, -720.5, Infinity, -Infinity, NaN])
      expect(exp(x)).toSatisfy((y: number) => ulps(y, Math.exp(x)) < 2 || Object.is(y, Math.exp(x)))
    for (const x of [0, 1, 5e-324, 1e-310, 1.7976931348623157e308, Infinity, -1, NaN]) expect(log(x)).toBe(Math.log(x))
  })

  it('have the bits that any processor gives', () => {
    const bits = (x: number): string => Buffer.from(Float64Array.of(x).buffer).toString('hex')
    expect([exp(0.1), exp(-30.7), log(0.3), log(1e9)].map(bits)).toMatchInlineSnapshot(`
      [
        "d4005ab3c7aef13f",
        "44929f05d4282a3d",
        "21a7bdfc7843f3bf",
        "b8ff2bf327b93440",
      ]
    `)
  })
})
