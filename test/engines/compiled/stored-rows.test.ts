import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEngine } from '../../../src/engines/create-engine.js'
import type { Engine, Rows } from '../../../src/engines/engine.js'
import { defineNet, initialize, type Net } from '../../../src/net/net.js'
import { storeRows } from '../../../src/engines/compiled/stored-rows.js'
import type { Loss } from '../../../src/net/training-spec.js'
import { Random } from '../../../src/core/seed.js'

const count = 40

/** Images that hold every level from 0 to 255, and targets of this loss. */
function imagesFor(net: Net, loss: Loss): Rows {
  const random = new Random(3, 'images')
  const size = net.inputShape.reduce((a, b) => a * b, 1)
  const features = Float32Array.from({ length: count * size }, (_, i) => (i < 256 ? i : random.below(256)) / 255)
  const targets =
    loss === 'softmax-cross-entropy'
      ? Int32Array.from({ length: count }, () => random.below(net.outputShape[0]!))
      : Float32Array.from({ length: count * net.outputShape[0]! }, () => random.normal())
  return { features, targets }
}

function shared<T extends Float32Array | Int32Array>(values: T): T {
  const copy = new (values.constructor as new (buffer: SharedArrayBuffer) => T)(
    new SharedArrayBuffer(values.byteLength),
  )
  copy.set(values)
  return copy
}

const sharedRows = ({ features, targets }: Rows): Rows => ({ features: shared(features), targets: shared(targets) })

/** Everything that an engine tells of a net and rows. */
async function everything(engine: Engine, net: Net, loss: Loss, rows: Rows): Promise<unknown> {
  const parameters = initialize(net, 1)
  const options = { net, loss, rows }
  const training = await engine.train({
    ...options,
    optimizer: { kind: 'adam', learningRate: 0.01 },
    batch: 8,
    parameters,
  })
  const order = Int32Array.from({ length: count }, (_, i) => (i * 7) % count)
  return {
    epoch: await training.run(order),
    trained: training.parameters(),
    evaluation: await engine.evaluate(options, parameters),
    points: await engine.evaluateCombinations(options, [parameters, training.parameters()], [[0.3, 0.7]]),
    gradient: await engine.gradient(options, parameters),
    outputs: await engine.outputs(net, rows.features, parameters),
    inputGradients: await engine.inputGradients(options, parameters),
    jacobians: await engine.inputJacobians({ net, features: rows.features, of: 'probabilities' }, parameters),
    curvature: await engine.curvature(options, parameters, parameters),
  }
}

describe('rows in shared memory', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await createEngine('compiled')
  })
  afterAll(() => engine.dispose())

  const classifier = defineNet(
    [8, 8, 1],
    [
      { kind: 'conv2d', filters: 3, size: 3, activation: 'tanh' },
      { kind: 'max-pool', size: 2 },
      { kind: 'flatten' },
      { kind: 'dense', units: 4 },
    ],
  )
  const regression = defineNet(
    [10],
    [
      { kind: 'dense', units: 6, activation: 'tanh' },
      { kind: 'dense', units: 2 },
    ],
  )

  const thin = defineNet(
    [10],
    [
      { kind: 'dense', units: 6, activation: 'relu' },
      { kind: 'dense', units: 1 },
    ],
  )

  it.each<[string, Net, Loss]>([
    ['images', classifier, 'softmax-cross-entropy'],
    ['vectors in float64', regression, 'mean-squared-error'],
    ['vectors that get a constant more', thin, 'mean-squared-error'],
  ])('of %s that are 255ths are kept as bytes and give the very bits of the numbers', async (_, net, loss) => {
    const rows = imagesFor(net, loss)
    const asBytes = sharedRows(rows)
    expect(storeRows(net, asBytes).feeds['features']!.type).toBe('uint8')
    expect(storeRows(net, rows).feeds['features']!.type).toBe('float32')
    expect(await everything(engine, net, loss, asBytes)).toEqual(await everything(engine, net, loss, rows))
  })

  it.each([0.5, -1 / 255, 256 / 255, NaN, 1e-9])('are kept as they are when one of them is %d', (value) => {
    const rows = imagesFor(regression, 'mean-squared-error')
    rows.features[17] = value
    const stored = storeRows(regression, sharedRows(rows)).feeds['features']!
    expect(stored.type).toBe('float32')
    expect(stored.data).toEqual(rows.features)
  })

  it('are copied once, however often they are asked for', () => {
    const rows = sharedRows(imagesFor(regression, 'mean-squared-error'))
    const again = { features: rows.features.subarray(0), targets: rows.targets.subarray(0) }
    const [first, second] = [storeRows(regression, rows), storeRows(regression, again)]
    for (const name of ['features', 'targets']) expect(second.feeds[name]!.data).toBe(first.feeds[name]!.data)
  })
})
