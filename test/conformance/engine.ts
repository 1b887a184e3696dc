import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEngine } from '../../src/engines/create-engine.js'
import type { Engine, Rows, TrainingState } from '../../src/engines/engine.js'
import { defineNet, initialize, type Activation, type Layer, type Net } from '../../src/net/net.js'
import { optimizerKinds, type Loss, type OptimizerSpec } from '../../src/net/training-spec.js'
import { Random } from '../../src/core/seed.js'

const steps = 50
const batch = 12

/** Small nets, each with something the others lack. Images have flat black parts, so that pooling meets ties. */
const dense = (units: number, activation?: Activation): Layer => ({
  kind: 'dense',
  units,
  ...(activation === undefined ? {} : { activation }),
})
const conv = (options: Partial<Extract<Layer, { kind: 'conv2d' }>> = {}): Layer => ({
  kind: 'conv2d',
  filters: 3,
  size: 3,
  ...options,
})
const flatten: Layer = { kind: 'flatten' }
const image = [8, 8, 2]
export const nets: Record<string, { net: Net; loss: Loss }> = {
  'dense relu': { net: defineNet([7], [dense(9, 'relu'), dense(4)]), loss: 'softmax-cross-entropy' },
  'dense tanh, squared error': { net: defineNet([7], [dense(9, 'tanh'), dense(2)]), loss: 'mean-squared-error' },
  'dense leaky relu': { net: defineNet([7], [dense(9, { leakyRelu: 0.1 }), dense(4)]), loss: 'softmax-cross-entropy' },
  'deep and thin, leaky relu, squared error': {
    net: defineNet([7], [...[4, 9, 4, 5].map((units) => dense(units, { leakyRelu: 0.1 })), dense(1)]),
    loss: 'mean-squared-error',
  },
  'thin, of many features, relu': {
    net: defineNet([20], [dense(6, 'relu'), dense(5, 'relu'), dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'dense sigmoid': { net: defineNet([7], [dense(9, 'sigmoid'), dense(4)]), loss: 'softmax-cross-entropy' },
  'softmax inside': {
    net: defineNet([7], [dense(9), { kind: 'activation', activation: 'softmax' }, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  dropout: {
    net: defineNet([7], [dense(9, 'relu'), { kind: 'dropout', rate: 0.4 }, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'without bias': {
    net: defineNet([7], [{ kind: 'dense', units: 9, bias: false, activation: 'tanh' }, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'conv valid': {
    net: defineNet(image, [conv({ activation: 'relu' }), flatten, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'conv same, stride 2': {
    net: defineNet(image, [
      conv({ padding: 'same', stride: 2, activation: 'tanh' }),
      conv({ size: 2 }),
      flatten,
      dense(4),
    ]),
    loss: 'softmax-cross-entropy',
  },
  'conv valid, stride 2': {
    net: defineNet(image, [conv({ stride: 2 }), conv({ size: 2, bias: false }), flatten, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'conv with a large window': {
    net: defineNet(
      [12, 12, 2],
      [conv({ size: 9, stride: 2, padding: 'same', filters: 4, activation: 'tanh' }), flatten, dense(4)],
    ),
    loss: 'softmax-cross-entropy',
  },
  'conv with a large window, valid': {
    net: defineNet([12, 12, 1], [conv({ size: 8, bias: false }), { kind: 'max-pool', size: 2 }, flatten, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'conv over many channels': {
    net: defineNet([5, 5, 24], [conv({ activation: 'relu' }), flatten, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'max pool': {
    net: defineNet(image, [conv({ bias: false }), { kind: 'max-pool', size: 2 }, flatten, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'max pool after a convolution over many channels, rows left over': {
    net: defineNet(
      [9, 9, 12],
      [conv({ bias: false, padding: 'same' }), { kind: 'max-pool', size: 2 }, conv({ size: 2 }), flatten, dense(4)],
    ),
    loss: 'softmax-cross-entropy',
  },
  'max pool of strided windows, then convolutions in blocks': {
    net: defineNet(
      [16, 16, 1],
      [
        conv({ size: 4, stride: 2, padding: 'same', filters: 2, bias: false }),
        { kind: 'max-pool', size: 3, stride: 3 },
        conv({ padding: 'same', filters: 5, activation: 'tanh' }),
        conv({ padding: 'same', filters: 2 }),
        flatten,
        dense(4),
      ],
    ),
    loss: 'softmax-cross-entropy',
  },
  'max pool, windows with gaps': {
    net: defineNet(image, [conv({ bias: false }), { kind: 'max-pool', size: 2, stride: 3 }, flatten, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'max pool, not dividing': {
    net: defineNet(image, [{ kind: 'max-pool', size: 3 }, conv({ size: 2 }), flatten, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'max pool on ties': {
    net: defineNet(image, [conv({ size: 1, activation: 'relu' }), { kind: 'max-pool', size: 2 }, flatten, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'max pool, overlapping': {
    net: defineNet(image, [conv({ size: 1 }), { kind: 'max-pool', size: 3, stride: 2 }, flatten, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'average pool': {
    net: defineNet(image, [
      conv({ activation: { leakyRelu: 0.2 } }),
      { kind: 'average-pool', size: 2 },
      flatten,
      dense(4),
    ]),
    loss: 'softmax-cross-entropy',
  },
  'average pool of a convolution': {
    net: defineNet(image, [conv({ size: 2, bias: false }), { kind: 'average-pool', size: 3 }, flatten, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
  'average pool, overlapping': {
    net: defineNet(image, [conv({ size: 1 }), { kind: 'average-pool', size: 3, stride: 2 }, flatten, dense(4)]),
    loss: 'softmax-cross-entropy',
  },
}

const isPooledConvolution = ({ layers: [first, second] }: Net): boolean =>
  first!.kind === 'conv2d' && (second!.kind === 'max-pool' || second!.kind === 'average-pool')

export function rowsFor(net: Net, loss: Loss, count: number): Rows {
  const random = new Random(7, 'rows')
  const size = net.inputShape.reduce((a, b) => a * b, 1)
  const features = Float32Array.from({ length: count * size }, () => Math.max(0, random.normal() * 0.6))
  const targets =
    loss === 'softmax-cross-entropy'
      ? Int32Array.from({ length: count }, () => random.below(net.outputShape[0]!))
      : Float32Array.from({ length: count * net.outputShape[0]! }, () => random.normal())
  return { features, targets }
}

const sequence = (length: number): Int32Array => Int32Array.from({ length }, (_, i) => i)
const optimizerOf = (kind: OptimizerSpec['kind']): OptimizerSpec => ({
  kind,
  learningRate: kind === 'sgd' || kind === 'adagrad' ? 0.05 : 0.005,
})

async function trainFifty(
  engine: Engine,
  net: Net,
  loss: Loss,
  optimizer: OptimizerSpec,
): Promise<{ losses: Float32Array; parameters: Float32Array; correct: Float32Array; norms: Float32Array }> {
  const training = await engine.train({
    net,
    loss,
    optimizer,
    rows: rowsFor(net, loss, steps * batch),
    batch,
    parameters: initialize(net, 1),
    dropoutSeed: 5,
    gradientNorms: true,
  })
  const { losses, correct, gradientNorms } = await training.run(sequence(steps * batch))
  const parameters = training.parameters()
  training.dispose()
  return { losses, parameters, correct, norms: gradientNorms }
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, relative: number): void {
  expect(actual).toHaveLength(expected.length)
  const scale = Math.max(...Array.from(expected, Math.abs), 1e-3)
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!) / Math.max(Math.abs(expected[i]!), scale * 1e-2)
    if (!(error <= relative))
      expect.fail(
        `element ${i}: ${actual[i]} against ${expected[i]}, off by ${error.toExponential(1)} (at most ${relative})`,
      )
  }
}

/** What every engine promises, of training alone or of measuring too; the reference is tfjs's own cpu backend. */
export function engineSuite(
  name: string,
  open: () => Promise<Engine>,
  supports: (net: string) => boolean = () => true,
  promised: 'training' | 'all' = 'all',
): void {
  describe(`the ${name} engine`, () => {
    let engine: Engine
    let reference: Engine
    beforeAll(async () => {
      reference = await createEngine('cpu')
      engine = await open()
    })
    afterAll(async () => {
      await engine.dispose()
      await reference.dispose()
    })

    const supported = Object.keys(nets).filter(supports)

    it.each(supported)('trains %s as tfjs does, step by step', async (key) => {
      const { net, loss } = nets[key]!
      const [ours, theirs] = [
        await trainFifty(engine, net, loss, optimizerOf('adam')),
        await trainFifty(reference, net, loss, optimizerOf('adam')),
      ]
      expectClose(ours.losses, theirs.losses, 1e-4)
      expectClose(ours.norms, theirs.norms, 2e-3)
      if (loss === 'softmax-cross-entropy') expect(ours.correct).toEqual(theirs.correct)
    })

    it.each(
      optimizerKinds.flatMap((kind) =>
        ['dense tanh, squared error', 'deep and thin, leaky relu, squared error'].map((of) => [kind, of] as const),
      ),
    )('updates by %s as the formula says, step by step: %s', async (kind, of) => {
      const { net, loss } = nets[of]!
      const [ours, theirs] = [
        await trainFifty(engine, net, loss, optimizerOf(kind)),
        await trainFifty(reference, net, loss, optimizerOf(kind)),
      ]
      expectClose(ours.losses, theirs.losses, 1e-4)
      expectClose(ours.parameters, theirs.parameters, 1e-3)
    })

    it('updates without an epsilon as the formula says: what has no gradient yet stays a number', async () => {
      const { net, loss } = nets['deep and thin, leaky relu, squared error']!
      for (const kind of ['adam', 'adagrad'] as const) {
        const optimizer = { ...optimizerOf(kind), epsilon: 0 }
        const ours = await trainFifty(engine, net, loss, optimizer)
        expectClose(ours.losses, (await trainFifty(reference, net, loss, optimizer)).losses, 1e-4)
        expect(ours.parameters.every(Number.isFinite)).toBe(true)
      }
    })

    it('updates by an optimiser that forgets at once as the formula says', async () => {
      const { net, loss } = nets['deep and thin, leaky relu, squared error']!
      const common = { learningRate: 1e-4, epsilon: 0.1 }
      const forgetful: OptimizerSpec[] = [
        { kind: 'adam', beta2: 0, ...common },
        { kind: 'adamax', beta2: 0, ...common },
        { kind: 'rmsprop', decay: 0, ...common },
      ]
      for (const optimizer of forgetful) {
        const ours = await trainFifty(engine, net, loss, optimizer)
        const theirs = await trainFifty(reference, net, loss, optimizer)
        expectClose(ours.losses, theirs.losses, 1e-4)
        expectClose(ours.parameters, theirs.parameters, 1e-3)
      }
    })

    it.each([
      ['weights of many numbers beside few', [130], [dense(130, { leakyRelu: 0.2 }), dense(140, 'relu'), dense(4)]],
      ['batches of many numbers', [6000], [dense(3, 'tanh'), dense(4)]],
    ] as const)('trains %s as tfjs does', async (_, inputShape, layers) => {
      const net = defineNet(inputShape, layers)
      const loss = 'softmax-cross-entropy'
      for (const kind of ['momentum', 'adagrad'] as const) {
        const ours = await trainFifty(engine, net, loss, optimizerOf(kind))
        const theirs = await trainFifty(reference, net, loss, optimizerOf(kind))
        expectClose(ours.losses, theirs.losses, 1e-4)
        expectClose(ours.norms, theirs.norms, 2e-3)
        expectClose(ours.parameters, theirs.parameters, 1e-2)
      }
    })

    it('trains a partial last batch too, and counts it by its rows', async () => {
      const { net, loss } = nets['dense relu']!
      const rows = rowsFor(net, loss, 31)
      const train = async (on: Engine) => {
        const training = await on.train({
          net,
          loss,
          optimizer: optimizerOf('sgd'),
          rows,
          batch,
          parameters: initialize(net, 1),
        })
        const result = await training.run(sequence(31))
        return { result, updates: training.updates, parameters: training.parameters() }
      }
      const [ours, theirs] = [await train(engine), await train(reference)]
      expect(ours.updates).toBe(3)
      expect(ours.result.losses).toHaveLength(3)
      expect(ours.result.loss).toBeCloseTo(
        (ours.result.losses[0]! * 12 + ours.result.losses[1]! * 12 + ours.result.losses[2]! * 7) / 31,
        5,
      )
      expectClose(ours.parameters, theirs.parameters, 1e-4)
    })

    it('goes on where it was: two halves of an epoch are the epoch', async () => {
      const { net, loss } = nets['dropout']!
      const rows = rowsFor(net, loss, 10 * batch)
      const open = () =>
        engine.train({
          net,
          loss,
          optimizer: optimizerOf('adam'),
          rows,
          batch,
          parameters: initialize(net, 1),
          dropoutSeed: 3,
        })
      const [whole, halves] = [await open(), await open()]
      await whole.run(sequence(10 * batch))
      await halves.run(sequence(10 * batch).subarray(0, 4 * batch))
      await halves.run(sequence(10 * batch).subarray(4 * batch))
      expect(halves.parameters()).toEqual(whole.parameters())
    })

    it.each([
      ...supported.map((of) => ({ of, kind: 'adam' as const, objective: 'loss' as const })),
      ...optimizerKinds.flatMap((kind) => [
        { of: 'dropout', kind, objective: 'loss' as const },
        { of: 'deep and thin, leaky relu, squared error', kind, objective: 'loss' as const },
      ]),
      { of: 'dense tanh, squared error', kind: 'adam' as const, objective: 'squared-gradient-norm' as const },
    ])('goes on from a state as if undisturbed, bit for bit: $of by $kind on the $objective', async (training) => {
      const { net, loss } = nets[training.of]!
      const rows = rowsFor(net, loss, 31)
      const open = (seed: number, from?: TrainingState) =>
        engine.train({
          ...{ net, loss, rows, batch, dropoutSeed: 3, gradientNorms: true, objective: training.objective },
          optimizer: optimizerOf(training.kind),
          parameters: initialize(net, seed),
          ...(from === undefined ? {} : { from }),
        })
      const whole = await open(1)
      const results = []
      const states = [whole.state()]
      for (let epoch = 0; epoch < 3; epoch++) {
        results.push(await whole.run(sequence(31)))
        states.push(whole.state())
      }
      const end = whole.state()
      whole.dispose()
      for (const [done, state] of states.slice(0, 3).entries()) {
        // The initial weights are another's: all that counts is in the state.
        const rest = await open(2, state)
        expect(rest.updates).toBe(3 * done)
        for (let epoch = done; epoch < 3; epoch++) expect(await rest.run(sequence(31))).toEqual(results[epoch])
        expect(rest.state()).toEqual(end)
        rest.dispose()
      }
    })

    it('refuses the state of another training', async () => {
      const { net, loss } = nets['dense relu']!
      const options = { net, loss, rows: rowsFor(net, loss, batch), batch, parameters: initialize(net, 1) }
      const training = await engine.train({ ...options, optimizer: optimizerOf('adam') })
      const from = training.state()
      training.dispose()
      await expect(engine.train({ ...options, optimizer: optimizerOf('sgd'), from })).rejects.toThrow(
        'the state of a training is of another one',
      )
    })

    it('gives the same bits every time, also beside another training', async () => {
      const { net, loss } = nets['max pool']!
      if (!supported.includes('max pool')) return
      const alone = await trainFifty(engine, net, loss, optimizerOf('adam'))
      const [one, other] = await Promise.all([
        trainFifty(engine, net, loss, optimizerOf('adam')),
        trainFifty(engine, net, loss, optimizerOf('adam')),
      ])
      expect(one).toEqual(alone)
      expect(other).toEqual(alone)
    })

    it('stops at an abort without finishing the epoch', async () => {
      const { net, loss } = nets['dense relu']!
      const rows = rowsFor(net, loss, 1000)
      const training = await engine.train({
        net,
        loss,
        optimizer: optimizerOf('sgd'),
        rows,
        batch: 1,
        parameters: initialize(net, 1),
      })
      const controller = new AbortController()
      const endless = Int32Array.from({ length: 2_000_000 }, (_, i) => i % 1000)
      setImmediate(() => controller.abort(new Error('enough')))
      await expect(training.run(endless, controller.signal)).rejects.toThrow('enough')
      expect(training.updates).toBeLessThan(2_000_000)
    })

    it("descends on the squared norm of the gradient, 2H∇L, and reports the loss's own value and norm", async () => {
      const { net, loss } = nets['dense tanh, squared error']!
      const rows = rowsFor(net, loss, batch)
      const parameters = initialize(net, 2)
      const { gradient } = await engine.curvature({ net, loss, rows }, parameters, new Float64Array(net.parameterCount))
      const { product, loss: mean } = await engine.curvature({ net, loss, rows }, parameters, gradient)
      const training = await engine.train({
        net,
        loss,
        rows,
        batch,
        parameters,
        optimizer: { kind: 'sgd', learningRate: 1 },
        gradientNorms: true,
        objective: 'squared-gradient-norm',
      })
      const { losses, gradientNorms } = await training.run(sequence(batch))
      const step = Float64Array.from(training.parameters(), (p, i) => parameters[i]! - p)
      expect(
        distance(
          step,
          product.map((value) => 2 * value),
        ),
      ).toBeLessThan(1e-4)
      expect(losses[0]).toBeCloseTo(mean, 5)
      expect(gradientNorms[0]).toBeCloseTo(Math.sqrt(gradient.reduce((s, g) => s + g * g, 0)), 4)
      training.dispose()
    })

    if (promised === 'training') return

    // A ReLU at exactly 0 has no derivative for differences to find; there tfjs's choice is the reference, above.
    it.each(supported.filter((key) => key !== 'dropout' && key !== 'max pool on ties'))(
      'gives the gradient of %s that central differences give',
      async (key) => {
        const { net, loss } = nets[key]!
        const rows = rowsFor(net, loss, 6)
        const parameters = initialize(net, 2)
        const { gradient } = await engine.gradient({ net, loss, rows }, parameters)
        const expected = centralDifferences(net, loss, rows, parameters)
        const norm = Math.sqrt(expected.reduce((sum, g) => sum + g * g, 0))
        const error = Math.sqrt(expected.reduce((sum, g, i) => sum + (g - gradient[i]!) ** 2, 0))
        expect(error / norm).toBeLessThan(1e-5)
      },
    )

    it('weighs every row once when evaluating, whatever the number of rows', async () => {
      const { net, loss } = nets['dense relu']!
      const parameters = initialize(net, 3)
      for (const count of [1, 249, 250, 251, 1100]) {
        const rows = rowsFor(net, loss, count)
        const [whole, theirs] = [
          await engine.evaluate({ net, loss, rows }, parameters),
          await reference.evaluate({ net, loss, rows }, parameters),
        ]
        expect(whole.loss).toBeCloseTo(theirs.loss, 5)
        expect(whole.accuracy).toBeCloseTo(theirs.accuracy, 9)
      }
    })

    it.each(supported.filter((key) => key !== 'dropout'))(
      'evaluates %s along a line as it evaluates each point by itself, and its ends bit for bit unless pooled',
      async (key) => {
        const { net, loss } = nets[key]!
        const rows = rowsFor(net, loss, 260)
        const ends = [initialize(net, 3), initialize(net, 4)]
        const coefficients = [-0.5, 0, 0.3, 1, 1.5].map((alpha) => [alpha, 1 - alpha])
        const line = await engine.evaluateCombinations({ net, loss, rows }, ends, coefficients)
        expect(line).toHaveLength(coefficients.length)
        for (const [i, [a, b]] of coefficients.entries()) {
          const point = ends[0]!.map((value, k) => a! * value + b! * ends[1]![k]!)
          const alone = await engine.evaluate({ net, loss, rows }, point)
          expect(Math.abs(line[i]!.loss / alone.loss - 1)).toBeLessThan(1e-4)
        }
        // A convolution that is pooled is evaluated in blocks, whose products may be summed in another order.
        for (const [at, end] of [ends[1]!, ends[0]!].entries()) {
          const [onLine, alone] = [line[2 * at + 1]!, await engine.evaluate({ net, loss, rows }, end)]
          if (isPooledConvolution(net)) expect(onLine.loss).toBeCloseTo(alone.loss, 6)
          else expect(onLine).toEqual(alone)
        }
      },
    )

    it('measures with dropout on as tfjs does: the loss, its gradient and its curvature, of any number of rows', async () => {
      const { net, loss } = nets['dropout']!
      const parameters = initialize(net, 3)
      const vector = Float64Array.from(parameters, (_, i) => Math.sin(i))
      for (const count of [1, 251, 1100]) {
        const options = { net, loss, rows: rowsFor(net, loss, count), dropoutSeed: 8 }
        const [value, off, theirs] = [
          await engine.evaluate(options, parameters),
          await engine.evaluate({ net, loss, rows: options.rows }, parameters),
          await reference.evaluate(options, parameters),
        ]
        expect(value.loss).toBeCloseTo(theirs.loss, 5)
        expect(value.accuracy).toBeCloseTo(theirs.accuracy, 9)
        expect(Math.abs(value.loss - off.loss)).toBeGreaterThan(1e-4)
        const [slope, bend] = [
          await engine.gradient(options, parameters),
          await engine.curvature(options, parameters, vector),
        ]
        expect(slope.loss).toBeCloseTo(value.loss, 5)
        expect(bend.loss).toBeCloseTo(value.loss, 5)
        expect(distance(slope.gradient, bend.gradient)).toBeLessThan(1e-5)
        expect(distance(bend.product, (await reference.curvature(options, parameters, vector)).product)).toBeLessThan(
          1e-4,
        )
      }
    })

    it('drops inputs as often as the rate says, and scales the others up, by the closed form for a linear net', async () => {
      // One output w·(m∘x) for masks m: E(w·(m∘x) − y)² = (w·x − y)² + r/(1−r) Σ (wᵢxᵢ)² at rate r.
      const net = defineNet([7], [{ kind: 'dropout', rate: 0.3 }, dense(1)])
      const rows = rowsFor(net, 'mean-squared-error', 4000)
      const parameters = initialize(net, 3)
      const spread = rows.features.reduce((sum, x, i) => sum + (parameters[i % 7]! * x) ** 2, 0) / 4000
      const { loss } = await engine.evaluate({ net, loss: 'mean-squared-error', rows }, parameters)
      const dropped = await engine.evaluate({ net, loss: 'mean-squared-error', rows, dropoutSeed: 1 }, parameters)
      const expected = loss + (0.3 / 0.7) * spread
      expect(Math.abs(dropped.loss / expected - 1)).toBeLessThan(0.03)
      expect(dropped.loss / loss).toBeGreaterThan(1.06)
    })

    it('evaluates only the rows of the order', async () => {
      const { net, loss } = nets['dense relu']!
      const rows = rowsFor(net, loss, 40)
      const parameters = initialize(net, 3)
      const order = Int32Array.from([3, 17, 5])
      const picked: Rows = {
        features: Float32Array.from([...order].flatMap((row) => [...rows.features.subarray(row * 7, row * 7 + 7)])),
        targets: Int32Array.from(order, (row) => rows.targets[row]!),
      }
      const [a, b] = [
        await engine.evaluate({ net, loss, rows, order }, parameters),
        await engine.evaluate({ net, loss, rows: picked }, parameters),
      ]
      expect(a.loss).toBeCloseTo(b.loss, 6)
    })

    it('gives the outputs that the loss is computed from', async () => {
      const { net, loss } = nets['dense relu']!
      const rows = rowsFor(net, loss, 260)
      const parameters = initialize(net, 4)
      const outputs = await engine.outputs(net, rows.features, parameters)
      const losses = Array.from({ length: 260 }, (_, row) => {
        const logits = outputs.subarray(row * 4, row * 4 + 4)
        return Math.log(logits.reduce((sum, z) => sum + Math.exp(z), 0)) - logits[rows.targets[row]!]!
      })
      const { loss: mean } = await engine.evaluate({ net, loss, rows }, parameters)
      expect(losses.reduce((a, b) => a + b, 0) / 260).toBeCloseTo(mean, 5)
    })

    const smooth = supported.filter((key) => key !== 'dropout' && key !== 'max pool on ties')
    it.each(smooth)("multiplies the Hessian of %s by a vector as the gradient's differences do", async (key) => {
      const { net, loss } = nets[key]!
      const rows = rowsFor(net, loss, 5)
      const parameters = initialize(net, 2)
      const random = new Random(4, 'direction')
      const vector = Float64Array.from(parameters, () => random.normal())
      const along = (h: number): Float64Array =>
        centralDifferences(
          net,
          loss,
          rows,
          Float64Array.from(parameters, (p, i) => p + h * vector[i]!),
        )
      const multiply = engine.curvature({ net, loss, rows }, parameters, vector)
      if (overlapping(net)) return expect(multiply).rejects.toThrow('MaxPoolGrad with overlapping windows')
      const h = 1e-5
      const [above, below] = [along(h), along(-h)]
      const expected = above.map((value, i) => (value - below[i]!) / (2 * h))
      const { product, gradient, loss: mean } = await multiply
      expect(distance(product, expected)).toBeLessThan(1e-4)
      expect(distance(gradient, along(0))).toBeLessThan(1e-5)
      expect(mean).toBeCloseTo(forwardLoss(net, loss, rows, Float64Array.from(parameters)), 5)
    })

    it.each(smooth)('differentiates %s with respect to its inputs as differences do', async (key) => {
      const { net, loss } = nets[key]!
      // Flat black parts tie, and at a tie of maxima there is no derivative for differences to find.
      const random = new Random(6, 'no ties')
      const even = rowsFor(net, loss, 3)
      const rows = { ...even, features: even.features.map((x) => x + 0.1 * random.uniform()) }
      const parameters = initialize(net, 2)
      const at = Float64Array.from(rows.features)
      const gradients = await engine.inputGradients({ net, loss, rows }, parameters)
      const lossesSum = (): number =>
        3 * forwardLoss(net, loss, { ...rows, features: at as never }, Float64Array.from(parameters))
      const expected = at.map((value, i) => {
        const h = 1e-6
        at[i] = value + h
        const above = lossesSum()
        at[i] = value - h
        const below = lossesSum()
        at[i] = value
        return (above - below) / (2 * h)
      })
      expect(distance(gradients, expected)).toBeLessThan(1e-4)
    })

    it('gives the Jacobian of logits and of probabilities, whatever the number of rows', async () => {
      const { net, loss } = nets['dense sigmoid']!
      const parameters = initialize(net, 5)
      for (const count of [2, 251]) {
        const { features } = rowsFor(net, loss, count)
        const at = async (values: Float32Array, of: string): Promise<number[][]> => {
          const logits = await engine.outputs(net, values, parameters)
          return Array.from({ length: count }, (_, row) => {
            const own = [...logits.subarray(row * 4, row * 4 + 4)]
            const sum = own.reduce((s, z) => s + Math.exp(z), 0)
            return of === 'logits' ? own : own.map((z) => Math.exp(z) / sum)
          })
        }
        for (const of of ['logits', 'probabilities'] as const) {
          const jacobians = await engine.inputJacobians({ net, features, of }, parameters)
          expect(jacobians).toHaveLength(count * 4 * 7)
          const h = 0.01
          const moved = (sign: number) => features.map((x, i) => (i % 7 === 3 ? x + sign * h : x))
          const [above, below] = [await at(moved(1), of), await at(moved(-1), of)]
          above.forEach((row, r) =>
            row.forEach((value, k) =>
              expect(jacobians[(r * 4 + k) * 7 + 3]).toBeCloseTo((value - below[r]![k]!) / (2 * h), 3),
            ),
          )
        }
      }
    })
  })
}

const overlapping = (net: Net): boolean =>
  net.layers.some((layer) => layer.kind === 'max-pool' && (layer.stride ?? layer.size) < layer.size)

/** ‖actual − expected‖ / ‖expected‖. */
function distance(actual: ArrayLike<number>, expected: Float64Array): number {
  const error = Math.sqrt(expected.reduce((sum, value, i) => sum + (value - actual[i]!) ** 2, 0))
  return error / Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0))
}

/** Gradient by central differences over a float64 forward pass of our own, independent of tfjs. */
function centralDifferences(net: Net, loss: Loss, rows: Rows, parameters: ArrayLike<number>): Float64Array {
  const at = Float64Array.from(parameters)
  const h = 1e-5
  return at.map((value, i) => {
    at[i] = value + h
    const above = forwardLoss(net, loss, rows, at)
    at[i] = value - h
    const below = forwardLoss(net, loss, rows, at)
    at[i] = value
    return (above - below) / (2 * h)
  })
}

type Volume = { height: number; width: number; channels: number; data: Float64Array }

function forwardLoss(net: Net, loss: Loss, rows: Rows, parameters: Float64Array): number {
  const size = net.inputShape.reduce((a, b) => a * b, 1)
  const count = rows.features.length / size
  let sum = 0
  for (let row = 0; row < count; row++) {
    const [height, width, channels] =
      net.inputShape.length === 3 ? (net.inputShape as [number, number, number]) : [1, 1, size]
    let value: Volume = {
      height,
      width,
      channels,
      data: Float64Array.from(rows.features.subarray(row * size, (row + 1) * size)),
    }
    net.layers.forEach((layer, index) => {
      const own = net.parameters
        .filter((p) => p.layer === index)
        .map((p) => parameters.subarray(p.offset, p.offset + p.size))
      value = forwardLayer(layer, own, value)
    })
    const outputs = value.data
    if (loss === 'softmax-cross-entropy')
      sum += Math.log(outputs.reduce((s, z) => s + Math.exp(z), 0)) - outputs[rows.targets[row]!]!
    else sum += outputs.reduce((s, y, i) => s + (y - rows.targets[row * outputs.length + i]!) ** 2, 0) / outputs.length
  }
  return sum / count
}

function forwardLayer(layer: Layer, [kernel, bias]: Float64Array[], input: Volume): Volume {
  switch (layer.kind) {
    case 'dense': {
      const data = Float64Array.from({ length: layer.units }, (_, u) =>
        input.data.reduce((s, x, i) => s + x * kernel![i * layer.units + u]!, bias?.[u] ?? 0),
      )
      return { height: 1, width: 1, channels: layer.units, data: act(data, layer.activation) }
    }
    case 'conv2d': {
      const { size, filters, stride = 1, padding = 'valid' } = layer
      const extent = (n: number): number =>
        padding === 'same' ? Math.ceil(n / stride) : Math.floor((n - size) / stride) + 1
      const [height, width] = [extent(input.height), extent(input.width)]
      const pad = (n: number, out: number): number =>
        padding === 'same' ? Math.floor(Math.max(0, (out - 1) * stride + size - n) / 2) : 0
      const [top, left] = [pad(input.height, height), pad(input.width, width)]
      const data = new Float64Array(height * width * filters)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          for (let f = 0; f < filters; f++) {
            let s = bias?.[f] ?? 0
            for (let i = 0; i < size; i++)
              for (let j = 0; j < size; j++) {
                const [r, c] = [y * stride + i - top, x * stride + j - left]
                if (r < 0 || c < 0 || r >= input.height || c >= input.width) continue
                for (let k = 0; k < input.channels; k++)
                  s +=
                    input.data[(r * input.width + c) * input.channels + k]! *
                    kernel![((i * size + j) * input.channels + k) * filters + f]!
              }
            data[(y * width + x) * filters + f] = s
          }
      return { height, width, channels: filters, data: act(data, layer.activation) }
    }
    case 'max-pool':
    case 'average-pool': {
      const { size, stride = size } = layer
      const extent = (n: number): number => Math.floor((n - size) / stride) + 1
      const [height, width] = [extent(input.height), extent(input.width)]
      const data = new Float64Array(height * width * input.channels)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          for (let c = 0; c < input.channels; c++) {
            const window: number[] = []
            for (let i = 0; i < size; i++)
              for (let j = 0; j < size; j++)
                window.push(input.data[((y * stride + i) * input.width + x * stride + j) * input.channels + c]!)
            data[(y * width + x) * input.channels + c] =
              layer.kind === 'max-pool' ? Math.max(...window) : window.reduce((a, b) => a + b, 0) / window.length
          }
      return { height, width, channels: input.channels, data }
    }
    case 'flatten':
      return { height: 1, width: 1, channels: input.data.length, data: input.data }
    case 'dropout':
      return input
    case 'activation':
      return { ...input, data: act(input.data, layer.activation) }
  }
}

function act(values: Float64Array, activation: Activation = 'linear'): Float64Array {
  switch (activation) {
    case 'linear':
      return values
    case 'relu':
      return values.map((x) => Math.max(0, x))
    case 'tanh':
      return values.map(Math.tanh)
    case 'sigmoid':
      return values.map((x) => 1 / (1 + Math.exp(-x)))
    case 'softmax': {
      const exps = values.map(Math.exp)
      const sum = exps.reduce((a, b) => a + b, 0)
      return exps.map((e) => e / sum)
    }
    default:
      return values.map((x) => (x > 0 ? x : activation.leakyRelu * x))
  }
}
