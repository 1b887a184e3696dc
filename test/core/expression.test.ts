import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Params } from '../../src/core/trial.js'
import { readExpression, type ValueType } from '../../src/core/expression.js'

const kinds: Readonly<Record<string, ValueType>> = { number: 'number', string: 'text', boolean: 'boolean' }
const read = (text: string, params: Params) =>
  readExpression(
    text,
    (name) => (Object.hasOwn(params, name) ? (kinds[typeof params[name]] ?? 'any') : undefined),
    Object.keys(params),
  )
const evaluate = (text: string, params: Params = {}) => read(text, params).evaluate(params)

describe('an expression', () => {
  // Values by Python 3.11.
  it.each<[string, Params, unknown]>([
    ['1 + 2 * 3', {}, 7],
    ['-2 ** 2', {}, -4],
    ['2 ** 3 ** 2', {}, 512],
    ['2 ** -1', {}, 0.5],
    ['(1 + 2) * 3', {}, 9],
    ['7 % 3', {}, 1],
    ['-7 % 3', {}, 2],
    ['7 % -3', {}, -2],
    ['10 / 4', {}, 2.5],
    ['0.1 * batch / 256', { batch: 64 }, 0.025],
    ['x != 0 and 1 / x > 0', { x: 0 }, false],
    ['x == 0 ? 1 : 1 / x', { x: 0 }, 1],
    ['not a and b', { a: false, b: true }, true],
    ['a or b and false', { a: false, b: true }, false],
    ['x in [1, 2, 3]', { x: 2 }, true],
    ["name == 'adam' or rate > 0.5", { name: 'sgd', rate: 0.6 }, true],
    ['round(2.5)', {}, 2],
    ['round(3.5)', {}, 4],
    ['round(-2.5)', {}, -2],
    ['round(-0.5)', {}, 0],
    ['max(1, x, 3)', { x: 7 }, 7],
    ['min(1, x)', { x: -7 }, -7],
    ['abs(-3) + floor(2.7) + ceil(2.1)', {}, 8],
    ['sqrt(2)', {}, 1.4142135623730951],
    ['log2(1024)', {}, 10],
    ['not x == 3', { x: 3 }, false],
    ['1 - 2 - 3', {}, -4],
    ['16 / 4 / 2', {}, 2],
    ['2 * 3 % 4', {}, 2],
    ['- x + 1', { x: 5 }, -4],
    ['not (x < 3) and y', { x: 2, y: true }, false],
  ])('%s with %j comes to what Python makes of it', (text, params, value) => {
    expect(evaluate(text, params)).toBe(value)
  })

  it.each<[string, Params, unknown]>([
    ["depth > 2 ? 'deep' : 'flat'", { depth: 3 }, 'deep'],
    ['model.width * 2', { 'model.width': 4 }, 8],
    ['größe + 1', { größe: 1 }, 2],
    ['v == null', { v: null }, true],
    ['v == [1, [2, "a"]]', { v: [1, [2, 'a']] }, true],
    ['v != "1"', { v: 1 }, true],
    ['constructor + toString', { constructor: 1, toString: 2 }, 3],
  ])('%s with %j', (text, params, value) => {
    const any = readExpression(text, (name) => (Object.hasOwn(params, name) ? 'any' : undefined), Object.keys(params))
    expect(any.evaluate(params)).toEqual(value)
  })

  it.each<[string, Params, RegExp]>([
    ['', {}, /a value was expected: the end \(character 1/],
    ['1 +', {}, /a value was expected: the end \(character 4/],
    ['(1', {}, /\) was expected: the end/],
    ['1 2', {}, /an operator was expected: 2/],
    ['x = 1', { x: 1 }, /not understood: = 1/],
    ['x; y', { x: 1 }, /not understood: ; y/],
    ['1 < x < 3', { x: 1 }, /comparisons are not chained \(write: a < b and b < c\)/],
    ['x + 1', { y: 1 }, /unknown axis: x/],
    ['eval(1)', {}, /unknown function: eval/],
    ['constructor(1)', {}, /unknown function: constructor/],
    ['sqrt()', {}, /sqrt takes 1 number: 0 given/],
    ["'a' + 1", {}, /\+ takes a number: "a" is a text/],
    ['name * 2', { name: 'sgd' }, /\* takes a number: name is a text/],
    ['x and true', { x: 1 }, /and takes true or false: x is a number/],
    ['x == "1"', { x: 1 }, /== compares x, a number, with "1", a text/],
    ['x in 3', { x: 1 }, /in takes a list: 3 is a number/],
    ['1 / (x - 1)', { x: 1 }, /it comes to Infinity, which is no finite number/],
    ['sqrt(0 - x)', { x: 1 }, /it comes to NaN/],
    ['1 / x > 0', { x: 0 }, /^1 \/ x: it comes to Infinity, which is no finite number \(where x = 0\)$/],
    ['x % y == 0', { x: 1, y: 0 }, /^x % y: it comes to NaN, .* \(where x = 1, y = 0\)$/],
    ['not (log(x) < 1)', { x: 0 }, /^log\(x\): it comes to -Infinity/],
    ['1 in [1 / x]', { x: 0 }, /^1 \/ x: it comes to Infinity/],
    ['min(1, 1 / x)', { x: 0 }, /^1 \/ x: it comes to Infinity/],
    [`${'('.repeat(60)}1${')'.repeat(60)}`, {}, /more than 50 levels deep/],
    [`1${'+1'.repeat(600)}`, {}, /an expression of 1201 characters \(at most 1000\)/],
    ['__proto__', {}, /unknown axis: __proto__/],
    ['a.__proto__', { a: 1 }, /unknown axis: a\.__proto__/],
  ])('%s with %j is refused by a sentence', (text, params, said) => {
    expect(() => evaluate(text, params)).toThrow(said)
  })

  it('of whatever letters is understood or refused in words, never run', () => {
    const letters = fc.constantFrom(...'xy01.+-*/%<>=!()[],?:"\'é {}`$\\;'.split(''), 'and', 'not', 'in', 'max(', '**')
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 25 }), (parts) => {
        try {
          evaluate(parts.join(''), { x: 1, y: 'a' })
        } catch (error) {
          expect((error as Error).name).toMatch(/^(SpaceError|UnknownNameError|MldsError|Error)$/)
          expect((error as Error).constructor.name).toMatch(/^(SpaceError|NotFiniteError|UnknownNameError)$/)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
