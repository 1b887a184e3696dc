import type * as ort from 'onnxruntime-node'
import { maxOf } from '../../core/extremes.js'
import { canonicalJson } from '../../core/seed.js'
import { buildCombinations } from './programs/combination-program.js'
import { dropoutLayers, rowDropoutMasks, type DropoutLayer } from '../../net/dropout.js'
import { buildCurvature, buildInputGradients, buildInputJacobians } from './programs/derivative-programs.js'
import type {
  Curvature,
  Engine,
  Evaluation,
  EvaluationOptions,
  MeasurementOptions,
  Rows,
  Training,
  TrainingOptions,
} from '../engine.js'
import { sizeOf, type Net } from '../../net/net.js'
import { CompiledTraining } from './compiled-training.js'
import { InferenceSession, Tensor } from './onnx-runtime.js'
import { forgetsAtOnce } from '../optimizers.js'
import { Pace } from './pace.js'
import { buildEvaluation, buildGradient, buildOutputs } from './programs/loss-programs.js'
import { storeFeatures, storeRows } from './stored-rows.js'
import { batchSupply } from './programs/training-batches.js'
import { buildStep } from './programs/step-program.js'
import { stateBytes, StepwiseTraining } from './stepwise-training.js'
import { buildTraining } from './programs/training-program.js'
import { asItIs, trainedNet } from './programs/homogeneous-net.js'
import { largestMemoryBytes, VectorMemories } from './vector-memory.js'

/** Rows an evaluation takes at a time: enough for the matrix products to be efficient, little enough to fit a cache. */
const evaluationRows = 250
/** Numbers of one layer that a chunk of derivatives may make (4 MB): all layers' are held at once, some several times. */
const derivativeNumbers = 2 ** 20
/** Points of weight space a call evaluates: enough to share the first layer's products, short enough to be aborted. */
const pointsPerCall = 64
/** Programs kept per thread; a session's working memory goes with it. */
const keptPrograms = 6
/** Nets of more parameters than these have their arrays planned one by one. */
const plannedParameters = 100_000
/** From so many parameters on, an update of our own spares more than a call for each step costs. */
const stepwiseParameters = 120_000
/** A training whose batch makes more numbers than these, over all layers (16 MB), has programs of its own and frees them. */
const keptNumbers = 2 ** 22

/**
 * Training steps traced once, lowered to ONNX and run by ONNX Runtime on the calling thread: one call runs many steps, or
 * one of a large net.
 * Deterministic: one thread, operations in a fixed order.
 */
export class CompiledEngine implements Engine {
  readonly name = 'compiled'
  /** Least recently used first. */
  readonly #programs = new Map<string, Promise<ort.InferenceSession>>()
  readonly #memories = new VectorMemories()

  /** `stepwiseFrom`: nets of so many parameters are trained a step a call. */
  constructor(private readonly stepwiseFrom = stepwiseParameters) {}

  async train(options: TrainingOptions): Promise<Training> {
    const { net, objective = 'loss' } = options
    const stepwise =
      objective === 'loss' && net.parameterCount >= this.stepwiseFrom && stateBytes(options) <= largestMemoryBytes
    return stepwise ? this.#trainStepwise(options) : this.#trainInCalls(options)
  }

  /** Many steps a call. */
  async #trainInCalls(options: TrainingOptions): Promise<Training> {
    const { net, loss, optimizer, gradientNorms = false, objective = 'loss' } = options
    // What descends on the gradient's norm differentiates it again, which a constant unit would take part in; and where the
    // optimiser forgets at once, nothing keeps the unit's own weights as they are.
    const asGiven = objective !== 'loss' || forgetsAtOnce(optimizer)
    const trained = asGiven ? asItIs(net) : trainedNet(net)
    const supply = batchSupply(net, trained.net, options.rows)
    const shape = { loss, optimizer: optimizer.kind, gradientNorms, objective, asGiven, batches: supply.kind }
    const { open, close } = this.#programsByBatch(net, { program: 'training', ...shape }, (batch) =>
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
    const { open, close } = this.#programsByBatch(net, { program: 'step', ...shape }, (batch) =>
      buildStep({ net, batch, ...shape }),
    )
    await open(options.batch)
    const memory = this.#memories.take(stateBytes(options))
    return new StepwiseTraining(options, memory, feeds, open, () => {
      this.#memories.giveBack(memory)
      close()
    })
  }

  /** A training's programs, one for each size of a batch: kept, or its own where they take much memory. */
  #programsByBatch(
    net: Net,
    identity: object,
    build: (batch: number) => Uint8Array,
  ): { open: (batch: number) => Promise<ort.InferenceSession>; close: () => void } {
    const own = new Map<number, Promise<ort.InferenceSession>>()
    const perRow = net.shapes.reduce((sum, layer) => sum + sizeOf(layer), 0)
    return {
      open: (batch) => {
        if (batch * perRow <= keptNumbers) return this.#program(net, { ...identity, batch }, () => build(batch))
        const session = own.get(batch) ?? compile(net, () => build(batch))
        own.set(batch, session)
        return session
      },
      close: () => own.forEach((session) => void release(session)),
    }
  }

  async evaluate(options: MeasurementOptions, parameters: Float32Array, signal?: AbortSignal): Promise<Evaluation> {
    const { net, loss, rows, dropoutSeed } = options
    const dropout = dropoutSeed !== undefined
    const { storage, feeds: stored } = storeRows(net, rows)
    const session = await this.#program(net, { program: 'evaluation', loss, storage, dropout }, () =>
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
    const session = await this.#program(net, { program: 'combinations', loss, storage, basis: basis.length }, () =>
      buildCombinations(net, loss, storage, evaluationRows, basis.length),
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
    const session = await this.#program(net, { program: 'gradient', loss, storage, chunkRows, dropout }, () =>
      buildGradient(net, loss, storage, chunkRows, dropout),
    )
    const feeds = { ...stored, parameters: vector(parameters) }
    const total = new Float64Array(net.parameterCount)
    let sum = 0
    const shape: ChunkOptions = { weights: 'float32', chunkRows, ...dropoutOf(options) }
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
    const session = await this.#program(net, { program: 'outputs', storage }, () =>
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
    const session = await this.#program(net, { program: 'input-gradients', loss, storage }, () =>
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
    const session = await this.#program(net, { program: 'input-jacobians', of, storage }, () =>
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
    const session = await this.#program(net, { program: 'curvature', loss, storage, chunkRows, dropout }, () =>
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
    const shape: ChunkOptions = { weights: float, chunkRows, ...dropoutOf(options) }
    for await (const { result } of chunks(session, feeds, order, signal, shape)) {
      addTo(gradient, result['gradient']!.data as Float64Array)
      addTo(product, result['product']!.data as Float64Array)
      for (const chunkLoss of result['losses']!.data as Float64Array) sum += chunkLoss
    }
    const mean = (value: number): number => value / order.length
    return { loss: mean(sum), gradient: gradient.map(mean), product: product.map(mean) }
  }

  async dispose(): Promise<void> {
    const sessions = [...this.#programs.values()]
    this.#programs.clear()
    await Promise.all(sessions.map(release))
  }

  /** The session of a program, compiled once per thread and kept while it is in use lately. */
  #program(net: Net, identity: object, build: () => Uint8Array): Promise<ort.InferenceSession> {
    const key = canonicalJson({ ...identity, ...identityOf(net) })
    const session = this.#programs.get(key) ?? compile(net, build)
    this.#programs.delete(key)
    this.#programs.set(key, session)
    session.catch(() => this.#programs.delete(key))
    // An evicted session lives on for those who hold it, and its memory goes when the last of them is collected.
    if (this.#programs.size > keptPrograms) this.#programs.delete(this.#programs.keys().next().value!)
    return session
  }
}

/**
 * Passes of the runtime's optimiser that make these programs slower: one folds a transposition into the product behind it,
 * which then reads a large matrix across its rows; one lays images out in blocks, and back again between pools.
 */
const unwanted = ['GemmTransposeFusion', 'NchwcTransformer'].join(';')

async function compile(net: Net, build: () => Uint8Array): Promise<ort.InferenceSession> {
  return InferenceSession.create(build(), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    extra: { optimization: { disable_specified_optimizers: unwanted } },
    // One block planned ahead for all of a step's arrays spares small nets a tenth of their time; of images and large nets
    // it is large, and taken beside the arrays that are not in the plan: twice the memory for nothing.
    enableMemPattern: !isOfImages(net) && net.parameterCount < plannedParameters,
  })
}

async function release(opened: Promise<ort.InferenceSession>): Promise<void> {
  // One that could not be compiled was told of where it was asked for.
  await (await opened.catch(() => undefined))?.release()
}

function isOfImages(net: Net): boolean {
  return net.layers.some(({ kind }) => kind === 'conv2d' || kind.endsWith('pool'))
}

/** Rows at a time for derivatives: as many as an evaluation takes, or fewer where a layer makes much of each. */
function derivativeRows(net: Net): number {
  const widest = maxOf(net.shapes.map(sizeOf))
  return Math.max(1, Math.min(evaluationRows, Math.floor(derivativeNumbers / widest)))
}

/** What of a net a program depends on: not its initialisers. */
function identityOf(net: Net): object {
  return {
    inputShape: net.inputShape,
    layers: net.layers.map((layer) => ({
      ...layer,
      kernel: undefined,
      bias: 'bias' in layer && layer.bias === false ? false : undefined,
    })),
  }
}

const vector = (values: Float32Array): ort.Tensor => new Tensor('float32', values, [values.length])

function addTo(total: Float64Array, part: ArrayLike<number>): void {
  for (let i = 0; i < total.length; i++) total[i]! += part[i]!
}

/** One output of a program for every row of the order, `[order.length × width]`. */
async function collect(
  session: ort.InferenceSession,
  feeds: Record<string, ort.Tensor>,
  order: Int32Array,
  output: string,
  width: number,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const values = new Float32Array(order.length * width)
  for await (const { result, first, count } of chunks(session, feeds, order, signal)) {
    values.set((result[output]!.data as Float32Array).subarray(0, count * width), first * width)
  }
  return values
}

function allRows({ features }: Pick<Rows, 'features'>, net: Net): Int32Array {
  return Int32Array.from({ length: features.length / sizeOf(net.inputShape) }, (_, i) => i)
}

interface Chunk {
  readonly result: ort.InferenceSession.ReturnType
  /** Position of the chunk's first row in the order. */
  readonly first: number
  /** How many of its rows count; the rest only fill up the last chunk. */
  readonly count: number
}

interface ChunkOptions {
  /** Of which kind the program's weights of rows are, if it has any. */
  readonly weights?: 'float32' | 'float64'
  readonly chunkRows?: number
  readonly dropout?: { readonly layers: readonly DropoutLayer[]; readonly seed: number }
}

const dropoutOf = ({ net, dropoutSeed: seed }: MeasurementOptions): Pick<ChunkOptions, 'dropout'> =>
  seed === undefined ? {} : { dropout: { layers: dropoutLayers(net), seed } }

/** Runs an evaluation program over the rows of `order`, several chunks a call, letting an abort in between calls. */
async function* chunks(
  session: ort.InferenceSession,
  feeds: Record<string, ort.Tensor>,
  order: Int32Array,
  signal?: AbortSignal,
  { weights, chunkRows = evaluationRows, dropout }: ChunkOptions = {},
): AsyncGenerator<Chunk> {
  const pace = new Pace()
  for (let first = 0; first < order.length;) {
    signal?.throwIfAborted()
    const wanted = Math.ceil((order.length - first) / chunkRows)
    const count = pace.next(wanted)
    const rows = Math.min(count * chunkRows, order.length - first)
    const indexes = new Int32Array(count * chunkRows).fill(order[first]!)
    indexes.set(order.subarray(first, first + rows))
    const shape = [count, chunkRows]
    const scanned: Record<string, ort.Tensor> = { indexes: new Tensor('int32', indexes, shape) }
    if (weights === 'float32')
      scanned['weights'] = new Tensor(weights, new Float32Array(indexes.length).fill(1, 0, rows), shape)
    if (weights === 'float64')
      scanned['weights'] = new Tensor(weights, new Float64Array(indexes.length).fill(1, 0, rows), shape)
    dropout?.layers.forEach((layer, i) => {
      const masks = rowDropoutMasks(layer, dropout.seed, first, indexes.length)
      const values = weights === 'float64' ? Float64Array.from(masks) : masks
      scanned[`mask${i}`] = new Tensor(weights ?? 'float32', values, [...shape, ...layer.shape])
    })
    yield { result: await pace.time(count, () => session.run({ ...feeds, ...scanned })), first, count: rows }
    first += rows
  }
}
