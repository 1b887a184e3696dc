import fc from 'fast-check'
import { expect, it } from 'vitest'
import { jsonParts } from '../../src/terminal/print-json.js'

it('JSON in parts is what JSON.stringify writes in one', () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.object({ maxDepth: 4, values: [fc.anything({ maxDepth: 0 }), fc.double()] }),
  )
  fc.assert(
    fc.property(value, (value) => {
      fc.pre(isJson(value))
      expect([...jsonParts(value)].join('')).toBe(JSON.stringify(value, null, 2))
    }),
  )
  const odd = { 'a"\n': undefined, at: new Date(0), list: [undefined, NaN, [], {}, ['\n']], none: [], '': {} }
  expect([...jsonParts(odd)].join('')).toBe(JSON.stringify(odd, null, 2))
})

it('no part of it holds a whole list', () => {
  const parts = [...jsonParts({ trials: Array.from({ length: 1000 }, (_, index) => ({ index })) })]
  expect(Math.max(...parts.map((part) => part.length))).toBeLessThan(60)
})

/** Whether JSON has it at all: a bigint it refuses. */
function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined
  } catch {
    return false
  }
}
