import { expect, it } from 'vitest'
import { requireMetricNumbers } from '../../src/worker/metric-values.js'

it.each([
  [{ loss: 'low', acc: 1 }, 'what run returned: the metric loss is no number: "low"'],
  [{ loss: 1, acc: null }, 'the metric acc is no number: null'],
  [{ loss: [1] }, 'the metric loss is no number: [1]'],
  [{ loss: 7n }, 'the metric loss is no number: 7n'],
  [{ loss: () => 1 }, 'the metric loss is no number: function'],
  [{ loss: { toString: () => '1' } }, 'the metric loss is no number: {}'],
  [7, '7 is no set of metrics'],
  [undefined, 'undefined is no set of metrics'],
  [[1, 2], '[1,2] is no set of metrics'],
])('names what code has told and is no number: %o', (told, said) => {
  expect(() => requireMetricNumbers('what run returned', told)).toThrow(said)
})

it('takes every number, also those that are not finite, and passes over what is undefined', () => {
  requireMetricNumbers('what run returned', { loss: Number.NaN, acc: Infinity, none: undefined, ['__proto__']: 1 })
})
