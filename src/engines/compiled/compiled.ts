import type * as ort from 'onnxruntime-node'
import { maxOf } from '../../core/extremes.js'
import { buildCombinations } from './programs/combination-program.js'
import { buildCurvature, buildInputGradients, buildInputJacobians } from './programs/derivative-programs.js'
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
import { allRows, chunks, collect, dropoutOf, evaluationRows, summedChunks, type ChunkOptions } from './chunks.js'
import { CompiledTraining } from './compiled-training.js'
import { Tensor } from './onnx-runtime.js'
import { hasNoMemory } from '../optimizers.js'
import { buildEvaluation, buildGradient, buildOutputs } from './programs/loss-programs.js'
import { isOfImages, SessionCache } from './session-cache.js'
import { storeFeatures, storeRows } from './stored-rows.js'
import { batchSupply } from './training-batches.js'
import { buildStep } from './programs/step-program.js'
import { stateBytes, StepwiseTraining } from './stepwise-training.js'
import { buildTraining } from './programs/training-program.js'
import { unchanged, homogeneousNet } from './programs/homogeneous-net.js'
import { maxMemoryBytes, VectorMemories } from './vector-memory.js'

/** Numbers of one layer that a chunk of derivatives may make (4 MB): all layers' are held at once, some several times. */
const derivativeNumbers = 2 ** 20
/** Points of weight space a call evaluates: enough to share the first layer's products, short enough to be aborted. */
const pointsPerCall = 64
/** From so many parameters on, an update of our own spares more than a call for each step costs. */
const stepwiseParameters = 120_000

/**
 * Training steps traced once, lowered to ONNX and run by ONNX Runtime on the calling thread: one call runs many steps, or
 * one of a large net.
 * Deterministic: one thread, operations in a fixed order.
 */
export class CompiledEngine implements Engine {
  readonly name = 'compiled'
  readonly #programs = new SessionCache()
  readonly #memories = new VectorMemories()

  /** `stepwiseFrom`: nets of so many parameters are trained a step a call. */
  constructor(private readonly stepwiseFrom = stepwiseParameters) {}

  async train(options: TrainingOptions): Promise<Training> {
    const { net, objective = 'loss' } = options
    const stepwise =
      objective === 'loss' && net.parameterCount >= this.stepwiseFrom && stateBytes(options) <= maxMemoryBytes
    return stepwise ? this.#trainStepwise(options) : this.#trainInCalls(options)
  }

  /** Many steps a call. */
  async #trainInCalls(options: TrainingOptions): Promise<Training> {
    const { net, loss, optimizer, gradientNorms = false, objective = 'loss' } = options
    // What descends on the gradient's norm differentiates it again, which a constant unit would take part in; and where the
    // optimiser forgets at once, nothing keeps the unit's own weights as they are.
    const asGiven = objective !== 'loss' || hasNoMemory(optimizer)
    const trained = asGiven ? unchanged(net) : homogeneousNet(net)
    const supply = batchSupply(net, trained.net, options.rows)
    const shape = { loss, optimizer: optimizer.kind, gradientNorms, objective, asGiven, batches: supply.kind }
    const { open, close } = this.#programs.byBatch(net, { program: 'training', ...shape }, (batch) =>
      buildTraining({ trained, batch, ...shape }),
    )
    // Compiled now, so that what can't be lowered is said before anything has been trained.
    await open(options.batch)
    return new CompiledTraining(options, trained, supply, open, close)
  }

  /** One step a call, and an update of our own. */
  async #trainStepwise(options: TrainingOptions): Promise<Training> {
    const { net, loss, gradientNorms = false } = options
    const { storage, feeds } = storeRows(net, options.rows)
    const shape = { loss, gradientNorms, storage }
    const { open, close } = this.#programs.byBatch(net, { program: 'step', ...shape }, (batch) =>
      buildStep({ net, batch, ...shape }),
    )
    await open(options.batch)
    const memory = this.#memories.take(stateBytes(options))
    return new StepwiseTraining(options, memory, feeds, open, () => {
      this.#memories.giveBack(memory)
      close()
    })
  }

  async evaluate(options: MeasurementOptions, parameters: Float32Array, signal?: AbortSignal): Promise<Evaluation> {
    const { net, loss, rows, dropoutSeed } = options
    const dropout = dropoutSeed !== undefined
    const { storage, feeds: stored } = storeRows(net, rows)
    const session = await this.#programs.open(net, { program: 'evaluation', loss, storage, dropout }, () =>
      buildEvaluation(net, loss, storage, evaluationRows, dropout),
    )
    const order = options.order ?? allRows(rows, net)
    const feeds = { ...stored, parameters: vector(parameters) }
    let [sum, correct] = [0, 0]
    for await (const { result, count } of chunks(session, feeds, order, signal, dropoutOf(options))) {
      const losses = result['losses']!.data as Float32Array
      const hits = result['correct']!.data as Float32Array
      for (let i = 0; i < count; i++) {
        sum += losses[i]!
        correct += hits[i]!
      }
    }
    return { loss: sum / order.length, accuracy: loss === 'softmax-cross-entropy' ? correct / order.length : NaN }
  }

  async evaluateCombinations(
    options: EvaluationOptions,
    basis: readonly Float32Array[],
    coefficients: readonly (readonly number[])[],
    signal?: AbortSignal,
  ): Promise<Evaluation[]> {
    const { net, loss, rows } = options
    const { storage, feeds: stored } = storeRows(net, rows)
    const session = await this.#programs.open(
      net,
      { program: 'combinations', loss, storage, basis: basis.length },
      () => buildCombinations(net, loss, storage, evaluationRows, basis.length),
    )
    const order = options.order ?? allRows(rows, net)
    const vectors = Object.fromEntries(basis.map((values, j) => [`basis${j}`, vector(values)]))
    const feeds = { ...stored, ...vectors }
    const sums = coefficients.map(() => ({ loss: 0, correct: 0 }))
    for (let from = 0; from < coefficients.length; from += pointsPerCall) {
      const points = coefficients.slice(from, from + pointsPerCall)
      const wanted = new Tensor('float32', Float32Array.from(points.flat()), [points.length, basis.length])
      for (let first = 0; first < order.length; first += evaluationRows) {
        signal?.throwIfAborted()
        const part = order.subarray(first, first + evaluationRows)
        // A short last chunk is filled up with a row that is then left out.
        const indexes = new Int32Array(evaluationRows).fill(order[0]!)
        indexes.set(part)
        const result = await session.run({
          ...feeds,
          coefficients: wanted,
          indexes: new Tensor('int32', indexes, [evaluationRows]),
        })
        const losses = result['losses']!.data as Float32Array
        const hits = result['correct']!.data as Float32Array
        points.forEach((_, k) => {
          const sum = sums[from + k]!
          for (let i = 0; i < part.length; i++) {
            sum.loss += losses[k * evaluationRows + i]!
            sum.correct += hits[k * evaluationRows + i]!
          }
        })
      }
    }
    return sums.map((sum) => ({
      loss: sum.loss / order.length,
      accuracy: loss === 'softmax-cross-entropy' ? sum.correct / order.length : NaN,
    }))
  }

  async gradient(
    options: MeasurementOptions,
    parameters: Float32Array,
    signal?: AbortSignal,
  ): Promise<{ loss: number; gradient: Float32Array }> {
    const { net, loss, rows, dropoutSeed } = options
    const order = options.order ?? allRows(rows, net)
    const chunkRows = derivativeRows(net)
    const dropout = dropoutSeed !== undefined
    const { storage, feeds: stored } = storeRows(net, rows)
    const session = await this.#programs.open(net, { program: 'gradient', loss, storage, chunkRows, dropout }, () =>
      buildGradient(net, loss, storage, chunkRows, dropout),
    )
    const feeds = { ...stored, parameters: vector(parameters) }
    const total = new Float64Array(net.parameterCount)
    let sum = 0
    const shape: ChunkOptions = {
      ...{ weights: 'float32', chunkRows, chunksPerCall: summedChunks },
      ...dropoutOf(options),
    }
    for await (const { result } of chunks(session, feeds, order, signal, shape)) {
      const part = result['gradient']!.data as Float32Array
      for (let i = 0; i < total.length; i++) total[i]! += part[i]!
      for (const chunkLoss of result['losses']!.data as Float32Array) sum += chunkLoss
    }
    return { loss: sum / order.length, gradient: Float32Array.from(total, (value) => value / order.length) }
  }

  async outputs(
    net: Net,
    features: Float32Array,
    parameters: Float32Array,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const { storage, feeds: stored } = storeFeatures(net, features)
    const session = await this.#programs.open(net, { program: 'outputs', storage }, () =>
      buildOutputs(net, storage, evaluationRows),
    )
    const feeds = { ...stored, parameters: vector(parameters) }
    return collect(session, feeds, allRows({ features }, net), 'outputs', sizeOf(net.outputShape), signal)
  }

  async inputGradients(
    options: EvaluationOptions,
    parameters: Float32Array,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const { net, loss, rows } = options
    const { storage, feeds: stored } = storeRows(net, rows)
    const session = await this.#programs.open(net, { program: 'input-gradients', loss, storage }, () =>
      buildInputGradients(net, loss, storage, evaluationRows),
    )
    const order = options.order ?? allRows(rows, net)
    const feeds = { ...stored, parameters: vector(parameters) }
    return collect(session, feeds, order, 'gradients', sizeOf(net.inputShape), signal)
  }

  async inputJacobians(
    { net, features, of }: { net: Net; features: Float32Array; of: 'logits' | 'probabilities' },
    parameters: Float32Array,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const { storage, feeds: stored } = storeFeatures(net, features)
    const session = await this.#programs.open(net, { program: 'input-jacobians', of, storage }, () =>
      buildInputJacobians(net, of, storage, evaluationRows),
    )
    const feeds = { ...stored, parameters: vector(parameters) }
    const order = allRows({ features }, net)
    return collect(session, feeds, order, 'jacobians', sizeOf(net.outputShape) * sizeOf(net.inputShape), signal)
  }

  async curvature(
    options: MeasurementOptions,
    parameters: Float32Array | Float64Array,
    direction: ArrayLike<number>,
    signal?: AbortSignal,
  ): Promise<Curvature> {
    const { net, loss, rows, dropoutSeed } = options
    const order = options.order ?? allRows(rows, net)
    // The runtime convolves and pools in float32 alone.
    const float = isOfImages(net) ? 'float32' : 'float64'
    // What a call costs beside its arithmetic counts for small nets.
    const chunkRows = Math.min(order.length, net.parameterCount < 2000 ? 1000 : derivativeRows(net))
    const dropout = dropoutSeed !== undefined
    const { storage, feeds: stored } = storeRows(net, rows)
    const session = await this.#programs.open(net, { program: 'curvature', loss, storage, chunkRows, dropout }, () =>
      buildCurvature(net, loss, storage, chunkRows, { float, dropout }),
    )
    const wide = (values: ArrayLike<number>): ort.Tensor =>
      float === 'float64'
        ? new Tensor('float64', Float64Array.from(values), [values.length])
        : vector(Float32Array.from(values))
    const feeds = {
      ...stored,
      parameters: wide(parameters),
      vector: wide(direction),
    }
    const gradient = new Float64Array(net.parameterCount)
    const product = new Float64Array(net.parameterCount)
    let sum = 0
    const shape: ChunkOptions = { weights: float, chunkRows, chunksPerCall: summedChunks, ...dropoutOf(options) }
    for await (const { result } of chunks(session, feeds, order, signal, shape)) {
      addTo(gradient, result['gradient']!.data as Float64Array)
      addTo(product, result['product']!.data as Float64Array)
      for (const chunkLoss of result['losses']!.data as Float64Array) sum += chunkLoss
    }
    const mean = (value: number): number => value / order.length
    return { loss: mean(sum), gradient: gradient.map(mean), product: product.map(mean) }
  }

  async dispose(): Promise<void> {
    await this.#programs.dispose()
  }
}

/** Rows at a time for derivatives: as many as an evaluation takes, or fewer where a layer makes much of each. */
function derivativeRows(net: Net): number {
  const widest = maxOf(net.shapes.map(sizeOf))
  return Math.max(1, Math.min(evaluationRows, Math.floor(derivativeNumbers / widest)))
}

const vector = (values: Float32Array): ort.Tensor => new Tensor('float32', values, [values.length])

function addTo(total: Float64Array, part: ArrayLike<number>): void {
  for (let i = 0; i < total.length; i++) total[i]! += part[i]!
}
