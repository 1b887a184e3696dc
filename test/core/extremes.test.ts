import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maxOf, minOf } from '../../src/core/extremes.js'

describe('the least and the greatest', () => {
  it('are found among a million values, which overflow the stack when they are spread', () => {
    const values = Array.from({ length: 1_000_000 }, (_, i) => (i * 7919) % 1_000_003)
    expect([minOf(values), maxOf(values)]).toEqual([0, values.reduce((a, b) => (a > b ? a : b))])
    expect(() => Math.min(...values)).toThrow(RangeError)
  })

  it('are those of Math.min and Math.max, for no value and for NaN too', () => {
    expect([minOf([]), maxOf([])]).toEqual([Infinity, -Infinity])
    fc.assert(
      fc.property(fc.array(fc.double()), (values) => {
        expect(minOf(values)).toBe(Math.min(...values))
        expect(maxOf(values)).toBe(Math.max(...values))
      }),
    )
  })
})
