import { defineNet, type Activation, type Layer, type Net } from '../src/net/net.js'
import type { Loss, OptimizerSpec } from '../src/net/training-spec.js'

/** The experiments' nets, as the peers' scripts build them too (bench/peers/nets.py). */
export interface Work {
  readonly net: Net
  readonly loss: Loss
  readonly optimizer: OptimizerSpec
  readonly batch: number
  /** Steps of one call, an epoch of the experiment or a part of it. */
  readonly steps: number
}

const dense = (units: number, activation?: Activation): Layer => ({
  kind: 'dense',
  units,
  ...(activation === undefined ? {} : { activation }),
})
/** Of images, as the experiments have them. */
const ofImages = (hidden: readonly number[], activation: Activation): Net =>
  defineNet([28, 28, 1], [{ kind: 'flatten' }, ...hidden.map((units) => dense(units, activation)), dense(10)])
const conv = (filters: number, size: number): Layer => ({ kind: 'conv2d', filters, size, bias: false })
const pool = (size: number): Layer => ({ kind: 'max-pool', size })
const adam: OptimizerSpec = { kind: 'adam', learningRate: 1e-3 }
const adagrad: OptimizerSpec = { kind: 'adagrad', learningRate: 0.01, initialAccumulator: 0 }

const regression = (hidden: readonly number[], batch: number, steps: number): Work => ({
  net: defineNet([1], [...hidden.map((units) => dense(units, { leakyRelu: 0.1 })), dense(1)]),
  loss: 'mean-squared-error',
  optimizer: adam,
  batch,
  steps,
})
const digits = (net: Net, batch: number, steps: number, optimizer: OptimizerSpec = adam): Work => ({
  net,
  loss: 'softmax-cross-entropy',
  optimizer,
  batch,
  steps,
})
const image = (layers: readonly Layer[]): Net => defineNet([28, 28, 1], [...layers, dense(10)])
const params = (u: number, steps: number): Work => digits(ofImages([10, u, u, u], 'relu'), 100, steps, adagrad)

export const works: Readonly<Record<string, Work>> = {
  m1: regression([5, ...new Array<number>(11).fill(10), 5, 4], 300, 33),
  m2: regression([4, 9, 16, 25, 16, 9, 4], 300, 33),
  m4: regression([417], 300, 33),
  grad411: regression([4, 9, 16, 9, 4], 200, 50),
  shuffled: digits(ofImages([256], 'relu'), 100, 40),
  inter: digits(ofImages([256, 256], { leakyRelu: 0.2 }), 100, 40),
  inter1000: digits(ofImages([256, 256], { leakyRelu: 0.2 }), 1000, 4),
  p2: params(2, 75),
  p100: params(100, 75),
  p840: params(840, 10),
  c1: digits(
    image([
      conv(9, 3),
      pool(2),
      conv(6, 4),
      conv(5, 3),
      conv(28, 3),
      pool(2),
      { kind: 'flatten' },
      dense(10, 'relu'),
      dense(15, 'relu'),
    ]),
    200,
    5,
  ),
  c2: digits(
    image([conv(25, 3), pool(2), conv(10, 3), pool(2), { kind: 'flatten' }, dense(10, 'relu'), dense(16, 'relu')]),
    200,
    4,
  ),
  c4: digits(image([conv(17, 12), pool(4), { kind: 'flatten' }, dense(10, 'relu')]), 200, 4),
}
