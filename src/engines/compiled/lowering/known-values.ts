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
 * Values of a leaky ReLU as they lie in the graph, 2⁶⁴ times too large, by the tensor. The function commutes with
 * scaling and a Gemm scales for nothing, so layers hand on raised values; what is raised tells its sign to a Clip, and
 * the gradient needs one pass fewer. A power of two changes no digit.
 */
export const raised = new WeakMap<object, tf.TensorInfo>()
export const raise = 2 ** 64
