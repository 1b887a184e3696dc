import { describe, expect, it } from 'vitest'
import {
  erfc,
  logNormalCdf,
  normalCdf,
  normalDensity,
  normalMass,
  normalQuantile,
  scaledErfc,
} from '../../src/analysis/normal.js'
import { reference } from '../search/reference.js'

const {
  x,
  erfc: erfcs,
  logCdf,
  p,
  quantile,
  t,
  scaledErfc: scaled,
} = reference<Record<'x' | 'erfc' | 'logCdf' | 'p' | 'quantile' | 't' | 'scaledErfc', number[]>>('normal')

/** The largest relative difference, where the expected number is not so small that a double loses digits. */
const worst = (xs: readonly number[], expected: readonly number[], f: (x: number) => number): number =>
  xs.reduce(
    (most, at, i) => (Math.abs(expected[i]!) < 1e-300 ? most : Math.max(most, Math.abs(f(at) / expected[i]! - 1))),
    0,
  )

describe('the normal distribution by plain arithmetic', () => {
  it('agrees with SciPy', () => {
    expect(worst(x, erfcs, erfc)).toBeLessThan(1e-13)
    expect(worst(x, logCdf, logNormalCdf)).toBeLessThan(1e-11)
    expect(
      worst(
        p.filter((share) => share !== 0.5),
        quantile.filter((_, i) => p[i] !== 0.5),
        normalQuantile,
      ),
    ).toBeLessThan(1e-13)
    expect(worst(t, scaled, scaledErfc)).toBeLessThan(1e-14)
  })

  it('is right at its ends', () => {
    expect([
      erfc(30),
      erfc(-30),
      normalCdf(-40),
      normalCdf(40),
      normalQuantile(0),
      normalQuantile(1),
      normalQuantile(0.5),
    ]).toEqual([0, 2, 0, 1, -Infinity, Infinity, 0])
    expect(normalMass(30, 31) / normalMass(-31, -30)).toBe(1)
    expect(normalDensity(1)).toBeCloseTo(0.24197072451914337, 15)
    expect(logNormalCdf(-1e4)).toBeCloseTo(-50000010.1292789, 6)
  })
})
