import type * as tf from '@tensorflow/tfjs-core'
import { channelsFirstOf, graph } from './tracing.js'

/**
 * Windows that slide over images, by the pixels that they cover. Images lie as [channels, height, width, batch]: what a
 * window takes of a whole batch are runs as long as the batch, copied at the memory's speed.
 */
export type Window = tf.backend_util.Conv2DInfo

export const integers = (values: readonly number[]): string => graph().integers(values)

/** Pixels at equal distances: `rows` × `columns` of them, from `row`, `column` on. */
export interface Grid {
  readonly row: number
  readonly column: number
  readonly rowStep: number
  readonly columnStep: number
  readonly rows: number
  readonly columns: number
}

/** For each pixel of a window, in reading order, where all windows have it. */
export function gridsOf(window: Window): Grid[] {
  const { filterHeight, filterWidth, strideHeight, strideWidth, outHeight, outWidth } = window
  return Array.from({ length: filterHeight * filterWidth }, (_, at) => ({
    row: Math.floor(at / filterWidth),
    column: at % filterWidth,
    rowStep: strideHeight,
    columnStep: strideWidth,
    rows: outHeight,
    columns: outWidth,
  }))
}

/** These pixels of the images, `[channels, rows, columns, batch]`. */
export function pick(images: string, { row, column, rowStep, columnStep, rows, columns }: Grid): string {
  const ends = [row + (rows - 1) * rowStep + 1, column + (columns - 1) * columnStep + 1]
  return graph().op('Slice', [
    images,
    integers([row, column]),
    integers(ends),
    integers([1, 2]),
    integers([rowStep, columnStep]),
  ])
}

/** True when no pixel lies in two windows. */
export const isApart = ({ filterHeight, filterWidth, strideHeight, strideWidth }: Window): boolean =>
  filterHeight <= strideHeight && filterWidth <= strideWidth

/** Images that can be computed in parts. */
const computedInParts = new WeakMap<object, (window: Window) => string[]>()

/** Says how these images are computed in a window's parts. */
export function computeInParts(images: tf.TensorInfo, compute: (window: Window) => string[]): void {
  computedInParts.set(images.dataId, compute)
}

/**
 * The images taken apart, one part for each pixel of a window: the first pixels of all windows, the second, …, each
 * `[channels, outHeight, outWidth, batch]`. What is computed for a pool is computed so, and never put together.
 */
export function partsOf(images: tf.TensorInfo, window: Window): string[] {
  const compute = isApart(window) ? computedInParts.get(images.dataId) : undefined
  return compute?.(window) ?? gridsOf(window).map((grid) => pick(channelsFirstOf(images), grid))
}

/** Images known by their parts. */
export interface Parts {
  readonly window: Window
  readonly parts: readonly string[]
}
const knownParts = new WeakMap<object, Parts>()

export function haveParts(images: tf.TensorInfo, parts: Parts): void {
  knownParts.set(images.dataId, parts)
}

/** The parts of which these images consist; they are 0 elsewhere. */
export const knownPartsOf = (images: tf.TensorInfo): Parts | undefined => knownParts.get(images.dataId)

/** Images put together of parts, which are added where windows overlap; 0 where no window lies. */
export function putTogether({ window, parts }: Parts): string {
  const { strideHeight, strideWidth, inHeight, inWidth } = window
  const [rows, columns] = [Math.ceil(inHeight / strideHeight), Math.ceil(inWidth / strideWidth)]
  // Pixels of a window that are a stride apart lie on one grid, shifted.
  const grids = new Map<string, string>()
  gridsOf(window).forEach(({ row, column }, k) => {
    const key = `${row % strideHeight},${column % strideWidth}`
    const [down, right] = [Math.floor(row / strideHeight), Math.floor(column / strideWidth)]
    const placed = surrounded(parts[k]!, window, [down, right], [rows, columns])
    const before = grids.get(key)
    grids.set(key, before === undefined ? placed : graph().op('Add', [before, placed]))
  })
  const gridAt = (row: number, column: number): string =>
    grids.get(`${row},${column}`) ?? zeros([window.inChannels, rows, columns, window.batchSize])
  return interwoven(window, [rows, columns], gridAt)
}

const zeros = (shape: readonly number[]): string => graph().op('Expand', [graph().scalar(0), integers(shape)])

/** A part with zeros around it, `rows` × `columns` in all; by Concat, since the runtime would fold a Pad into a convolution. */
function surrounded(
  part: string,
  { inChannels, batchSize, outHeight, outWidth }: Window,
  [down, right]: readonly [number, number],
  [rows, columns]: readonly [number, number],
): string {
  const along = (axis: number, value: string, before: number, after: number, shape: number[]): string => {
    const pieces = [
      ...(before > 0 ? [zeros(shape.with(axis, before))] : []),
      value,
      ...(after > 0 ? [zeros(shape.with(axis, after))] : []),
    ]
    return pieces.length === 1 ? value : graph().op('Concat', pieces, { axis })
  }
  const shape = [inChannels, outHeight, outWidth, batchSize]
  const wide = along(2, part, right, columns - right - outWidth, shape)
  return along(1, wide, down, rows - down - outHeight, [inChannels, outHeight, columns, batchSize])
}

/** One image of grids that lie between one another, without the rows and columns beyond its size. */
function interwoven(
  { strideHeight, strideWidth, inChannels, inHeight, inWidth, batchSize }: Window,
  [rows, columns]: readonly [number, number],
  gridAt: (row: number, column: number) => string,
): string {
  const sideBySide = (pieces: string[], length: number): string =>
    pieces.length === 1
      ? pieces[0]!
      : graph().op(
          'Concat',
          pieces.map((piece) => graph().op('Reshape', [piece, integers([-1, length])])),
          { axis: 1 },
        )
  const lines = Array.from({ length: strideHeight }, (_, row) =>
    sideBySide(
      Array.from({ length: strideWidth }, (_, column) => gridAt(row, column)),
      batchSize,
    ),
  )
  const woven = graph().op('Reshape', [
    sideBySide(lines, columns * strideWidth * batchSize),
    integers([inChannels, rows * strideHeight, columns * strideWidth, batchSize]),
  ])
  const fits = rows * strideHeight === inHeight && columns * strideWidth === inWidth
  return fits ? woven : graph().op('Slice', [woven, integers([0, 0]), integers([inHeight, inWidth]), integers([1, 2])])
}
