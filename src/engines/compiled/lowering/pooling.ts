import * as tf from '@tensorflow/tfjs-core'
import { LoweringError } from '../../../core/errors.js'
import { haveParts, partsOf, putTogether, type Window } from './image-windows.js'
import { huge } from './rectifiers.js'
import { channelsFirstLater, channelsFirstOf, channelsFirstSymbol, graph, register } from './tracing.js'

/**
 * Pools, as operations on the parts of an image that are its windows' first pixels, second, … (image-windows.ts). Programs
 * on images compute in float32.
 */

interface PoolAttributes {
  readonly filterSize: number | [number, number]
  readonly strides: number | [number, number]
  readonly pad: 'valid' | 'same' | number
  readonly dimRoundingMode?: 'floor'
}

function poolWindow(shape: number[], attributes: Record<string, unknown>): Window {
  const { filterSize, strides, pad, dimRoundingMode } = attributes as unknown as PoolAttributes
  const images = shape as [number, number, number, number]
  const window = tf.backend_util.computePool2DInfo(images, filterSize, strides, 1, pad, dimRoundingMode)
  const { top, bottom, left, right } = window.padInfo
  if (top + bottom + left + right > 0) throw new LoweringError('Pool', undefined, ' beyond the edges of its images')
  return window
}

/** Images `[batch, inHeight, inWidth, channels]` that consist of these parts. */
function ofParts(window: Window, parts: readonly string[]): tf.TensorInfo {
  const images = channelsFirstLater(window.inShape, () => putTogether({ window, parts }))
  haveParts(images, { window, parts })
  return images
}

register('MaxPool', ({ x }, attributes) => {
  const window = poolWindow(x!.shape, attributes)
  return channelsFirstSymbol(largestOf(partsOf(x!, window)), window.outShape)
})

const largestOf = (parts: readonly string[]): string => (parts.length === 1 ? parts[0]! : graph().op('Max', parts))

/** Among equal maxima of a window tfjs gives the gradient to the first in reading order. */
register('MaxPoolGrad', ({ dy, input }, attributes) => {
  const window = poolWindow(input!.shape, attributes)
  const parts = partsOf(input!, window)
  const largest = largestOf(parts)
  // What no part has taken yet; the last part takes what is left.
  let rest = channelsFirstOf(dy!)
  const gradients = parts.slice(0, -1).map((part) => {
    const taken = graph().op('Mul', [isLargest(part, largest), rest])
    rest = graph().op('Sub', [rest, taken])
    return taken
  })
  return ofParts(window, [...gradients, rest])
})

/** 1 where the part is the largest, else 0, by arithmetic: a comparison and a cast would take longer. */
function isLargest(part: string, largest: string): string {
  const below = graph().op('Sub', [largest, part])
  return graph().op('HardSigmoid', [below], { alpha: { float: -huge.float32 }, beta: { float: 1 } })
}

register('AvgPool', ({ x }, attributes) => {
  const window = poolWindow(x!.shape, attributes)
  const parts = partsOf(x!, window)
  const sum = parts.length === 1 ? parts[0]! : graph().op('Sum', parts)
  return channelsFirstSymbol(graph().op('Mul', [sum, share(window)]), window.outShape)
})

register('AvgPoolGrad', ({ dy, input }, attributes) => {
  const window = poolWindow(input!.shape, attributes)
  const part = graph().op('Mul', [channelsFirstOf(dy!), share(window)])
  return ofParts(window, new Array<string>(window.filterHeight * window.filterWidth).fill(part))
})

/** A pixel's part of its window's mean. */
const share = ({ filterHeight, filterWidth }: Window): string => graph().scalar(1 / (filterHeight * filterWidth))
