import { describe, expect, it } from 'vitest'
import { works } from '../../bench/nets.js'
import { mean, standardDeviation } from '../../src/analysis/statistics.js'
import { SpaceError } from '../../src/core/errors.js'
import { parameterCount, paramsNet } from '../../src/experiments/built-in/params.js'
import { defineNet, initialize, type Initializer, type Layer } from '../../src/net/net.js'

const dense = (units: number): Layer => ({ kind: 'dense', units, activation: 'relu' })

describe("the experiments' nets", () => {
  it('have exactly the original numbers of parameters', () => {
    expect(
      Object.fromEntries(
        ['m1', 'm2', 'm4', 'grad411', 'shuffled', 'inter', 'c1', 'c2', 'c4'].map((name) => [
          name,
          works[name]!.net.parameterCount,
        ]),
      ),
    ).toEqual({
      m1: 1254,
      m2: 1252,
      m4: 1252,
      grad411: 411,
      shuffled: 203_530,
      inter: 269_322,
      c1: 5330,
      c2: 5331,
      c4: 5288,
    })
    expect(defineNet([784], [dense(128), dense(128), dense(64), dense(32), dense(16), dense(10)]).parameterCount).toBe(
      128_026,
    )
  })

  it('of the params sweep follow 7860 + 23u + 2u²', () => {
    for (const width of [1, 2, 27, 300, 843])
      expect(paramsNet([28, 28, 1], { width, depth: 3, bottleneck: 10 }).parameterCount).toBe(parameterCount(width))
    expect(parameterCount(2)).toBe(7914)
  })
})

describe('a net', () => {
  it.each([
    [
      [28, 28, 1],
      [dense(10)],
      /layer 0 \(dense\) takes a vector, but its input is \[28, 28, 1\] \(put a flatten layer before it\)/,
    ],
    [[10], [{ kind: 'max-pool', size: 2 }], /layer 0 \(max-pool\) takes an image/],
    [[4, 4, 1], [{ kind: 'conv2d', filters: 1, size: 5 }], /a window of 5 does not fit an image of 4/],
    [[10], [dense(0)], /units 0/],
    [[10], [{ kind: 'dropout', rate: 1 }], /rate 1 \(from 0 to below 1\)/],
  ] as [number[], Layer[], RegExp][])(
    'of %j that does not fit is refused with the layer named',
    (shape, layers, message) => {
      expect(() => defineNet(shape, layers)).toThrow(SpaceError)
      expect(() => defineNet(shape, layers)).toThrow(message)
    },
  )
})

describe('initial weights', () => {
  const wide = (kernel: Initializer) =>
    initialize(defineNet([200], [{ kind: 'dense', units: 300, kernel, bias: false }]), 1)

  it.each([
    [{ kind: 'glorot-uniform' }, Math.sqrt(6 / 500) / Math.sqrt(3), Math.sqrt(6 / 500)],
    [{ kind: 'torch-default' }, 1 / Math.sqrt(200) / Math.sqrt(3), 1 / Math.sqrt(200)],
    [{ kind: 'he-normal' }, Math.sqrt(2 / 200), Infinity],
    [{ kind: 'normal', stddev: 0.05 }, 0.05, Infinity],
    // The standard deviation of a normal cut at two: √(1 − 4φ(2)/(2Φ(2)−1)) = 0.8796.
    [{ kind: 'truncated-normal', stddev: 0.1 }, 0.08796, 0.2],
  ] as [Initializer, number, number][])(
    '%j have the spread and bounds of their distribution',
    (initializer, deviation, bound) => {
      const weights = wide(initializer)
      expect(standardDeviation(weights) / deviation).toBeGreaterThan(0.98)
      expect(standardDeviation(weights) / deviation).toBeLessThan(1.02)
      expect(Math.abs(mean(weights)) / deviation).toBeLessThan(0.02)
      expect(Math.max(...weights.map(Math.abs))).toBeLessThanOrEqual(Math.fround(bound))
    },
  )

  it('of a layer do not depend on the layers around it', () => {
    const [narrow, other] = [
      initialize(defineNet([784], [dense(10), dense(5)]), 3),
      initialize(defineNet([784], [dense(10), dense(50), dense(7)]), 3),
    ]
    expect(narrow.subarray(0, 7850)).toEqual(other.subarray(0, 7850))
    expect(initialize(defineNet([784], [dense(10), dense(5)]), 4)).not.toEqual(narrow)
  })
})
