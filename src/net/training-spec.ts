/** What a training descends on: the loss, or the squared norm of its gradient (min_ratio.py's second phase). */
export type TrainingObjective = 'loss' | 'squared-gradient-norm'

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
