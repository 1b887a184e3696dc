import type * as tf from '@tensorflow/tfjs-core'

/**
 * What is known of traced values beside their names, by the value. An operation that follows then becomes one with the
 * operation before, or takes a cheaper way.
 */

/** Values times one number, by the result: their multiples are theirs, and a leaky ReLU's gradient is one of the two. */
export const multiples = new WeakMap<object, { of: tf.TensorInfo; factor: number }>()

/** The value as a number times another, if it is known to be one. */
export function asMultiple(value: tf.TensorInfo): { readonly of: tf.TensorInfo; readonly factor: number } {
  return multiples.get(value.dataId) ?? { of: value, factor: 1 }
}

/** What a condition asks to be positive. */
export const positives = new WeakMap<object, tf.TensorInfo>()

/** Squares by what was squared: a loss sums them in one operation. */
export const squared = new WeakMap<object, tf.TensorInfo>()

/** (Leaky) ReLUs by what goes in: where one is positive so is the other. */
export const activated = new WeakMap<object, tf.TensorInfo>()

/**
 * Outputs of leaky ReLUs as the graph holds them, by the tensor: values are stored × 2⁶⁴, so one Clip yields the slope; a
 * power of two is exact. The function commutes with scaling, and a Gemm scales back at no cost.
 */
export const raised = new WeakMap<object, tf.TensorInfo>()
export const raise = 2 ** 64
