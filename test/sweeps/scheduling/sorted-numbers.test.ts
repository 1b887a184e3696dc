import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/core/seed.js'
import { SortedNumbers } from '../../../src/sweeps/scheduling/sorted-numbers.js'

const rising = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0)
const medianOf = (values: readonly number[]): number => {
  const sorted = [...values].sort(rising)
  return sorted.length === 0 ? NaN : (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2
}

describe('sorted numbers', () => {
  it('count and find as a sorted list does, whatever is added and taken away', () => {
    const value = fc.oneof(fc.integer({ min: -4, max: 4 }), fc.constantFrom(Infinity, -Infinity, 0.5))
    fc.assert(
      fc.property(fc.array(fc.record({ add: fc.boolean(), value }), { maxLength: 60 }), (changes) => {
        const numbers = new SortedNumbers()
        const list: number[] = []
        for (const { add, value } of changes) {
          if (add) list.push(value)
          else if (list.includes(value)) list.splice(list.indexOf(value), 1)
          if (add) numbers.add(value)
          else numbers.remove(value)
          expect(numbers.size).toBe(list.length)
          expect(numbers.countBelow(value)).toBe(list.filter((other) => other < value).length)
          expect(numbers.median()).toBe(medianOf(list))
        }
      }),
    )
  })

  it.each(['rising', 'falling', 'random', 'equal'])('hold twenty thousand that come in %s order', (order) => {
    const random = new Random(1)
    const count = 20_000
    const valueAt = (i: number): number =>
      order === 'rising' ? i : order === 'falling' ? -i : order === 'equal' ? 7 : random.below(1000)
    const list = Array.from({ length: count }, (_, i) => valueAt(i))
    const numbers = new SortedNumbers()
    for (const value of list) numbers.add(value)
    const kept = list.filter((_, i) => i % 3 === 0)
    for (const [i, value] of list.entries()) if (i % 3 !== 0) numbers.remove(value)
    expect(numbers.size).toBe(kept.length)
    expect(numbers.median()).toBe(medianOf(kept))
    for (const value of [list[5]!, list[count - 1]!, 3.5, Infinity])
      expect(numbers.countBelow(value)).toBe(kept.filter((other) => other < value).length)
  })
})
