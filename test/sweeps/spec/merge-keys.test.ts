import { describe, expect, it } from 'vitest'
import { parseSweepFile } from '../../../src/sweeps/spec/spec.js'

const read = (text: string) => parseSweepFile(text, 'file.yaml')

describe('a sweep file', () => {
  it('takes what << names, the nearest word counting, and passes over keys that begin with x-', () => {
    const spec = read(`x-small: &small {width: [2, 4], batch: [50]}
x-deep: &deep {depth: [3], batch: [100]}
experiment: params
axes:
  <<: [*small, *deep]
  width: [8]
blocks:
  - axes: {<<: *deep, batch: [25]}
`)
    expect(spec).toEqual({
      experiment: 'params',
      language: 3,
      axes: { batch: [50], depth: [3], width: [8] },
      blocks: [{ axes: { depth: [3], batch: [25] } }],
    })
  })

  it('may merge at its top, and a mapping that merges itself', () => {
    const spec = read(`x-a: &a {seeds: [1], name: a}
x-b: &b {<<: *a, name: b}
<<: *b
experiment: params
`)
    expect(spec).toMatchObject({ name: 'b', seeds: [1] })
  })

  it.each([
    ['x-a: &a [1]\nexperiment: params\naxes: {<<: *a}', 'file.yaml:3:12: <<: names a mapping'],
    ['experiment: params\naxes: {<<: 3}', 'file.yaml:2:12: <<: names a mapping'],
    ['experiment: params\naxes: &a {<<: *a}', 'file.yaml:2:10: <<: the mapping is part of itself'],
    ['x-a: &a {width: [4]}\nexperiment: params\naxes: {<<: *a, width: []}', 'file.yaml:3:23: width: no values'],
    ['y-a: 1\nexperiment: params', 'file.yaml:1:1: unknown key: y-a'],
  ])('%j is refused with its place', (text, said) => {
    expect(() => read(text)).toThrow(said)
  })

  it('that grows by merging what merges is refused', () => {
    const wide = Array.from({ length: 200 }, (_, i) => `k${i}: [1]`).join(', ')
    const lines = Array.from({ length: 100 }, (_, i) => `x-${i + 1}: {<<: *a, own: [${i}]}`)
    expect(() => read(`x-0: &a {${wide}}\n${lines.join('\n')}\nexperiment: params`)).toThrow(
      'more than 10000 merged keys',
    )
  })
})
