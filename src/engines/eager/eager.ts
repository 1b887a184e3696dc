import * as tf from '@tensorflow/tfjs-core'
// tfjs-core's Node build leaves its gradients out; the layers package brings them.
import '@tensorflow/tfjs-layers'
import { UnavailableError } from '../../core/errors.js'
import type { EngineName } from '../../core/trial.js'
import { applyNet, correctPerRow, hessianProduct, lossPerRow, meanLoss, squaredGradientNorm } from '../apply.js'
import { dropoutLayers, rowDropoutMasks, updateDropoutMasks } from '../../net/dropout.js'
import type {
  Curvature,
  Engine,
  EpochResult,
  Evaluation,
  EvaluationOptions,
  MeasurementOptions,
  Rows,
  Training,
  TrainingOptions,
} from '../engine.js'
import { sizeOf, type Net } from '../../net/net.js'
import { optimizerRules } from '../optimizers.js'
import { summarizeEpoch, type Loss, type StepMeasurements } from '../../net/training-spec.js'

const evaluationRows = 250

// tfjs's checks and its advice to install another package are for developers of nets, once a program.
tf.enableProdMode()

/** Plain tfjs, one operation after the other: the reference, and the way out for what cannot be compiled. */
export class EagerEngine implements Engine {
  /** `backend` is tfjs's name of a backend that has been registered. */
  constructor(
    readonly name: EngineName,
    private readonly backend: string,
  ) {}

  /** Runs synchronous tfjs code on this engine's backend and frees every tensor it made. */
  #on<T>(compute: () => T): T {
    void tf.setBackend(this.backend)
    tf.engine().startScope()
    try {
      return compute()
    } catch (error) {
      const missing = /gradient function not found for ([\w ]+)/.exec((error as Error).message)?.[1]
      if (missing === undefined) throw error
      throw new UnavailableError(`the ${this.name} engine lacks an operation: the gradient of ${missing}`, {
        hint: 'TensorFlow.js cannot differentiate twice through it; a net without that layer can be',
        cause: error,
      })
    } finally {
      tf.engine().endScope()
    }
  }

  async train(options: TrainingOptions): Promise<Training> {
    return new EagerTraining(options, (compute) => this.#on(compute))
  }

  async evaluate(options: MeasurementOptions, parameters: Float32Array, signal?: AbortSignal): Promise<Evaluation> {
    const { net, loss, rows } = options
    const order = options.order ?? allRows(net, rows.features)
    let [sum, correct] = [0, 0]
    for (const [part, first] of parts(order)) {
      await breathe(signal)
      this.#on(() => {
        const { batch, targets } = gather(net, loss, rows, part)
        const dropoutMasks = masksOf(options, first, part.length)
        const outputs = applyNet(net, split(net, parameters), batch, { dropoutMasks })
        sum += total(lossPerRow(loss, outputs, targets))
        if (loss === 'softmax-cross-entropy') correct += total(correctPerRow(outputs, targets))
      })
    }
    return { loss: sum / order.length, accuracy: loss === 'softmax-cross-entropy' ? correct / order.length : NaN }
  }

  async evaluateCombinations(
    options: EvaluationOptions,
    basis: readonly Float32Array[],
    coefficients: readonly (readonly number[])[],
    signal?: AbortSignal,
  ): Promise<Evaluation[]> {
    const evaluations: Evaluation[] = []
    for (const point of coefficients) {
      const parameters = new Float32Array(options.net.parameterCount)
      basis.forEach((values, j) => {
        if (point[j] !== 0) values.forEach((value, i) => (parameters[i]! += point[j]! * value))
      })
      evaluations.push(await this.evaluate(options, parameters, signal))
    }
    return evaluations
  }

  async gradient(
    options: MeasurementOptions,
    parameters: Float32Array,
    signal?: AbortSignal,
  ): Promise<{ loss: number; gradient: Float32Array }> {
    const { net, loss, rows } = options
    const order = options.order ?? allRows(net, rows.features)
    const sum = new Float64Array(net.parameterCount)
    let lossSum = 0
    for (const [part, first] of parts(order)) {
      await breathe(signal)
      this.#on(() => {
        const { batch, targets } = gather(net, loss, rows, part)
        const dropoutMasks = masksOf(options, first, part.length)
        const { value, grads } = tf.valueAndGrads((...current: tf.Tensor[]) =>
          tf.sum<tf.Scalar>(lossPerRow(loss, applyNet(net, current, batch, { dropoutMasks }), targets)),
        )(split(net, parameters))
        lossSum += value.dataSync()[0]!
        join(net, grads).forEach((v, i) => (sum[i]! += v))
      })
    }
    return { loss: lossSum / order.length, gradient: Float32Array.from(sum, (v) => v / order.length) }
  }

  async outputs(
    net: Net,
    features: Float32Array,
    parameters: Float32Array,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const width = sizeOf(net.outputShape)
    const order = allRows(net, features)
    const outputs = new Float32Array(order.length * width)
    let at = 0
    for (const [part] of parts(order)) {
      await breathe(signal)
      this.#on(() =>
        outputs.set(applyNet(net, split(net, parameters), gatherFeatures(net, features, part)).dataSync(), at),
      )
      at += part.length * width
    }
    return outputs
  }

  async inputGradients(
    options: EvaluationOptions,
    parameters: Float32Array,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const { net, loss, rows } = options
    const order = options.order ?? allRows(net, rows.features)
    const gradients = new Float32Array(order.length * rowSize(net))
    let at = 0
    for (const [part] of parts(order)) {
      await breathe(signal)
      this.#on(() => {
        const { batch, targets } = gather(net, loss, rows, part)
        const current = split(net, parameters)
        const gradient = tf.grad((x) => tf.sum(lossPerRow(loss, applyNet(net, current, x), targets)))(batch)
        gradients.set(gradient.dataSync(), at)
      })
      at += part.length * rowSize(net)
    }
    return gradients
  }

  async inputJacobians(
    { net, features, of }: { net: Net; features: Float32Array; of: 'logits' | 'probabilities' },
    parameters: Float32Array,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const outputs = sizeOf(net.outputShape)
    const order = allRows(net, features)
    const jacobians = new Float32Array(order.length * outputs * rowSize(net))
    for (const [part] of parts(order)) {
      await breathe(signal)
      for (let k = 0; k < outputs; k++)
        this.#on(() => {
          const current = split(net, parameters)
          const gradient = tf.grad((x) => {
            const logits = applyNet(net, current, x)
            return tf.sum(tf.gather(of === 'logits' ? logits : tf.softmax(logits), [k], 1))
          })(gatherFeatures(net, features, part))
          const values = gradient.dataSync()
          part.forEach((row, i) =>
            jacobians.set(
              values.subarray(i * rowSize(net), (i + 1) * rowSize(net)),
              (row * outputs + k) * rowSize(net),
            ),
          )
        })
    }
    return jacobians
  }

  async curvature(
    options: MeasurementOptions,
    parameters: Float32Array | Float64Array,
    vector: ArrayLike<number>,
    signal?: AbortSignal,
  ): Promise<Curvature> {
    const { net, loss, rows } = options
    const order = options.order ?? allRows(net, rows.features)
    const gradient = new Float64Array(net.parameterCount)
    const product = new Float64Array(net.parameterCount)
    let sum = 0
    for (const [part, first] of parts(order)) {
      await breathe(signal)
      this.#on(() => {
        const { batch, targets } = gather(net, loss, rows, part)
        const dropoutMasks = masksOf(options, first, part.length)
        const lossOf = (...current: tf.Tensor[]): tf.Scalar =>
          tf.sum(lossPerRow(loss, applyNet(net, current, batch, { dropoutMasks }), targets))
        const direction = split(net, Float32Array.from(vector))
        const products = hessianProduct(
          lossOf,
          split(net, Float32Array.from(parameters)),
          direction,
          (value, grads) => {
            sum += value.dataSync()[0]!
            join(net, grads).forEach((v, i) => (gradient[i]! += v))
          },
        )
        join(net, products).forEach((v, i) => (product[i]! += v))
      })
    }
    const mean = (value: number): number => value / order.length
    return { loss: mean(sum), gradient: gradient.map(mean), product: product.map(mean) }
  }

  async dispose(): Promise<void> {}
}

/** Parts of the order, each with the position of its first row. */
function* parts(order: Int32Array): Generator<[Int32Array, number]> {
  for (let first = 0; first < order.length; first += evaluationRows)
    yield [order.subarray(first, first + evaluationRows), first]
}

/** Masks for rows at these positions of the order; none where dropout is off. */
function masksOf({ net, dropoutSeed }: MeasurementOptions, first: number, rows: number): tf.Tensor[] {
  if (dropoutSeed === undefined) return []
  return dropoutLayers(net).map((layer) =>
    tf.tensor(rowDropoutMasks(layer, dropoutSeed, first, rows), [rows, ...layer.shape]),
  )
}

/** Lets other work and an abort in between two steps. */
async function breathe(signal?: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  signal?.throwIfAborted()
}

const rowSize = (net: Net): number => sizeOf(net.inputShape)
const total = (tensor: tf.Tensor): number => (tensor.dataSync() as Float32Array).reduce((sum, value) => sum + value, 0)

function allRows(net: Net, features: Float32Array): Int32Array {
  return Int32Array.from({ length: features.length / rowSize(net) }, (_, i) => i)
}

function gatherFeatures(net: Net, features: Float32Array, order: Int32Array): tf.Tensor {
  const size = rowSize(net)
  const gathered = new Float32Array(order.length * size)
  order.forEach((row, i) => gathered.set(features.subarray(row * size, (row + 1) * size), i * size))
  return tf.tensor(gathered, [order.length, ...net.inputShape])
}

function gather(
  net: Net,
  loss: Loss,
  { features, targets }: Rows,
  order: Int32Array,
): { batch: tf.Tensor; targets: tf.Tensor } {
  const batch = gatherFeatures(net, features, order)
  if (loss === 'softmax-cross-entropy')
    return {
      batch,
      targets: tf.tensor1d(
        Int32Array.from(order, (row) => targets[row]!),
        'int32',
      ),
    }
  const width = sizeOf(net.outputShape)
  const gathered = new Float32Array(order.length * width)
  order.forEach((row, i) => gathered.set(targets.subarray(row * width, (row + 1) * width), i * width))
  return { batch, targets: tf.tensor(gathered, [order.length, ...net.outputShape]) }
}

/** The flat vector as tensors, one a parameter. */
function split(net: Net, flat: Float32Array): tf.Tensor[] {
  return net.parameters.map(({ offset, size, shape }) => tf.tensor(flat.slice(offset, offset + size), [...shape]))
}

function join(net: Net, tensors: readonly tf.Tensor[]): Float32Array {
  const flat = new Float32Array(net.parameterCount)
  net.parameters.forEach(({ offset }, i) => flat.set(tensors[i]!.dataSync(), offset))
  return flat
}

class EagerTraining implements Training {
  #parameters: Float32Array
  readonly #slots: Float32Array[]
  #updates = 0

  constructor(
    private readonly options: TrainingOptions,
    private readonly on: <T>(compute: () => T) => T,
  ) {
    const { net, optimizer, parameters } = options
    const rule = optimizerRules[optimizer.kind]
    this.#parameters = parameters.slice()
    this.#slots = Array.from({ length: rule.slots }, () =>
      new Float32Array(net.parameterCount).fill(rule.initial(optimizer)),
    )
  }

  get updates(): number {
    return this.#updates
  }

  parameters(): Float32Array {
    return this.#parameters.slice()
  }

  async run(order: Int32Array, signal?: AbortSignal): Promise<EpochResult> {
    const measured: { [K in keyof StepMeasurements]: number[] } = { losses: [], correct: [], norms: [], rows: [] }
    for (let first = 0; first < order.length; first += this.options.batch) {
      await breathe(signal)
      const part = order.subarray(first, first + this.options.batch)
      const { loss, correct, norm } = this.on(() => this.#step(part))
      measured.losses.push(loss)
      measured.correct.push(correct)
      if (this.options.gradientNorms === true) measured.norms.push(norm)
      measured.rows.push(part.length)
    }
    return summarizeEpoch(measured, this.options.loss)
  }

  #step(order: Int32Array): { loss: number; correct: number; norm: number } {
    const { net, loss, rows, optimizer } = this.options
    const { batch, targets } = gather(net, loss, rows, order)
    const dropoutMasks = dropoutLayers(net).map((layer) => {
      const mask = updateDropoutMasks(layer, this.options.dropoutSeed ?? 0, this.#updates, order.length)
      return tf.tensor(mask, [order.length, ...layer.shape])
    })
    let outputs: tf.Tensor | undefined
    const lossOf = (...current: tf.Tensor[]): tf.Scalar => {
      outputs = tf.keep(applyNet(net, current, batch, { dropoutMasks }))
      return meanLoss(loss, outputs, targets)
    }
    let measured: Float32Array | undefined
    const { value, grads } =
      this.options.objective === 'squared-gradient-norm'
        ? squaredGradientNorm(lossOf, split(net, this.#parameters), (inner) => (measured = join(net, inner)))
        : tf.valueAndGrads(lossOf)(split(net, this.#parameters))
    const correct = loss === 'softmax-cross-entropy' ? total(correctPerRow(outputs!, targets)) : 0
    outputs!.dispose()
    const gradient = join(net, grads)
    const rule = optimizerRules[optimizer.kind]
    this.#updates++
    rule.apply(this.#parameters, gradient, this.#slots, this.#updates, rule.hyperparameters(optimizer))
    const meanOfBatch = value.dataSync()[0]!
    value.dispose()
    return { loss: meanOfBatch, correct, norm: Math.hypot(...chunkNorms(measured ?? gradient)) }
  }

  dispose(): void {
    this.#parameters = new Float32Array(0)
  }
}

/** Norms of blocks, so that the norm of a million numbers is not an argument list of a million. */
function chunkNorms(values: Float32Array): number[] {
  const norms: number[] = []
  for (let first = 0; first < values.length; first += 4096) {
    let sum = 0
    for (const value of values.subarray(first, first + 4096)) sum += value * value
    norms.push(Math.sqrt(sum))
  }
  return norms
}
