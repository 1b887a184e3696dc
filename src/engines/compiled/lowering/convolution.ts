import * as tf from '@tensorflow/tfjs-core'
import {
  computeInParts,
  gridsOf,
  integers,
  knownPartsOf,
  pick,
  putTogether,
  type Grid,
  type Window,
} from './image-windows.js'
import { channelsFirstLater, channelsFirstOf, channelsFirstSymbol, graph, nameOf, register, symbol } from './tracing.js'

/**
 * Convolutions of images that lie as [channels, height, width, batch]: slices, one Concat along the first axis and a
 * Gemm, whose output already has that layout. The slices of the forward pass serve the weights' gradient too.
 */

interface ConvAttributes {
  readonly strides: number | [number, number]
  readonly pad: 'valid' | 'same' | number
  readonly dimRoundingMode?: 'floor'
}

function convWindow(imageShape: number[], filterShape: number[], attributes: object): Window {
  const { strides, pad, dimRoundingMode } = attributes as ConvAttributes
  return tf.backend_util.computeConv2DInfo(
    imageShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    strides,
    1,
    pad,
    dimRoundingMode,
    false,
    'channelsLast',
  )
}

/**
 * A convolution whose outputs are computed in blocks: each block's first outputs are a part, its second another, ….
 * Neighbours share most of what they see, so that a block's pixels are copied together where that is less, and one
 * product makes all parts of it.
 */
interface Blocks {
  readonly window: Window
  readonly blocks: Window
  /** The window of a block: the pixels that any of its outputs sees. */
  readonly union: Window
  readonly together: boolean
  /** What it takes, in multiplications. */
  readonly cost: number
}

function inBlocks(window: Window, blocks: Window): Blocks {
  const { filterHeight, filterWidth, strideHeight, strideWidth, inChannels, outChannels } = window
  const union = {
    ...window,
    filterHeight: filterHeight + (blocks.filterHeight - 1) * strideHeight,
    filterWidth: filterWidth + (blocks.filterWidth - 1) * strideWidth,
    strideHeight: strideHeight * blocks.strideHeight,
    strideWidth: strideWidth * blocks.strideWidth,
    outHeight: blocks.outHeight,
    outWidth: blocks.outWidth,
  }
  const numbers = (seen: Window): number => seen.filterHeight * seen.filterWidth * inChannels
  const count = blocks.filterHeight * blocks.filterWidth
  const apartCost = count * numbers(window) * (copyCost + outChannels)
  // One product for all multiplies zeros too; its parts are copied, and their gradients are.
  const togetherCost = numbers(union) * (copyCost + count * outChannels) + count * outChannels * copyCost
  const together = count > 1 && togetherCost < apartCost
  const cost = blocks.outHeight * blocks.outWidth * (together ? togetherCost : apartCost)
  return { window, blocks, union, together, cost }
}
/** A number costs as much to copy into a patch as so many multiplications. */
const copyCost = 50

/** Blocks of a convolution whose outputs nothing asks for in parts; rows and columns that a last block lacks are added. */
function ownBlocks(window: Window): Blocks {
  const { padInfo, outHeight, outWidth, outChannels, strideHeight, strideWidth } = window
  const outputs = { ...window, inHeight: outHeight, inWidth: outWidth, inChannels: outChannels }
  const square = (size: number): Blocks => {
    const [rows, columns] = [Math.ceil(outHeight / size), Math.ceil(outWidth / size)]
    const bottom = padInfo.bottom + (rows * size - outHeight) * strideHeight
    const right = padInfo.right + (columns * size - outWidth) * strideWidth
    const sides = { filterHeight: size, filterWidth: size, strideHeight: size, strideWidth: size }
    return inBlocks(
      { ...window, padInfo: { ...padInfo, bottom, right } },
      { ...outputs, ...sides, outHeight: rows, outWidth: columns },
    )
  }
  return blockSizes.map(square).reduce((best, other) => (other.cost < best.cost ? other : best))
}
const blockSizes = [1, 2, 4]

/** The pixels that the windows see, as columns: `[filterHeight·filterWidth·channels, outHeight·outWidth·batch]`. */
function patches(x: tf.TensorInfo, window: Window, row = 0, column = 0): string {
  const padded = padImages(channelsFirstOf(x), window.padInfo)
  const pixels = gridsOf(window).map((grid) =>
    pick(padded, { ...grid, row: grid.row + row, column: grid.column + column }),
  )
  const stacked = pixels.length === 1 ? pixels[0]! : graph().op('Concat', pixels, { axis: 0 })
  const { inChannels, outHeight, outWidth, batchSize } = window
  return graph().op('Reshape', [stacked, integers([pixels.length * inChannels, outHeight * outWidth * batchSize])])
}

const padImages = (images: string, { top, left, bottom, right }: Edges): string =>
  top + left + bottom + right === 0
    ? images
    : graph().op('Pad', [images, integers([0, top, left, 0, 0, bottom, right, 0])])

type Edges = Pick<Window['padInfo'], 'top' | 'left' | 'bottom' | 'right'>

/** What the outputs of one part see. */
function patchesOfPart(x: tf.TensorInfo, { window, blocks, union }: Blocks, { row, column }: Grid): string {
  const { outHeight, outWidth } = blocks
  const { strideHeight, strideWidth } = union
  const apart = { ...window, strideHeight, strideWidth, outHeight, outWidth }
  return patches(x, apart, row * window.strideHeight, column * window.strideWidth)
}

/** The outputs' parts, each `[outChannels, outHeight, outWidth, batch]` of the blocks. */
function convolve(x: tf.TensorInfo, filter: tf.TensorInfo, how: Blocks): string[] {
  const { window, blocks, union, together } = how
  const { outChannels, batchSize } = window
  const asImages = (part: string): string =>
    graph().op('Reshape', [part, integers([outChannels, blocks.outHeight, blocks.outWidth, batchSize])])
  const grids = gridsOf(blocks)
  if (!together) {
    const weights = graph().op('Reshape', [nameOf(filter), integers([-1, outChannels])])
    return grids.map((grid) => asImages(graph().op('Gemm', [weights, patchesOfPart(x, how, grid)], { transA: 1 })))
  }
  const weights = grids.map(({ row, column }) => {
    const [top, left] = [row * window.strideHeight, column * window.strideWidth]
    const [below, right] = [
      union.filterHeight - window.filterHeight - top,
      union.filterWidth - window.filterWidth - left,
    ]
    const placed = graph().op('Pad', [nameOf(filter), integers([top, left, 0, 0, below, right, 0, 0])])
    return graph().op('Reshape', [placed, integers([-1, outChannels])])
  })
  const product = graph().op('Gemm', [graph().op('Concat', weights, { axis: 1 }), patches(x, union)], { transA: 1 })
  const sizes = integers(grids.map(() => outChannels))
  return graph().ops('Split', [product, sizes], { axis: 0 }, grids.length).map(asImages)
}

register('Conv2D', ({ x, filter }, attributes) => {
  const window = convWindow(x!.shape, filter!.shape, attributes)
  const y = channelsFirstLater(window.outShape, () => {
    const how = ownBlocks(window)
    return putTogether({ window: how.blocks, parts: convolve(x!, filter!, how) })
  })
  computeInParts(y, (pool) => convolve(x!, filter!, inBlocks(window, pool)))
  return y
})

register('Conv2DBackpropFilter', ({ x, dy }, attributes) => {
  const filterShape = attributes['filterShape'] as number[]
  const window = convWindow(x!.shape, filterShape, attributes)
  const known = knownPartsOf(dy!)
  const how = known === undefined ? ownBlocks(window) : inBlocks(window, known.window)
  const rows = (known?.parts ?? partsOfBlocks(dy!, how.blocks)).map((part) =>
    graph().op('Reshape', [part, integers([window.outChannels, -1])]),
  )
  const gradient = how.together ? gradientTogether(x!, how, rows) : gradientByPart(x!, how, rows)
  return symbol(graph().op('Reshape', [gradient, integers(filterShape)]), filterShape)
})

/** A gradient's parts; what the last blocks have beyond it is 0. */
function partsOfBlocks(dy: tf.TensorInfo, blocks: Window): string[] {
  const bottom = blocks.outHeight * blocks.strideHeight - blocks.inHeight
  const right = blocks.outWidth * blocks.strideWidth - blocks.inWidth
  const padded = padImages(channelsFirstOf(dy), { top: 0, left: 0, bottom, right })
  return gridsOf(blocks).map((grid) => pick(padded, grid))
}

function gradientByPart(x: tf.TensorInfo, how: Blocks, rows: readonly string[]): string {
  const sum = gridsOf(how.blocks).reduce<string | undefined>((before, grid, k) => {
    const others = before === undefined ? [] : [before]
    return graph().op('Gemm', [patchesOfPart(x, how, grid), rows[k]!, ...others], { transB: 1 })
  }, undefined)
  return sum!
}

/** Of the products of all pixels with all outputs of a block, those that each output sees. */
function gradientTogether(x: tf.TensorInfo, { window, blocks, union }: Blocks, rows: readonly string[]): string {
  const { filterHeight, filterWidth, inChannels, outChannels, strideHeight, strideWidth } = window
  const products = graph().op('Gemm', [patches(x, union), graph().op('Concat', rows, { axis: 0 })], { transB: 1 })
  const shape = [union.filterHeight, union.filterWidth, inChannels, rows.length * outChannels]
  const byPixel = graph().op('Reshape', [products, integers(shape)])
  const seen = gridsOf(blocks).map(({ row, column }, k) => {
    const [top, left] = [row * strideHeight, column * strideWidth]
    const from = integers([top, left, k * outChannels])
    const to = integers([top + filterHeight, left + filterWidth, (k + 1) * outChannels])
    return graph().op('Slice', [byPixel, from, to, integers([0, 1, 3])])
  })
  return graph().op('Sum', seen)
}

register('Conv2DBackpropInput', ({ dy, filter }, attributes) => {
  const inputShape = attributes['inputShape'] as number[]
  const window = convWindow(inputShape, filter!.shape, attributes)
  const { padInfo, strideHeight, strideWidth, filterHeight, filterWidth, outHeight, outWidth, inHeight, inWidth } =
    window
  const turned = graph().op('Transpose', [nameOf(filter!)], { perm: [3, 2, 0, 1] })
  // Rows that no window reached come back as padding of the output.
  const rest = (size: number, out: number, stride: number, extent: number, pads: number): number =>
    size + pads - ((out - 1) * stride + extent)
  const spread = graph().op('ConvTranspose', [batchFirst(dy!), turned], {
    kernel_shape: [filterHeight, filterWidth],
    strides: [strideHeight, strideWidth],
    pads: [padInfo.top, padInfo.left, padInfo.bottom, padInfo.right],
    output_padding: [
      rest(inHeight, outHeight, strideHeight, filterHeight, padInfo.top + padInfo.bottom),
      rest(inWidth, outWidth, strideWidth, filterWidth, padInfo.left + padInfo.right),
    ],
  })
  return batchFirstSymbol(spread, inputShape)
})

/** Images as the runtime's own convolutions have them, `[batch, channels, height, width]`. */
function batchFirst(images: tf.TensorInfo): string {
  const [batch, height, width, channels] = images.shape as [number, number, number, number]
  const rows = graph().op('Reshape', [channelsFirstOf(images), integers([-1, batch])])
  const turned = graph().op('Transpose', [rows], { perm: [1, 0] })
  return graph().op('Reshape', [turned, integers([batch, channels, height, width])])
}

function batchFirstSymbol(images: string, shape: number[]): tf.TensorInfo {
  const [batch, height, width, channels] = shape as [number, number, number, number]
  const turned = graph().op('Transpose', [graph().op('Reshape', [images, integers([batch, -1])])], { perm: [1, 0] })
  return channelsFirstSymbol(graph().op('Reshape', [turned, integers([channels, height, width, batch])]), shape)
}
