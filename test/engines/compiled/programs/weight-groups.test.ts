import { describe, expect, it } from 'vitest'
import { defineNet, type Layer, type Net } from '../../../../src/net/net.js'
import { pick, place, weightGroups } from '../../../../src/engines/compiled/programs/weight-groups.js'

const dense = (units: number): Layer => ({ kind: 'dense', units, bias: false })
const nets: Record<string, Net> = {
  'thin matrices of a common dimension, some of them turned': defineNet([2], [5, 10, 17, 10, 5, 1].map(dense)),
  'thin matrices of two common dimensions': defineNet([2], [5, 7, 5, 9, 3, 9, 4].map(dense)),
  'a large matrix beside small ones': defineNet([200], [100, 4, 3].map(dense)),
  'a convolution and biases': defineNet(
    [6, 6, 1],
    [{ kind: 'conv2d', filters: 2, size: 3 }, { kind: 'flatten' }, { kind: 'dense', units: 3 }],
  ),
}
const numbered = (net: Net): Float32Array => Float32Array.from({ length: net.parameterCount }, (_, i) => i)

describe('groups of weights', () => {
  it.each(Object.entries(nets))('hold each number of a net once, and give it back: %s', (_, net) => {
    const groups = weightGroups(net)
    const flat = numbered(net)
    const rows = groups.map((group) => pick(group, flat))
    expect([...rows.flatMap((row) => [...row])].sort((a, b) => a - b)).toEqual([...flat])
    const back = new Float32Array(net.parameterCount)
    groups.forEach((group, k) => place(group, rows[k]!, back))
    expect(back).toEqual(flat)
  })

  it('lay matrices of a common dimension side by side, with that dimension as rows', () => {
    const net = defineNet([2], [3, 2, 3].map(dense))
    const [group] = weightGroups(net)
    // Weights [2, 3], [3, 2] and [2, 3], numbered in their own order: the first and the last have 2 rows, the other turned.
    expect([...pick(group!, numbered(net))]).toEqual([0, 1, 2, 6, 8, 10, 12, 13, 14, 3, 4, 5, 7, 9, 11, 15, 16, 17])
  })
})
