import { describe, expect, it } from 'vitest'
import { SpaceError } from '../../../src/core/errors.js'
import { expandValues } from '../../../src/sweeps/spec/values.js'

describe('the values of an axis', () => {
  it.each([
    ['8,32,128', ['8', '32', '128']],
    ['0..4', [0, 1, 2, 3, 4]],
    ['3..1', [3, 2, 1]],
    ['-1..0 step 0.25', [-1, -0.75, -0.5, -0.25, 0]],
    ['range(0, 10, 4)', [0, 4, 8]],
    ['range(3)', [0, 1, 2]],
    ['linspace(0, 1, 5)', [0, 0.25, 0.5, 0.75, 1]],
    ['logspace(1e-4, 1e-1, 4)', [1e-4, 1e-3, 1e-2, 1e-1]],
    ['1,5..7', ['1', 5, 6, 7]],
    ['"c,d"', ['c,d']],
    [`'c,d', e ,"f"`, ['c,d', 'e', 'f']],
    ['"0..4","range(3)",0..1', ['0..4', 'range(3)', 0, 1]],
    ['""', ['']],
    [`"it's, so"`, ["it's, so"]],
    // No quotes but letters: nothing closes them where a value ends.
    ['"c,d', ['"c', 'd']],
    [`it's,5"`, ["it's", '5"']],
    ['"a"b,c', ['"a"b', 'c']],
    [
      ['"c,d"', 'e'],
      ['c,d', 'e'],
    ],
    [
      [8, '16..18', 'adam'],
      [8, 16, 17, 18, 'adam'],
    ],
    [{ logspace: [1, 100, 3] }, [1, 10, 100]],
    [{ range: [0, 3] }, [0, 1, 2]],
    [0.5, [0.5]],
    [true, [true]],
  ])('%j means %j', (raw, values) => {
    expect(expandValues('lr', raw)).toEqual(values)
  })

  it('hits both ends of a grid exactly, however the steps round', () => {
    const values = expandValues('alpha', '-1..2 step 0.05') as number[]
    expect(values).toHaveLength(61)
    expect(values).toContain(0)
    expect(values).toContain(1)
    expect(values[0]).toBe(-1)
    expect(values.at(-1)).toBe(2)
  })

  it.each([
    ['', /lr: no values/],
    [[], /lr: no values/],
    [null, /lr: no values/],
    ['range(0, 10, 0)', /never ends/],
    ['logspace(0, 1, 3)', /above 0/],
    ['linspace(0, 1, 0)', /a sequence of 0 values/],
    ['linspace(0, x, 3)', /numbers of a sequence/],
    ['0..1e12', /a sequence of/],
    [{ lognormal: [0, 1] }, /is not a set of values/],
    [{ range: [0, 1], linspace: [0, 1, 2] }, /is not a set of values/],
  ])('%j is refused with a sentence', (raw, message) => {
    expect(() => expandValues('lr', raw)).toThrow(SpaceError)
    expect(() => expandValues('lr', raw)).toThrow(message)
  })
})
