import type { Loss, TrainingObjective, OptimizerSpec } from '../net/training-spec.js'
import type { Net } from '../net/net.js'
import type { EngineName } from '../core/trial.js'

/**
 * Rows a net trains or is evaluated on. `order` picks rows of `features`, so a split is a list of indexes and the
 * data itself is never copied.
 */
export interface Rows {
  /** `[rows, ...net.inputShape]`; may lie in shared memory. */
  readonly features: Float32Array
  /** Classes `[rows]` (Int32Array) for cross-entropy, values `[rows, outputs]` (Float32Array) for squared error. */
  readonly targets: Int32Array | Float32Array
}

export interface TrainingOptions {
  readonly net: Net
  readonly loss: Loss
  readonly optimizer: OptimizerSpec
  readonly rows: Rows
  readonly batch: number
  /** Initial weights, `[net.parameterCount]`; copied. */
  readonly parameters: Float32Array
  /** Goes on from there instead, bit for bit as if it had not been interrupted. Default: it begins. */
  readonly from?: TrainingState
  /** Seeds dropout masks. Default 0. */
  readonly dropoutSeed?: number
  /** Measure the gradient's norm at each step; costs a pass over the parameters. Default false. */
  readonly gradientNorms?: boolean
  /** What is descended on; losses and norms reported are the loss's own either way. Default the loss. */
  readonly objective?: TrainingObjective
}

export interface EpochResult {
  /** Mean loss of each step, before its update, `[steps]`. */
  readonly losses: Float32Array
  /** Rows classified rightly in each step, `[steps]`; NaN for regression. */
  readonly correct: Float32Array
  /** Euclidean norm of the gradient of each step, `[steps]`; empty unless asked for. */
  readonly gradientNorms: Float32Array
  /** Loss over the epoch: mean of the step losses weighted by their rows, as Keras reports it. */
  readonly loss: number
  /** Share of rows classified rightly while training; NaN for regression. */
  readonly accuracy: number
}

/** All that the steps of a training have changed, as its engine keeps it: for the same engine and the same options alone. */
export interface TrainingState {
  /** Updates done. */
  readonly updates: number
  /** Weights and the optimiser's vectors. */
  readonly vectors: readonly Float32Array[]
}

/** One net in training: weights and optimiser state on the engine's side. */
export interface Training {
  /**
   * Trains on the rows of `order` (indexes into `rows`), `batch` at a time; a partial last batch is trained too.
   * Rejects with the signal's reason within 250 ms of an abort.
   */
  run(order: Int32Array, signal?: AbortSignal): Promise<EpochResult>
  /** A copy of the weights, `[net.parameterCount]`. */
  parameters(): Float32Array
  /** A copy of what the next step depends on. */
  state(): TrainingState
  /** Updates done so far. */
  readonly updates: number
  dispose(): void
}

export interface EvaluationOptions {
  readonly net: Net
  readonly loss: Loss
  readonly rows: Rows
  /** Which rows; all when left out. */
  readonly order?: Int32Array
}

/** What is measured at one point of weight space: a loss, its gradient, its curvature. */
export interface MeasurementOptions extends EvaluationOptions {
  /** Leaves dropout on, with masks fixed by this seed and each row's position in the order; off when left out. */
  readonly dropoutSeed?: number
}

export interface Evaluation {
  readonly loss: number
  /** NaN for regression. */
  readonly accuracy: number
}

export interface Curvature {
  readonly loss: number
  readonly gradient: Float64Array
  readonly product: Float64Array
}

/**
 * How nets are trained. Three implementations behind one contract suite (test/conformance/engine.ts): `compiled`
 * (ONNX Runtime), `tfjs-node` (native TensorFlow) and plain tfjs (`cpu`, `wasm`).
 */
export interface Engine {
  readonly name: EngineName
  /** @throws DataError when the state to go on from is of another training. */
  train(options: TrainingOptions): Promise<Training>
  /** Mean loss and accuracy. */
  evaluate(options: MeasurementOptions, parameters: Float32Array, signal?: AbortSignal): Promise<Evaluation>
  /**
   * Loss and accuracy, dropout off, at many points θ = Σⱼ cⱼ·basisⱼ of weight space, one for each row of `coefficients`
   * `[points, basis]`. Where one coefficient is 1 and the others are 0, bit-equal to `evaluate` of that basis vector.
   */
  evaluateCombinations(
    options: EvaluationOptions,
    basis: readonly Float32Array[],
    coefficients: readonly (readonly number[])[],
    signal?: AbortSignal,
  ): Promise<Evaluation[]>
  /** Loss and its gradient as one flat vector, `[net.parameterCount]`, over all rows of `order`. */
  gradient(
    options: MeasurementOptions,
    parameters: Float32Array,
    signal?: AbortSignal,
  ): Promise<{ loss: number; gradient: Float32Array }>
  /** The net's outputs (logits), `[rows, outputs]`, dropout off. */
  outputs(net: Net, features: Float32Array, parameters: Float32Array, signal?: AbortSignal): Promise<Float32Array>
  /** Gradient of each row's own loss with respect to that row's features, `[rows, features]`, dropout off. */
  inputGradients(options: EvaluationOptions, parameters: Float32Array, signal?: AbortSignal): Promise<Float32Array>
  /**
   * Derivatives of each output with respect to each feature, `[rows, outputs, features]`, dropout off: of the logits, or
   * of the probabilities softmax makes of them.
   */
  inputJacobians(
    options: { readonly net: Net; readonly features: Float32Array; readonly of: 'logits' | 'probabilities' },
    parameters: Float32Array,
    signal?: AbortSignal,
  ): Promise<Float32Array>
  /**
   * The mean loss, its gradient and its Hessian times `vector`, `[net.parameterCount]` each, exactly, by differentiating
   * twice. The compiled engine computes nets without images in float64, all else is in float32.
   * @throws LoweringError for max pooling with overlapping windows, whose gradient has none.
   */
  curvature(
    options: MeasurementOptions,
    parameters: Float32Array | Float64Array,
    vector: ArrayLike<number>,
    signal?: AbortSignal,
  ): Promise<Curvature>
  dispose(): Promise<void>
}
