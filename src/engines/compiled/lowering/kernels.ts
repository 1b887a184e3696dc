import * as tf from '@tensorflow/tfjs-core'
import { LoweringError } from '../../../core/errors.js'
import {
  backendName,
  channelsFirstLater,
  channelsFirstOf,
  channelsFirstSymbol,
  constant,
  constantValues,
  graph,
  isChannelsFirst,
  nameOf,
  pixelsOf,
  planesOf,
  symbol,
  tracer,
} from './tracing.js'
import { sizeOf, thinUnits } from '../../../net/net.js'
import { elementTypes } from './onnx-graph.js'

/**
 * How tfjs's kernels for dense nets, losses and their gradients become ONNX operations. Those of images:
 * convolution-kernels.ts, pooling-kernels.ts.
 */

type Inputs = Record<string, tf.TensorInfo>
type Attributes = Record<string, unknown>

export function register(kernelName: string, lower: (inputs: Inputs, attributes: Attributes) => tf.TensorInfo): void {
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, attrs }) => {
      const { dataId, shape, dtype } = lower(inputs as Inputs, attrs ?? {})
      // Never the input's own object: tfjs would take the result for the input itself and count its gradient twice.
      return { dataId, shape, dtype }
    },
  })
}

const broadcast = (a: number[], b: number[]): number[] => tf.broadcast_util.assertAndGetBroadcastShape(a, b)

/**
 * An operation that acts on each element. When an image among the inputs lies channels first, and the others are alike
 * or broadcast along channels only, it is done in that layout and no image is turned over.
 */
function elementwise(
  inputs: readonly tf.TensorInfo[],
  dtype: tf.DataType,
  lower: (names: string[]) => string,
): tf.TensorInfo {
  const shape = inputs.map((input) => input.shape).reduce(broadcast)
  const turned = inputs.some((input) => isChannelsFirst(input) && input.shape.length === shape.length)
  if (turned && inputs.every((input) => fitsChannelsFirst(input, shape))) {
    const names = inputs.map((input) =>
      input.shape.length === shape.length ? channelsFirstOf(input) : alongChannels(input, shape.length),
    )
    return { ...channelsFirstSymbol(lower(names), shape), dtype }
  }
  return symbol(lower(inputs.map(nameOf)), shape, dtype)
}

function fitsChannelsFirst(input: tf.TensorInfo, shape: readonly number[]): boolean {
  const size = sizeOf(input.shape)
  if (input.shape.length === shape.length) return size === sizeOf(shape) || size === 1
  return size === 1 || (input.shape.length === 1 && input.shape[0] === shape.at(-1))
}

function alongChannels(input: tf.TensorInfo, rank: number): string {
  return sizeOf(input.shape) === 1
    ? nameOf(input)
    : graph().op('Reshape', [nameOf(input), graph().integers([-1, ...new Array<number>(rank - 1).fill(1)])])
}

/** The number that a constant repeats, if it does: gradients begin as such. */
function uniformValue(input: tf.TensorInfo): number | undefined {
  const values = constantValues(input)
  return values?.every((value) => value === values[0]) === true ? values[0] : undefined
}

const binary: Record<string, string> = {
  Add: 'Add',
  AddV2: 'Add',
  Sub: 'Sub',
  Multiply: 'Mul',
  RealDiv: 'Div',
  Pow: 'Pow',
  Maximum: 'Max',
  Minimum: 'Min',
}
for (const [kernel, op] of Object.entries(binary)) {
  register(kernel, ({ a, b }) => {
    // Dividing by one and multiplying by one happen at the head of every gradient.
    if (op === 'Div' && uniformValue(b!) === 1 && a!.shape.length >= b!.shape.length) return a!
    if (op === 'Mul') return multipleOf(a!, b!) ?? multipleOf(b!, a!) ?? elementwise([a!, b!], a!.dtype, product)
    if (op === 'Add') {
      const fused = addBias(a!, b!)
      if (fused !== undefined) return fused
    }
    return elementwise([a!, b!], a!.dtype, (names) => graph().op(op, names))
  })
}

const product = (names: string[]): string => graph().op('Mul', names)

/** Values times one number, by the result: their multiples are theirs, and a leaky ReLU's gradient is one of the two. */
const multiples = new WeakMap<object, { of: tf.TensorInfo; factor: number }>()

/** The value as a number times another, if it is known to be one. */
export function asMultiple(value: tf.TensorInfo): { readonly of: tf.TensorInfo; readonly factor: number } {
  return multiples.get(value.dataId) ?? { of: value, factor: 1 }
}

function multipleOf(value: tf.TensorInfo, by: tf.TensorInfo): tf.TensorInfo | undefined {
  const number = uniformValue(by)
  if (number === undefined || broadcast(value.shape, by.shape).join() !== value.shape.join()) return undefined
  if (number === 1) return value
  const { of, factor: known } = asMultiple(value)
  const factor = number * known
  const values = constantValues(of)
  if (values !== undefined)
    return constant(
      values.map((v) => v * factor),
      value.shape,
      value.dtype,
    )
  const scalar = graph().scalar(factor, tracer.elementType(value.dtype))
  const result = elementwise([of], value.dtype, ([name]) => graph().op('Mul', [name!, scalar]))
  multiples.set(result.dataId, { of, factor })
  return result
}

function addBias(product: tf.TensorInfo, bias: tf.TensorInfo): tf.TensorInfo | undefined {
  const affine = plainProduct(product)
  if (affine === undefined) return undefined
  if (bias.shape.length !== 1 || bias.shape[0] !== product.shape[1]) return undefined
  return affineSymbol({ ...affine, bias: affine.channelsFirst ? alongChannels(bias, 2) : nameOf(bias) }, product.shape)
}

const comparisons: Record<string, string> = {
  Greater: 'Greater',
  GreaterEqual: 'GreaterOrEqual',
  Less: 'Less',
  LessEqual: 'LessOrEqual',
  Equal: 'Equal',
}
/** What a condition asks to be positive. */
const positives = new WeakMap<object, tf.TensorInfo>()

for (const [kernel, op] of Object.entries(comparisons)) {
  register(kernel, ({ a, b }) => {
    const condition = elementwise([a!, b!], 'bool', (names) => graph().op(op, names))
    if (op === 'Greater' && uniformValue(b!) === 0) positives.set(condition.dataId, a!)
    return condition
  })
}
register('LogicalNot', ({ x }) => elementwise([x!], 'bool', (names) => graph().op('Not', names)))
register('LogicalAnd', ({ a, b }) => elementwise([a!, b!], 'bool', (names) => graph().op('And', names)))

const unary = ['Exp', 'Log', 'Neg', 'Sqrt', 'Sin', 'Cos', 'Tanh', 'Sigmoid', 'Abs', 'Sign', 'Reciprocal']
for (const op of unary) register(op, ({ x }) => elementwise([x!], x!.dtype, (names) => graph().op(op, names)))
register('Identity', ({ x }) => x!)
register('Square', ({ x }) => elementwise([x!], x!.dtype, ([name]) => graph().op('Mul', [name!, name!])))
register('Rsqrt', ({ x }) =>
  elementwise([x!], x!.dtype, (names) => graph().op('Reciprocal', [graph().op('Sqrt', names)])),
)
/** Squares by what was squared: a loss sums them in one operation. */
const squared = new WeakMap<object, tf.TensorInfo>()

register('SquaredDifference', ({ a, b }) => {
  const difference = elementwise([a!, b!], a!.dtype, (names) => graph().op('Sub', names))
  const square = elementwise([difference], a!.dtype, ([name]) => graph().op('Mul', [name!, name!]))
  squared.set(square.dataId, difference)
  return square
})

/** (Leaky) ReLUs by what goes in: where one is positive so is the other. */
const activated = new WeakMap<object, tf.TensorInfo>()

register('Relu', ({ x }) => {
  const y = elementwise([x!], x!.dtype, (names) => graph().op('Relu', names))
  activated.set(x!.dataId, y)
  return y
})
register('LeakyRelu', ({ x }, { alpha }) => {
  const y = leakyRelu(x!, alpha as number)
  activated.set(x!.dataId, y)
  return y
})

/**
 * Values of a leaky ReLU as they lie in the graph, 2⁶⁴ times too large, by the tensor. The function commutes with
 * scaling and a Gemm scales for nothing, so layers hand on raised values; what is raised tells its sign to a Clip, and
 * the gradient needs one pass fewer. A power of two changes no digit.
 */
const raised = new WeakMap<object, tf.TensorInfo>()
const raise = 2 ** 64

function leakyRelu(x: tf.TensorInfo, alpha: number): tf.TensorInfo {
  const lower = ([name]: string[]): string => graph().op('LeakyRelu', [name!], { alpha: { float: alpha } })
  if (tracer.floatType === 'float64') {
    // The runtime's own is for float32 alone.
    return elementwise([x], x.dtype, ([name]) => {
      const scaled = graph().op('Mul', [name!, graph().scalar(alpha, 'float64')])
      return graph().op('Where', [graph().op('Greater', [name!, zero()]), name!, scaled])
    })
  }
  const affine = affines.get(x.dataId)
  // Wide layers gain nothing: their time goes into the products, and the runtime's quickest ones do not scale.
  if (affine?.channelsFirst !== true) return elementwise([x], x.dtype, lower)
  const above = lower([gemm(affine, raise)])
  const y = channelsFirstLater(x.shape, () => graph().op('Mul', [above, graph().scalar(1 / raise)]))
  raised.set(y.dataId, channelsFirstSymbol(above, x.shape))
  return y
}

/** Large enough that any positive number that is not subnormal, times it, is at least one. */
export const huge = { float32: 3e38, float64: 1e308 } as const

/** 1 where x is positive and `least` elsewhere. Comparing and choosing would take the runtime five times as long. */
function slopeOf(x: tf.TensorInfo, least: number): tf.TensorInfo {
  const y = activated.get(x.dataId) ?? x
  const float = tracer.floatType
  if (least === 0 && float === 'float32') {
    const attributes = { alpha: { float: huge[float] }, beta: { float: 0 } }
    return elementwise([y], 'float32', (names) => graph().op('HardSigmoid', names, attributes))
  }
  const above = raised.get(y.dataId)
  return elementwise([above ?? y], 'float32', ([name]) => {
    const large = above === undefined ? graph().op('Mul', [name!, graph().scalar(huge[float], float)]) : name!
    return graph().op('Clip', [large, graph().scalar(least, float), graph().scalar(1, float)])
  })
}

register('Step', ({ x }, { alpha }) => {
  if (alpha !== undefined && alpha !== 0)
    throw new LoweringError('Step', undefined, ` with a slope of ${alpha as number}`)
  return slopeOf(x!, 0)
})
register('Select', ({ condition, t, e }) => {
  const [x, multiple] = [positives.get(condition!.dataId), multiples.get(e!.dataId)]
  // The gradient of a leaky ReLU: all of it where x is positive, else a part.
  if (x !== undefined && multiple?.of.dataId === t!.dataId && multiple.factor >= 0 && multiple.factor <= 1)
    return elementwise([t!, slopeOf(x, multiple.factor)], t!.dtype, product)
  return elementwise([condition!, t!, e!], t!.dtype, (names) => graph().op('Where', names))
})
register('Cast', ({ x }, { dtype }) =>
  x!.dtype === dtype ? x! : elementwise([x!], dtype as tf.DataType, ([name]) => cast(name!, dtype as string)),
)

function cast(name: string, dtype: string): string {
  return graph().op('Cast', [name], { to: elementTypes[tracer.elementType(dtype)] })
}
const zero = (): string => graph().scalar(0, tracer.floatType)

register('Softmax', ({ logits }, { dim }) =>
  symbol(graph().op('Softmax', [nameOf(logits!)], { axis: dim as number }), logits!.shape),
)
register('LogSoftmax', ({ logits }, { axis }) =>
  symbol(graph().op('LogSoftmax', [nameOf(logits!)], { axis: axis as number }), logits!.shape),
)
register('ArgMax', ({ x }, { axis }) => {
  const at = axis as number
  const shape = x!.shape.filter((_, i) => i !== at)
  return symbol(cast(graph().op('ArgMax', [nameOf(x!)], { axis: at, keepdims: 0 }), 'int32'), shape, 'int32')
})

const filled = (shape: number[], value: number, dtype: tf.DataType): tf.TensorInfo =>
  constant(
    dtype === 'int32' ? new Int32Array(sizeOf(shape)).fill(value) : new Float32Array(sizeOf(shape)).fill(value),
    shape,
    dtype,
  )
register('ZerosLike', ({ x }) => filled(x!.shape, 0, x!.dtype))
register('OnesLike', ({ x }) => filled(x!.shape, 1, x!.dtype))
register('Fill', (_, { shape, value, dtype }) =>
  filled(shape as number[], value as number, (dtype as tf.DataType | undefined) ?? 'float32'),
)

register('Reshape', ({ x }, { shape: wanted }) => {
  const shape = tf.util.inferFromImplicitShape(wanted as number[], sizeOf(x!.shape))
  const values = constantValues(x!)
  if (values !== undefined) return constant(values, shape, x!.dtype)
  // The gradient of every broadcast ends in one that changes nothing.
  if (shape.length === x!.shape.length && shape.every((size, i) => size === x!.shape[i])) return x!
  if (isChannelsFirst(x!) && x!.shape.length > 2 && shape.length === 2 && shape[0] === x!.shape[0])
    return channelsFirstLater(shape, () => pixelsOf(channelsFirstOf(x!), x!.shape))
  const product = plainProduct(x!)
  // A product's rows as images: it is computed the other way round.
  if (product !== undefined && shape.length > 2 && shape[0] === x!.shape[0])
    return channelsFirstLater(shape, () => planesOf(productTurned(product), shape))
  return symbol(graph().op('Reshape', [nameOf(x!), graph().integers(shape)]), shape, x!.dtype)
})
register('ExpandDims', ({ input }, { dim }) => {
  const shape = [...input!.shape]
  shape.splice((dim as number) < 0 ? shape.length + 1 + (dim as number) : (dim as number), 0, 1)
  return symbol(graph().op('Reshape', [nameOf(input!), graph().integers(shape)]), shape, input!.dtype)
})
register('Transpose', ({ x }, { perm }) => {
  const axes = perm as number[]
  return symbol(
    graph().op('Transpose', [nameOf(x!)], { perm: axes }),
    axes.map((axis) => x!.shape[axis]!),
    x!.dtype,
  )
})
register('Tile', ({ x }, { reps }) => {
  const shape = x!.shape.map((size, i) => size * (reps as number[])[i]!)
  return symbol(graph().op('Expand', [nameOf(x!), graph().integers(shape)]), shape, x!.dtype)
})
register('Slice', ({ x }, { begin, size }) => {
  const starts = begin as number[]
  const shape = (size as number[]).map((length, i) => (length < 0 ? x!.shape[i]! - starts[i]! : length))
  const ends = starts.map((start, i) => start + shape[i]!)
  const axes = starts.map((_, i) => i)
  return symbol(
    graph().op('Slice', [nameOf(x!), graph().integers(starts), graph().integers(ends), graph().integers(axes)]),
    shape,
    x!.dtype,
  )
})
register('PadV2', ({ x }, { paddings, constantValue }) => {
  const pairs = paddings as [number, number][]
  const shape = x!.shape.map((size, i) => size + pairs[i]![0] + pairs[i]![1])
  const pads = [...pairs.map(([before]) => before), ...pairs.map(([, after]) => after)]
  return symbol(
    graph().op('Pad', [nameOf(x!), graph().integers(pads), graph().scalar(constantValue as number, tracer.floatType)]),
    shape,
    x!.dtype,
  )
})

const reductions: Record<string, string> = { Sum: 'ReduceSum', Max: 'ReduceMax', Min: 'ReduceMin', Mean: 'ReduceMean' }
for (const [kernel, op] of Object.entries(reductions)) {
  register(kernel, ({ x }, attributes) => {
    const axes = tf.util.parseAxisParam(
      (attributes['axis'] ?? attributes['reductionIndices']) as number | number[],
      x!.shape,
    )
    const keep = Boolean(attributes['keepDims'])
    const shape = keep
      ? x!.shape.map((size, i) => (axes.includes(i) ? 1 : size))
      : x!.shape.filter((_, i) => !axes.includes(i))
    const reduce = (name: string, over: readonly number[]): string =>
      // Only ReduceSum takes its axes as an input in this version of the operators.
      op === 'ReduceSum'
        ? graph().op(op, [name, graph().integers(over)], { keepdims: keep ? 1 : 0 })
        : graph().op(op, [name], { axes: over, keepdims: keep ? 1 : 0 })
    if (!keep && axes.length === x!.shape.length) {
      const root = op === 'ReduceSum' ? squared.get(x!.dataId) : undefined
      const all = root ?? x!
      const name = isChannelsFirst(all) ? channelsFirstOf(all) : nameOf(all)
      const sum = root === undefined ? reduce(name, axes) : graph().op('ReduceSumSquare', [name], { keepdims: 0 })
      return symbol(sum, shape, x!.dtype)
    }
    // A bias's gradient sums over all but the channels, which lie first.
    if (!keep && isChannelsFirst(x!) && axes.length === x!.shape.length - 1 && !axes.includes(axes.length)) {
      const later = axes.map((axis) => axis + 1)
      return symbol(reduce(channelsFirstOf(x!), later), shape, x!.dtype)
    }
    return symbol(reduce(nameOf(x!), axes), shape, x!.dtype)
  })
}

/** Matrices are multiplied by Gemm, whose transposes cost nothing; true batches by MatMul. */
function multiply(a: tf.TensorInfo, b: tf.TensorInfo, transposeA: boolean, transposeB: boolean): tf.TensorInfo {
  const [rankA, rankB] = [a.shape.length, b.shape.length]
  const rows = a.shape[transposeA ? rankA - 1 : rankA - 2]!
  const columns = b.shape[transposeB ? rankB - 2 : rankB - 1]!
  const inner = a.shape[transposeA ? rankA - 2 : rankA - 1]!
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2))
  if (sizeOf(batch) !== 1) {
    const name = graph().op('MatMul', [turned(a, transposeA), turned(b, transposeB)])
    return symbol(name, [...batch, rows, columns])
  }
  const shape = [...batch, rows, columns]
  // A thin product of a batch lies channels first: rows of a batch's length suit the processor's vectors.
  const channelsFirst =
    batch.length === 0 && !transposeA && columns < thinUnits && inner < 2 * thinUnits && columns < rows
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

function affineSymbol(affine: Affine, shape: readonly number[]): tf.TensorInfo {
  const name = gemm(affine)
  const result = affine.channelsFirst === true ? channelsFirstSymbol(name, shape) : symbol(name, shape)
  affines.set(result.dataId, affine)
  return result
}

function gemm({ left, right, bias }: Affine, scale = 1): string {
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
function plainProduct(tensor: tf.TensorInfo): Affine | undefined {
  const affine = affines.get(tensor.dataId)
  return affine?.bias === undefined ? affine : undefined
}

function productTurned({ left, right, channelsFirst }: Affine): string {
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

register('BatchMatMul', ({ a, b }, { transposeA, transposeB }) =>
  multiply(a!, b!, Boolean(transposeA), Boolean(transposeB)),
)
