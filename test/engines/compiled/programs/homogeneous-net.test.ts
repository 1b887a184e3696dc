import { describe, expect, it } from 'vitest'
import { createEngine } from '../../../../src/engines/create-engine.js'
import { defineNet, initialize, sizeOf, type Activation, type Layer, type Net } from '../../../../src/net/net.js'
import { homogeneousNet } from '../../../../src/engines/compiled/programs/homogeneous-net.js'
import { Random } from '../../../../src/core/seed.js'

const dense = (units: number, activation: Activation = 'linear'): Layer => ({
  kind: 'dense',
  units,
  activation,
  bias: { kind: 'normal', stddev: 1 },
})
const leaky: Activation = { leakyRelu: 0.1 }

const widened: Record<string, Net> = {
  'few features, which get the constant as one more': defineNet([2], [dense(5, leaky), dense(3, 'relu'), dense(4)]),
  'images read as rows': defineNet([3, 2, 1], [{ kind: 'flatten' }, dense(5, 'relu'), dense(6), dense(2)]),
  'many features, where the first bias makes the constant': defineNet([20], [dense(5, 'relu'), dense(6), dense(2)]),
}
const unchanged: Record<string, Net> = {
  'with one layer': defineNet([3], [dense(2)]),
  'with an activation that moves 1': defineNet([3], [dense(4, 'tanh'), dense(2)]),
  'with a wide layer': defineNet([3], [dense(4, 'relu'), dense(31, 'relu'), dense(2)]),
  'without a bias somewhere': defineNet([3], [dense(4, 'relu'), { kind: 'dense', units: 2, bias: false }]),
  'with dropout': defineNet([3], [dense(4, 'relu'), { kind: 'dropout', rate: 0.5 }, dense(2)]),
}

describe('the net that a training program computes', () => {
  it.each(Object.entries(widened))('is the same function of the same parameters: %s', async (_, net) => {
    const engine = await createEngine('cpu')
    const trained = homogeneousNet(net)
    const parameters = initialize(net, 1)
    const random = new Random(2)
    const inputs = sizeOf(net.inputShape)
    const rows = Array.from({ length: 7 }, () => Array.from({ length: inputs }, () => random.normal()))
    const more = sizeOf(trained.net.inputShape) - inputs
    const wideRows = rows.map((row) => [...row, ...new Array<number>(more).fill(1)])
    const ours = await engine.outputs(trained.net, Float32Array.from(wideRows.flat()), trained.widen(parameters))
    const theirs = await engine.outputs(net, Float32Array.from(rows.flat()), parameters)
    expect(trained.net.parameterCount).toBeGreaterThan(net.parameterCount)
    expect(theirs.length).toBe(7 * net.outputShape[0]!)
    ours.forEach((value, i) => expect(value).toBeCloseTo(theirs[i]!, 4))
  })

  it.each(Object.entries(widened))('gives every parameter back, and trains no other number: %s', (_, net) => {
    const { widen, narrow, mask } = homogeneousNet(net)
    const numbered = Float32Array.from({ length: net.parameterCount }, (_, i) => i + 2)
    const wide = widen(numbered)
    expect(narrow(wide)).toEqual(numbered)
    expect(wide.map((value) => (value > 1 ? 1 : 0))).toEqual(mask)
  })

  it.each(Object.entries(unchanged))('is the net itself %s', (_, net) => {
    expect(homogeneousNet(net).net).toBe(net)
  })
})
