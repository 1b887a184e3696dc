import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SpaceError } from '../../../src/core/errors.js'
import { expandValues } from '../../../src/sweeps/spec/values.js'

/** What a pattern finds in the error that it throws. */
function captured(read: () => unknown, pattern: RegExp): RegExpExecArray {
  try {
    read()
  } catch (error) {
    expect(error).toBeInstanceOf(SpaceError)
    expect((error as Error).message).toMatch(pattern)
    return pattern.exec((error as Error).message)!
  }
  throw new Error('nothing was thrown')
}

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
    // Quotes within a word are letters.
    [`it's,5"`, ["it's", '5"']],
    ['log(2),uniform(a, b)', ['log(2)', 'uniform(a, b)']],
    ['[64,64],[[1],2],[]', ['[64,64]', '[[1],2]', '[]']],
    ['1700000000001..1700000000003', [1700000000001, 1700000000002, 1700000000003]],
    ['12345678901234567890..12345678901234567891', ['12345678901234567890', '12345678901234567891']],
    ['range(9007199254740990, 9007199254740994, 2)', [9007199254740990, '9007199254740992']],
    ['range(3, 0, -1)', [3, 2, 1]],
    // A list holds its values as they are.
    [
      ['"c,d"', 'c,d', '', ' e'],
      ['"c,d"', 'c,d', '', ' e'],
    ],
    [{ logspace: [1, 100, 3] }, [1, 10, 100]],
    [{ range: [0, 3] }, [0, 1, 2]],
    [0.5, [0.5]],
    [true, [true]],
  ])('%j means %j', (raw, values) => {
    expect(expandValues('lr', raw)).toEqual(values)
  })

  it.each<[string, string]>([
    ['"abc', `'"abc'`],
    ['"c,d', `'"c'`],
    ["'tis", `"'tis"`],
    ['"a"b,c', `'"a"b'`],
    ['a,"', `'"'`],
    ['[1,"b]', `'"b'`],
  ])('%j is refused, for its quote closes nothing, with what is right: %s', (raw, right) => {
    const read = (): unknown => expandValues('x', raw, { language: 3, isLiteral: true })
    expect(read).toThrow(`(for a quote that is a letter write ${right})`)
  })

  it.each([
    '1]',
    '1,2]',
    'a]b',
    '[1],2]',
    '[1]]',
    'a[1',
    '8,[64,64',
    '[64',
    'x[0],y[',
    'linspace(0, 1, 5',
    'range(3',
    '8,log(1e-4, 1',
  ])('%j is refused, for a bracket has no other, with the right form of the text', (raw) => {
    const read = (text: string) => expandValues('x', text, { language: 3, isLiteral: true })
    const [, right] = captured(
      () => read(raw),
      /(?:is not closed|closes nothing): .* \(for the text itself write (.*)\)$/,
    )
    expect(read(right!)).toHaveLength(1)
    expect(raw).toContain(read(right!)[0])
    // A list holds each item as it is, and earlier languages read on as they did.
    expect(expandValues('x', [raw])).toEqual([raw])
    expect(() => expandValues('x', raw, { language: 1 })).not.toThrow()
  })

  it('advises on an open quote what means that very text', () => {
    fc.assert(
      fc.property(fc.constantFrom('"', "'"), fc.stringMatching(/^[^,"'\s[\]]{1,9}$/), (quote, letters) => {
        let right = ''
        try {
          expandValues('x', quote + letters, { language: 3, isLiteral: true })
        } catch (error) {
          right = /letter write (.*)\)$/s.exec((error as Error).message)![1]!
        }
        expect(expandValues('x', right, { language: 3, isLiteral: true })).toEqual([quote + letters])
      }),
    )
  })

  it.each([
    ['uniform(0, 4)', '{uniform: [0, 4]}'],
    ['log(1e-4,1e-1)', '{log: [1e-4,1e-1]}'],
    ['1,log-int( 2, 64 )', '{log-int: [2, 64]}'],
  ])('%j is refused, for it is a range of a search: %s', (raw, right) => {
    expect(() => expandValues('x', raw)).toThrow(`write search: {axes: {x: ${right}}}; for the text itself "`)
    // In a list it is that text, as everything is.
    expect(expandValues('x', [raw])).toEqual([raw])
  })

  it.each([
    ['8,true,null,x,0x10,1e-3', [8, true, null, 'x', 16, 0.001]],
    ['"8","true","",\'say "so"\'', ['8', 'true', '', 'say "so"']],
    [`"it's ""so"""`, [`it's "so"`]],
    ['[64,64],[[1],x, "a, b",null],[]', [[64, 64], [[1], 'x', 'a, b', null], []]],
    ['[a-z]+,f(1,2)', ['[a-z]+', 'f(1,2)']],
    ['12345678901234567890,-5,+5,007', ['12345678901234567890', -5, 5, 7]],
    ['1.10,.5,5.', [1.1, 0.5, 5]],
    ['nan,inf,1_000,0b1', ['nan', 'inf', '1_000', '0b1']],
  ])('%j of a program means %j', (raw, values) => {
    expect(expandValues('lr', raw, { language: 2, isLiteral: true })).toEqual(values)
  })

  it.each([
    ['8,[64,64', /lr: a \[ is not closed/],
    ['[64,64', /lr: a \[ is not closed/],
    ['[1,,2]', /has an item that is nothing/],
    ['.inf', /is not a finite number/],
    [[8, '16..18'], /16\.\.18 is a set of values.*write lr: '8,16\.\.18', for the text lr: '8,"16\.\.18"'/],
    [[{ a: 1 }], /is not a value/],
    [[[NaN]], /is not a finite number/],
    [['a\0b'], /NUL/],
    [['a\ud800'], /half of a character/],
    [[['\udc00b']], /half of a character/],
  ])('%j of a program is refused with a sentence', (raw, message) => {
    const read = () => expandValues('lr', raw, { language: 2, isLiteral: true })
    expect(read).toThrow(SpaceError)
    expect(read).toThrow(message)
  })

  it.each([
    ['8,16', ['8', '16']],
    [
      ['"c,d"', 'e,f'],
      ['c,d', 'e', 'f'],
    ],
    [
      [8, '16..18', ''],
      [8, 16, 17, 18],
    ],
    ['[64,64]', ['[64', '64]']],
    ['1700000000001..1700000000003', [1700000000000]],
  ])('%j of the first language means %j', (raw, values) => {
    expect(expandValues('lr', raw, { language: 1, isLiteral: true }).slice(0, values.length)).toEqual(values)
  })

  it.each([
    ['-131073..-131072.998 step 0.001', [-131073, -131072.999, -131072.998]],
    ['1700000000001.5..1700000000003.5', [1700000000001.5, 1700000000002.5, 1700000000003.5]],
    ['0.1..0.5 step 0.1', [0.1, 0.2, 0.3, 0.4, 0.5]],
    ['5..-1 step 2.5', [5, 2.5, 0]],
    ['range(0.3, 0, -0.1)', [0.3, 0.2, 0.1]],
    ['range(1, 1.05, 0.02)', [1, 1.02, 1.04]],
    ['range(3, 0)', []],
    ['linspace(0, 1, 4)', [0, 1 / 3, 2 / 3, 1]],
    ['linspace(1e-300, 1e300, 3)', [1e-300, 5e299, 1e300]],
    ['logspace(1, 1.0000000000002, 3)', [1, 1.0000000000001, 1.0000000000002]],
  ])('%j has every digit that there is', (raw, values) => {
    if (values.length === 0) expect(() => expandValues('lr', raw)).toThrow(/no values/)
    else expect(expandValues('lr', raw)).toEqual(values)
    // What was planned in an earlier language has the digits of that.
    if (raw.includes('131073')) expect(expandValues('lr', raw, { language: 2 })).toContain(-131073)
  })

  it('steps as far as exact fractions say, and rounds each number once', () => {
    const ten = fc.integer({ min: -(10 ** 6), max: 10 ** 6 })
    fc.assert(
      fc.property(ten, fc.integer({ min: 1, max: 999 }), fc.nat(200), fc.nat(6), (start, step, count, decimals) => {
        // By hand: whole numbers, and one division by a power of ten.
        const power = 10 ** decimals
        const stop = (start + step * count) / power
        const expected = Array.from({ length: count + 1 }, (_, i) => (start + i * step) / power)
        expect(expandValues('lr', `${start / power}..${stop} step ${step / power}`)).toEqual(expected)
      }),
    )
  })

  it.each(['0..1e-300 step 1e-308', '1e300..1e308 step 1e-300', 'range(0, 1e300)', 'range(0, 1, 1e-320)'])(
    '%s is refused before anything of that size is made',
    (raw) => {
      expect(() => expandValues('lr', raw)).toThrow(/a sequence of/)
    },
  )

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
