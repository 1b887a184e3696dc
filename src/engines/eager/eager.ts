import * as tf from '@tensorflow/tfjs-core'
// tfjs-core's Node build leaves its gradients out; the layers package brings them.
import '@tensorflow/tfjs-layers'
import { UnavailableError } from '../../core/errors.js'
import type { EngineName } from '../../core/trial.js'
import { applyNet, correctPerRow, hessianProduct, lossPerRow } from '../apply.js'
import { dropoutLayers, rowDropoutMasks } from '../../net/dropout.js'
import type {
  Curvature,
  Engine,
  Evaluation,
  EvaluationOptions,
  MeasurementOptions,
  Training,
  TrainingOptions,
} from '../engine.js'
import { sizeOf, type Net } from '../../net/net.js'
import { EagerTraining } from './eager-training.js'
import { allRows, breathe, gather, gatherFeatures, join, rowSize, split, total } from './tensors.js'

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
