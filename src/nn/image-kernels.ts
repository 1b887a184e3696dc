import * as tf from '@tensorflow/tfjs-core'
import { channelsFirstOf, channelsFirstSymbol, graph, nameOf, symbol, tracer } from './tracing.js'
import { sizeOf } from './net.js'
import { register } from './kernels.js'
import { elementTypes } from './onnx-graph.js'

/**
 * Convolution and pooling with images laid out as [channels, batch, height, width]: a convolution is slices, one
 * Concat along the first axis and one Gemm, whose output already has that layout. The slices of the forward pass serve
 * the weights' gradient too.
 */

type Window = tf.backend_util.Conv2DInfo
const integers = (values: readonly number[]): string => graph().integers(values)

interface ConvAttributes {
  readonly strides: number | [number, number]
  readonly pad: 'valid' | 'same' | number
  readonly dimRoundingMode?: 'floor'
}

function convWindow(imageShape: number[], filterShape: number[], attributes: ConvAttributes): Window {
  return tf.backend_util.computeConv2DInfo(
    imageShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attributes.strides,
    1,
    attributes.pad,
    attributes.dimRoundingMode,
    false,
    'channelsLast',
  )
}

/** The image's patches as columns, `[filterHeight·filterWidth·channels, batch·outHeight·outWidth]`. */
function columns(image: tf.TensorInfo, window: Window): string {
  const padded = padImage(channelsFirstOf(image), window)
  const { filterHeight, filterWidth, strideHeight, strideWidth, outHeight, outWidth } = window
  const patches: string[] = []
  for (let i = 0; i < filterHeight; i++) {
    for (let j = 0; j < filterWidth; j++) {
      const ends = [i + (outHeight - 1) * strideHeight + 1, j + (outWidth - 1) * strideWidth + 1]
      patches.push(
        graph().op('Slice', [
          padded,
          integers([i, j]),
          integers(ends),
          integers([2, 3]),
          integers([strideHeight, strideWidth]),
        ]),
      )
    }
  }
  const stacked = patches.length === 1 ? patches[0]! : graph().op('Concat', patches, { axis: 0 })
  return graph().op('Reshape', [
    stacked,
    integers([filterHeight * filterWidth * window.inChannels, window.batchSize * outHeight * outWidth]),
  ])
}

function padImage(image: string, { padInfo: { top, left, bottom, right } }: Window): string {
  return top + left + bottom + right === 0
    ? image
    : graph().op('Pad', [image, integers([0, 0, top, left, 0, 0, bottom, right])])
}

/** A window of so many pixels makes columns so much larger than the image that writing them costs more than it saves. */
const largeWindow = 64
const isLarge = ({ filterHeight, filterWidth }: Window): boolean => filterHeight * filterWidth >= largeWindow
/** The same of a patch over all channels, where the columns are for one product alone. */
const largePatch = 200
const hasLargePatch = (window: Window): boolean =>
  window.filterHeight * window.filterWidth * window.inChannels >= largePatch

const convOptions = ({ padInfo, strideHeight, strideWidth }: Window) => ({
  strides: [strideHeight, strideWidth],
  pads: [padInfo.top, padInfo.left, padInfo.bottom, padInfo.right],
})

/** The runtime's own convolution, which expands columns piece by piece; it wants the batch first. */
function convolveLarge(x: tf.TensorInfo, filter: tf.TensorInfo, window: Window): tf.TensorInfo {
  const { batchSize, inHeight, inWidth, inChannels } = window
  const image =
    inChannels === 1
      ? graph().op('Reshape', [channelsFirstOf(x), integers([batchSize, 1, inHeight, inWidth])])
      : graph().op('Transpose', [channelsFirstOf(x)], { perm: [1, 0, 2, 3] })
  const weights = graph().op('Transpose', [nameOf(filter)], { perm: [3, 2, 0, 1] })
  const batchFirst = graph().op('Conv', [image, weights], convOptions(window))
  return channelsFirstSymbol(graph().op('Transpose', [batchFirst], { perm: [1, 0, 2, 3] }), window.outShape)
}

/**
 * The gradient with respect to the filter is itself a convolution: of the images, taken as channels of one another,
 * with the outputs' gradient as filter. Stride and dilation change places.
 */
function filterGradientLarge(
  x: tf.TensorInfo,
  dy: tf.TensorInfo,
  window: Window,
  filterShape: number[],
): tf.TensorInfo {
  const { strideHeight, strideWidth, padInfo, filterHeight, filterWidth } = window
  const gradient = graph().op('Conv', [channelsFirstOf(x), channelsFirstOf(dy)], {
    dilations: [strideHeight, strideWidth],
    pads: [padInfo.top, padInfo.left, padInfo.bottom, padInfo.right],
  })
  // Rows that a stride left over give a larger result than the filter.
  const trimmed = graph().op('Slice', [
    gradient,
    integers([0, 0]),
    integers([filterHeight, filterWidth]),
    integers([2, 3]),
  ])
  return symbol(graph().op('Transpose', [trimmed], { perm: [2, 3, 0, 1] }), filterShape)
}

register('Conv2D', ({ x, filter }, attributes) => {
  const window = convWindow(x!.shape, filter!.shape, attributes as unknown as ConvAttributes)
  if (isLarge(window) || hasLargePatch(window)) return convolveLarge(x!, filter!, window)
  const { batchSize, outHeight, outWidth, outChannels } = window
  const weights = graph().op('Reshape', [nameOf(filter!), integers([sizeOf(filter!.shape) / outChannels, outChannels])])
  const product = graph().op('Gemm', [weights, columns(x!, window)], { transA: 1 })
  return channelsFirstSymbol(
    graph().op('Reshape', [product, integers([outChannels, batchSize, outHeight, outWidth])]),
    window.outShape,
  )
})

register('Conv2DBackpropFilter', ({ x, dy }, attributes) => {
  const filterShape = attributes['filterShape'] as number[]
  const window = convWindow(x!.shape, filterShape, attributes as unknown as ConvAttributes)
  if (isLarge(window)) return filterGradientLarge(x!, dy!, window, filterShape)
  const gradient = graph().op('Reshape', [channelsFirstOf(dy!), integers([window.outChannels, -1])])
  const product = graph().op('Gemm', [columns(x!, window), gradient], { transB: 1 })
  return symbol(graph().op('Reshape', [product, integers(filterShape)]), filterShape)
})

register('Conv2DBackpropInput', ({ dy, filter }, attributes) => {
  const inputShape = attributes['inputShape'] as number[]
  const window = convWindow(inputShape, filter!.shape, attributes as unknown as ConvAttributes)
  const { padInfo, strideHeight, strideWidth, filterHeight, filterWidth, outHeight, outWidth, inHeight, inWidth } =
    window
  const batchFirst = graph().op('Transpose', [channelsFirstOf(dy!)], { perm: [1, 0, 2, 3] })
  const turned = graph().op('Transpose', [nameOf(filter!)], { perm: [3, 2, 0, 1] })
  // Rows that no window reached come back as padding of the output.
  const rest = (size: number, out: number, stride: number, extent: number, pads: number): number =>
    size + pads - ((out - 1) * stride + extent)
  const spread = graph().op('ConvTranspose', [batchFirst, turned], {
    kernel_shape: [filterHeight, filterWidth],
    strides: [strideHeight, strideWidth],
    pads: [padInfo.top, padInfo.left, padInfo.bottom, padInfo.right],
    output_padding: [
      rest(inHeight, outHeight, strideHeight, filterHeight, padInfo.top + padInfo.bottom),
      rest(inWidth, outWidth, strideWidth, filterWidth, padInfo.left + padInfo.right),
    ],
  })
  return channelsFirstSymbol(graph().op('Transpose', [spread], { perm: [1, 0, 2, 3] }), inputShape)
})

interface PoolAttributes {
  readonly filterSize: number | [number, number]
  readonly strides: number | [number, number]
  readonly pad: 'valid' | 'same' | number
  readonly dimRoundingMode?: 'floor'
}

function poolWindow(shape: number[], attributes: Record<string, unknown>): Window {
  const { filterSize, strides, pad, dimRoundingMode } = attributes as unknown as PoolAttributes
  return tf.backend_util.computePool2DInfo(
    shape as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  )
}

function poolOptions({ filterHeight, filterWidth, strideHeight, strideWidth, padInfo }: Window) {
  return {
    kernel_shape: [filterHeight, filterWidth],
    strides: [strideHeight, strideWidth],
    pads: [padInfo.top, padInfo.left, padInfo.bottom, padInfo.right],
  }
}

/** True when the windows tile the image: each pixel lies in one window at the most. */
function tiles({
  filterHeight,
  filterWidth,
  strideHeight,
  strideWidth,
  padInfo: { top, left, bottom, right },
}: Window): boolean {
  return filterHeight === strideHeight && filterWidth === strideWidth && top + left + bottom + right === 0
}

/** Each value of a pooled image repeated over its window. */
function repeat(pooled: string, { filterHeight, filterWidth }: Window): string {
  const scales = graph().constant([1, 1, filterHeight, filterWidth], [4], 'float32')
  return graph().op('Resize', [pooled, '', scales], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  })
}

/** The part of the image that windows cover, and back again with zeros where none did. */
function covered(image: string, window: Window): string {
  const [height, width] = coveredSize(window)
  if (height === window.inHeight && width === window.inWidth) return image
  return graph().op('Slice', [image, integers([0, 0]), integers([height, width]), integers([2, 3])])
}
/** By Concat, not Pad: the runtime would fold a Pad into the convolution behind it even where it feeds the filter. */
function uncovered(image: string, window: Window): string {
  const { inChannels, batchSize, inHeight, inWidth } = window
  const [height, width] = coveredSize(window)
  const zeros = (rows: number, columns: number): string =>
    graph().op('Expand', [graph().scalar(0), integers([inChannels, batchSize, rows, columns])])
  const wide = width === inWidth ? image : graph().op('Concat', [image, zeros(height, inWidth - width)], { axis: 3 })
  return height === inHeight ? wide : graph().op('Concat', [wide, zeros(inHeight - height, inWidth)], { axis: 2 })
}
const coveredSize = (window: Window): [number, number] => [
  window.outHeight * window.filterHeight,
  window.outWidth * window.filterWidth,
]

/** From so many pixels a window on, writing one gradient per window costs less than comparing each pixel. */
const scatteredWindow = 9

register('MaxPool', ({ x }, attributes) => {
  const window = poolWindow(x!.shape, attributes)
  return channelsFirstSymbol(graph().op('MaxPool', [channelsFirstOf(x!)], poolOptions(window)), window.outShape)
})

register('MaxPoolGrad', ({ dy, input, output }, attributes) => {
  const window = poolWindow(input!.shape, attributes)
  const gradient =
    tiles(window) && window.filterHeight * window.filterWidth < scatteredWindow
      ? tiledMaxGradient(dy!, input!, output!, window)
      : scatteredMaxGradient(dy!, input!, window)
  return channelsFirstSymbol(gradient, input!.shape)
})

/**
 * Among equal maxima of a window tfjs gives the gradient to the first in reading order. Every maximum is marked with
 * its place counted from the end of the window, and the mark that is the window's largest wins.
 */
function tiledMaxGradient(dy: tf.TensorInfo, input: tf.TensorInfo, output: tf.TensorInfo, window: Window): string {
  const { filterHeight, filterWidth } = window
  const [height, width] = coveredSize(window)
  const image = covered(channelsFirstOf(input), window)
  const isMaximum = graph().op('Equal', [image, repeat(channelsFirstOf(output), window)])
  const place = Float32Array.from({ length: height * width }, (_, at) => {
    const [i, j] = [Math.floor(at / width) % filterHeight, (at % width) % filterWidth]
    return filterHeight * filterWidth - (i * filterWidth + j)
  })
  const marks = graph().op('Mul', [asFactor(isMaximum), graph().constant(place, [1, 1, height, width], 'float32')])
  const firsts = graph().op('MaxPool', [marks], poolOptions(window))
  const isFirst = graph().op('Equal', [marks, repeat(firsts, window)])
  return uncovered(graph().op('Mul', [asFactor(isFirst), repeat(channelsFirstOf(dy), window)]), window)
}

/** A condition as 1 or 0: the runtime multiplies large arrays several times faster than it chooses between them. */
const asFactor = (condition: string): string => graph().op('Cast', [condition], { to: elementTypes.float32 })

/** Each gradient is added where its window's first maximum lies; the runtime finds that in reading order too. */
function scatteredMaxGradient(dy: tf.TensorInfo, input: tf.TensorInfo, window: Window): string {
  const [, indices] = graph().ops('MaxPool', [channelsFirstOf(input)], poolOptions(window), 2)
  const size = sizeOf(input.shape)
  const flat = (name: string): string => graph().op('Reshape', [name, integers([-1])])
  const zeros = graph().op('Expand', [graph().scalar(0), integers([size])])
  const scattered = graph().op('ScatterElements', [zeros, flat(indices!), flat(channelsFirstOf(dy))], {
    axis: 0,
    reduction: 'add',
  })
  return graph().op('Reshape', [
    scattered,
    integers([window.inChannels, window.batchSize, window.inHeight, window.inWidth]),
  ])
}

register('AvgPool', ({ x }, attributes) => {
  const window = poolWindow(x!.shape, attributes)
  return channelsFirstSymbol(
    graph().op('AveragePool', [channelsFirstOf(x!)], { ...poolOptions(window), count_include_pad: 0 }),
    window.outShape,
  )
})

register('AvgPoolGrad', ({ dy, input }, attributes) => {
  const window = poolWindow(input!.shape, attributes)
  const {
    filterHeight,
    filterWidth,
    strideHeight,
    strideWidth,
    inChannels,
    batchSize,
    inHeight,
    inWidth,
    outHeight,
    outWidth,
  } = window
  const share = graph().op('Mul', [
    channelsFirstOf(dy!),
    graph().scalar(1 / (filterHeight * filterWidth), tracer.floatType),
  ])
  if (tiles(window)) return channelsFirstSymbol(uncovered(repeat(share, window), window), input!.shape)
  // Each value spread over its window and summed: a transposed convolution of single-channel planes with ones.
  const planes = graph().op('Reshape', [share, integers([inChannels * batchSize, 1, outHeight, outWidth])])
  const ones = graph().constant(
    new Float32Array(filterHeight * filterWidth).fill(1),
    [1, 1, filterHeight, filterWidth],
    'float32',
  )
  const spread = graph().op('ConvTranspose', [planes, ones], {
    kernel_shape: [filterHeight, filterWidth],
    strides: [strideHeight, strideWidth],
    output_padding: [
      inHeight - ((outHeight - 1) * strideHeight + filterHeight),
      inWidth - ((outWidth - 1) * strideWidth + filterWidth),
    ],
  })
  return channelsFirstSymbol(
    graph().op('Reshape', [spread, integers([inChannels, batchSize, inHeight, inWidth])]),
    input!.shape,
  )
})
