import type { EpochResult } from '../engines/engine.js'

/** What a training descends on: the loss, or the squared norm of its gradient (min_ratio.py's second phase). */
export type Objective = 'loss' | 'squared-gradient-norm'

export type Loss = 'mean-squared-error' | 'softmax-cross-entropy'

/** Defaults follow Keras, whose numbers the original experiments rest on. */
export type OptimizerSpec =
  | { readonly kind: 'sgd'; readonly learningRate: number }
  | { readonly kind: 'momentum'; readonly learningRate: number; readonly momentum?: number }
  | {
      readonly kind: 'adam'
      readonly learningRate: number
      readonly beta1?: number
      readonly beta2?: number
      readonly epsilon?: number
    }
  | {
      readonly kind: 'adamax'
      readonly learningRate: number
      readonly beta1?: number
      readonly beta2?: number
      readonly epsilon?: number
    }
  | {
      readonly kind: 'adagrad'
      readonly learningRate: number
      readonly initialAccumulator?: number
      readonly epsilon?: number
    }
  | { readonly kind: 'rmsprop'; readonly learningRate: number; readonly decay?: number; readonly epsilon?: number }
export const optimizerKinds = ['sgd', 'momentum', 'adam', 'adamax', 'adagrad', 'rmsprop'] as const

/** What the steps of an epoch measured: one entry a step. */
export interface StepMeasurements {
  readonly losses: readonly number[]
  readonly correct: readonly number[]
  readonly norms: readonly number[]
  /** Rows of the step's batch. */
  readonly rows: readonly number[]
}

/** Steps gathered into an epoch: means are weighted by rows, so that a partial batch counts for what it is. */
export function summarizeEpoch({ losses, correct, norms, rows }: StepMeasurements, loss: Loss): EpochResult {
  const all = rows.reduce((sum, count) => sum + count, 0)
  const right = correct.reduce((sum, count) => sum + count, 0)
  const classifies = loss === 'softmax-cross-entropy'
  return {
    losses: Float32Array.from(losses),
    correct: classifies ? Float32Array.from(correct) : new Float32Array(correct.length).fill(NaN),
    gradientNorms: Float32Array.from(norms),
    loss: losses.reduce((sum, value, i) => sum + value * rows[i]!, 0) / all,
    accuracy: classifies ? right / all : NaN,
  }
}
