import { describe, expect, it } from 'vitest'
import { batches, cautiousBatches } from '../../../../src/tracking/mlflow/rest/batches.js'
import type { Point } from '../../../../src/tracking/mlflow/rest/wire.js'

const named = (count: number, value = 'v') =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, value]))
const points = (count: number, value = 1): Point[] =>
  Array.from({ length: count }, (_, step) => ({ key: 'loss', value, timestamp: 1, step }))
const sizes = (what: Parameters<typeof batches>[0]): string[] =>
  [...batches(what)].map(({ params, tags, metrics }) => `${params.length} + ${tags.length} + ${metrics.length}`)

describe('the batches that MLflow takes at once', () => {
  it.each([
    ['nothing', {}, []],
    ['a few of each', { params: named(2), tags: named(3), points: points(4) }, ['2 + 3 + 4']],
    ['more than 100 parameters', { params: named(101) }, ['100 + 0 + 0', '1 + 0 + 0']],
    ['more than 100 tags', { tags: named(250) }, ['0 + 100 + 0', '0 + 100 + 0', '0 + 50 + 0']],
    ['more than 1000 points', { points: points(2_001) }, ['0 + 0 + 1000', '0 + 0 + 1000', '0 + 0 + 1']],
    [
      '1000 items of all kinds, and some more',
      { params: named(100), tags: named(100), points: points(900) },
      ['100 + 100 + 800', '0 + 0 + 100'],
    ],
    ['a megabyte of values', { tags: named(4, 'x'.repeat(100_000)) }, ['0 + 2 + 0', '0 + 2 + 0']],
  ])('of %s', (_, what, expected) => {
    expect(sizes(what)).toEqual(expected)
  })

  it('hold a hundred points, and each NaN by itself, for a server that refuses what it has', () => {
    const mixed = [...points(150), ...points(2, NaN)]
    expect([...cautiousBatches(mixed)].map((batch) => batch.length)).toEqual([1, 1, 100, 50])
  })
})
