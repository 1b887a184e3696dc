import * as tf from '@tensorflow/tfjs-core'
import { dropoutLayers, updateDropoutMasks } from '../../net/dropout.js'
import { applyNet, correctPerRow, meanLoss, squaredGradientNorm } from '../apply.js'
import type { EpochResult, Training, TrainingOptions, TrainingState } from '../engine.js'
import { summariseEpoch, type StepMeasurements } from '../epoch.js'
import { optimizerRules } from '../optimizers.js'
import { restoreState } from '../training-state.js'
import { breathe, gather, join, split, total } from './tensors.js'

/** A training by tfjs, one operation after the other; `on` runs tfjs code and frees its tensors. */
export class EagerTraining implements Training {
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
    if (options.from !== undefined) this.#updates = restoreState(options.from, [this.#parameters, ...this.#slots])
  }

  get updates(): number {
    return this.#updates
  }

  parameters(): Float32Array {
    return this.#parameters.slice()
  }

  state(): TrainingState {
    return { updates: this.#updates, vectors: [this.#parameters, ...this.#slots].map((vector) => vector.slice()) }
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
    return summariseEpoch(measured, this.options.loss)
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
