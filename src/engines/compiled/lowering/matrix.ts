import * as tf from '@tensorflow/tfjs-core'
import { sizeOf, thinBelowUnits } from '../../../net/net.js'
import { asMultiple, raise, raised } from './known-values.js'
import {
  alongChannels,
  channelsFirstOf,
  channelsFirstSymbol,
  graph,
  isChannelsFirst,
  nameOf,
  register,
  symbol,
} from './tracing.js'

/** How products of matrices, with the bias that follows, become ONNX operations. */

register('BatchMatMul', ({ a, b }, { transposeA, transposeB }) =>
  multiply(a!, b!, Boolean(transposeA), Boolean(transposeB)),
)

/** Matrices are multiplied by Gemm, whose transposes cost nothing; true batches by MatMul. */
function multiply(a: tf.TensorInfo, b: tf.TensorInfo, transposeA: boolean, transposeB: boolean): tf.TensorInfo {
  const [rankA, rankB] = [a.shape.length, b.shape.length]
  const rows = a.shape[transposeA ? rankA - 1 : rankA - 2]!
  const columns = b.shape[transposeB ? rankB - 2 : rankB - 1]!
  const inner = a.shape[transposeA ? rankA - 2 : rankA - 1]!
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  if (sizeOf(batch) !== 1) {
    const name = graph().op('MatMul', [turned(a, transposeA), turned(b, transposeB)])
    return symbol(name, [...batch, rows, columns])
  }
  const shape = [...batch, rows, columns]
  // A thin product of a batch lies channels first: rows of a batch's length suit the processor's vectors.
  const channelsFirst =
    batch.length === 0 && !transposeA && columns < thinBelowUnits && inner < 2 * thinBelowUnits && columns < rows
  const [left, right] = channelsFirst
    ? [operand(b, !transposeB), operand(a, !transposeA)]
    : [turnedIfLarge(operand(a, transposeA), inner * rows), operand(b, transposeB)]
  if (batch.length === 0) return affineSymbol({ left, right, channelsFirst }, shape)
  return symbol(graph().op('Reshape', [gemm({ left, right }), graph().integers(shape)]), shape)
}

/** A product of matrices with or without a bias, which may lie channels first. */
interface Affine {
  readonly left: Operand
  readonly right: Operand
  readonly bias?: string
  readonly channelsFirst?: boolean
}

/** A matrix as it lies in the graph: the other way round, or raised. */
interface Operand {
  readonly name: string
  readonly transposed: boolean
  readonly factor: number
}

/** Affine maps by their results: a bias or an activation that follows becomes one operation with them. */
const affines = new WeakMap<object, Affine>()

/** The affine map whose result this is, if it is one's. */
export const affineOf = (tensor: tf.TensorInfo): Affine | undefined => affines.get(tensor.dataId)

function affineSymbol(affine: Affine, shape: readonly number[]): tf.TensorInfo {
  const name = gemm(affine)
  const result = affine.channelsFirst === true ? channelsFirstSymbol(name, shape) : symbol(name, shape)
  affines.set(result.dataId, affine)
  return result
}

export function addBias(product: tf.TensorInfo, bias: tf.TensorInfo): tf.TensorInfo | undefined {
  const affine = plainProduct(product)
  if (affine === undefined) return undefined
  if (bias.shape.length !== 1 || bias.shape[0] !== product.shape[1]) return undefined
  return affineSymbol({ ...affine, bias: affine.channelsFirst ? alongChannels(bias, 2) : nameOf(bias) }, product.shape)
}

export function gemm({ left, right, bias }: Affine, scale = 1): string {
  const alpha = left.factor * right.factor * scale
  return graph().op('Gemm', [left.name, right.name, ...(bias === undefined ? [] : [bias])], {
    ...(left.transposed ? { transA: 1 } : {}),
    ...(right.transposed ? { transB: 1 } : {}),
    ...(alpha === 1 ? {} : { alpha: { float: alpha } }),
    ...(bias === undefined || scale === 1 ? {} : { beta: { float: scale } }),
  })
}

/** A matrix of rows, channels first; a product is computed so, which costs nothing. */
export function turnedNameOf(rows: tf.TensorInfo): string {
  const product = plainProduct(rows)
  return product === undefined ? channelsFirstOf(rows) : productTurned(product)
}

/** The product that this is, if it is one without a bias. */
export function plainProduct(tensor: tf.TensorInfo): Affine | undefined {
  const affine = affineOf(tensor)
  return affine?.bias === undefined ? affine : undefined
}

export function productTurned({ left, right, channelsFirst }: Affine): string {
  const turned = (operand: Operand): Operand => ({ ...operand, transposed: !operand.transposed })
  return channelsFirst === true ? gemm({ left, right }) : gemm({ left: turned(right), right: turned(left) })
}

function operand(tensor: tf.TensorInfo, transposed: boolean): Operand {
  const [stored, factor] = storedFor(tensor)
  return stored.shape.length === 2 && isChannelsFirst(stored)
    ? { name: channelsFirstOf(stored), transposed: !transposed, factor }
    : { name: matrix(stored), transposed, factor }
}

/** What a Gemm takes for this value, and the number it multiplies by: raised values, and multiples of thin ones. */
function storedFor(tensor: tf.TensorInfo): [tf.TensorInfo, number] {
  const above = raised.get(tensor.dataId)
  if (above !== undefined) return [above, 1 / raise]
  const { of, factor } = asMultiple(tensor)
  return isChannelsFirst(of) ? [of, factor] : [tensor, 1]
}

/** From so many numbers on (256 KB), a left matrix is turned before a product: across its rows it would be read many times. */
const turnedNumbers = 65_536

function turnedIfLarge(operand: Operand, numbers: number): Operand {
  if (!operand.transposed || numbers < turnedNumbers) return operand
  return { ...operand, name: graph().op('Transpose', [operand.name], { perm: [1, 0] }), transposed: false }
}

function matrix(tensor: tf.TensorInfo): string {
  return tensor.shape.length === 2
    ? nameOf(tensor)
    : graph().op('Reshape', [nameOf(tensor), graph().integers(tensor.shape.slice(-2))])
}

function turned(tensor: tf.TensorInfo, transpose: boolean): string {
  if (!transpose) return nameOf(tensor)
  const axes = tensor.shape.map((_, i) => i)
  const last = axes.length - 1
  return graph().op('Transpose', [nameOf(tensor)], { perm: [...axes.slice(0, -2), last, last - 1] })
}
