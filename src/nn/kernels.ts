import * as tf from '@tensorflow/tfjs-core'
import { LoweringError } from '../errors.js'
import {
  backendName,
  channelsFirstOf,
  channelsFirstSymbol,
  constant,
  constantValues,
  graph,
  isChannelsFirst,
  nameOf,
  symbol,
  tracer,
} from './tracing.js'
import { sizeOf } from './net.js'
import { elementTypes } from './onnx-graph.js'

/** How tfjs's kernels for dense nets, losses and their gradients become ONNX operations. Images: image-kernels.ts. */

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
  if (shape.length === 4 && inputs.some(isChannelsFirst) && inputs.every((input) => fitsChannelsFirst(input, shape))) {
    const names = inputs.map((input) => (input.shape.length === 4 ? channelsFirstOf(input) : alongChannels(input)))
    return { ...channelsFirstSymbol(lower(names), shape), dtype }
  }
  return symbol(lower(inputs.map(nameOf)), shape, dtype)
}

function fitsChannelsFirst(input: tf.TensorInfo, shape: readonly number[]): boolean {
  if (input.shape.length === 4) return sizeOf(input.shape) === sizeOf(shape) || sizeOf(input.shape) === 1
  return sizeOf(input.shape) === 1 || (input.shape.length === 1 && input.shape[0] === shape[3])
}

function alongChannels(input: tf.TensorInfo): string {
  return sizeOf(input.shape) === 1
    ? nameOf(input)
    : graph().op('Reshape', [nameOf(input), graph().integers([-1, 1, 1, 1])])
}

/** Two constants make a constant: a step's small arithmetic is done now, not once per step. */
function isScalarConstant(input: tf.TensorInfo, value: number): boolean {
  const values = constantValues(input)
  return values !== undefined && values.length === 1 && values[0] === value
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
    if (op === 'Mul' || op === 'Div') {
      // Multiplying by one happens at the head of every gradient.
      if (isScalarConstant(b!, 1) && a!.shape.length >= b!.shape.length) return a!
      if (op === 'Mul' && isScalarConstant(a!, 1) && b!.shape.length >= a!.shape.length) return b!
    }
    if (op === 'Add') {
      const fused = addBias(a!, b!)
      if (fused !== undefined) return symbol(fused, a!.shape)
    }
    const masked = op === 'Mul' ? (maskOf(a!, b!) ?? maskOf(b!, a!)) : undefined
    if (masked !== undefined) return elementwise(masked, 'float32', (names) => graph().op('Where', [...names, zero()]))
    const result = elementwise([a!, b!], a!.dtype, (names) => graph().op(op, names))
    if (op === 'Mul') rememberMultiple(result, a!, b!)
    return result
  })
}

/** Values times a constant, by the result: a leaky ReLU's gradient chooses between a value and its multiple. */
const multiples = new WeakMap<object, { of: object; factor: number }>()

function rememberMultiple(result: tf.TensorInfo, a: tf.TensorInfo, b: tf.TensorInfo): void {
  const [value, factor] = constantValues(b) === undefined ? [b, a] : [a, b]
  const values = constantValues(factor)
  if (values?.length === 1) multiples.set(result.dataId, { of: value.dataId, factor: values[0]! })
}

/** From so many elements on, two multiplications take less than one choice; below, each operation's own cost counts. */
const largeArray = 16_384

/** Products that nothing but a bias has been added to: the bias goes into the Gemm itself. */
const bareProducts = new Map<string, { inputs: string[]; attributes: { transA: number; transB: number } }>()

function addBias(product: tf.TensorInfo, bias: tf.TensorInfo): string | undefined {
  if (product.shape.length !== 2 || bias.shape.length !== 1 || bias.shape[0] !== product.shape[1]) return undefined
  const bare = bareProducts.get(nameOf(product))
  return bare === undefined ? undefined : graph().op('Gemm', [...bare.inputs, nameOf(bias)], bare.attributes)
}

/** Steps by the condition they were made from: multiplying by one is choosing between the value and zero. */
const conditions = new WeakMap<object, tf.TensorInfo>()

function maskOf(step: tf.TensorInfo, value: tf.TensorInfo): [tf.TensorInfo, tf.TensorInfo] | undefined {
  const condition = conditions.get(step.dataId)
  const size = sizeOf(value.shape)
  return condition === undefined || size >= largeArray || sizeOf(condition.shape) !== size
    ? undefined
    : [condition, value]
}

const comparisons: Record<string, string> = {
  Greater: 'Greater',
  GreaterEqual: 'GreaterOrEqual',
  Less: 'Less',
  LessEqual: 'LessOrEqual',
  Equal: 'Equal',
}
for (const [kernel, op] of Object.entries(comparisons)) {
  register(kernel, ({ a, b }) => elementwise([a!, b!], 'bool', (names) => graph().op(op, names)))
}
register('LogicalNot', ({ x }) => elementwise([x!], 'bool', (names) => graph().op('Not', names)))
register('LogicalAnd', ({ a, b }) => elementwise([a!, b!], 'bool', (names) => graph().op('And', names)))

const unary = ['Relu', 'Exp', 'Log', 'Neg', 'Sqrt', 'Sin', 'Cos', 'Tanh', 'Sigmoid', 'Abs', 'Sign', 'Reciprocal']
for (const op of unary) register(op, ({ x }) => elementwise([x!], x!.dtype, (names) => graph().op(op, names)))
register('Identity', ({ x }) => x!)
register('Square', ({ x }) => elementwise([x!], x!.dtype, ([name]) => graph().op('Mul', [name!, name!])))
register('Rsqrt', ({ x }) =>
  elementwise([x!], x!.dtype, (names) => graph().op('Reciprocal', [graph().op('Sqrt', names)])),
)
register('SquaredDifference', ({ a, b }) =>
  elementwise([a!, b!], a!.dtype, (names) => {
    const difference = graph().op('Sub', names)
    return graph().op('Mul', [difference, difference])
  }),
)
register('LeakyRelu', ({ x }, { alpha }) =>
  elementwise([x!], x!.dtype, ([name]) => {
    if (tracer.floatType === 'float32') return graph().op('LeakyRelu', [name!], { alpha: { float: alpha as number } })
    // The runtime's own is for float32 alone.
    const scaled = graph().op('Mul', [name!, graph().scalar(alpha as number, 'float64')])
    return graph().op('Where', [graph().op('Greater', [name!, zero()]), name!, scaled])
  }),
)
register('Step', ({ x }, { alpha }) => {
  if (alpha !== undefined && alpha !== 0)
    throw new LoweringError('Step', undefined, ` with a slope of ${alpha as number}`)
  const condition = elementwise([x!], 'bool', ([name]) => graph().op('Greater', [name!, zero()]))
  const step = elementwise([condition], x!.dtype, ([name]) => cast(name!, 'float32'))
  conditions.set(step.dataId, condition)
  return step
})
register('Select', ({ condition, t, e }) => {
  const multiple = multiples.get(e!.dataId)
  const isSlope = multiple?.of === t!.dataId && multiple.factor >= 0 && multiple.factor <= 1
  if (isSlope && sizeOf(t!.shape) >= largeArray && sizeOf(condition!.shape) === sizeOf(t!.shape)) {
    return elementwise([condition!, t!], t!.dtype, ([chosen, value]) => {
      const slope = [cast(chosen!, 'float32'), graph().scalar(multiple.factor, tracer.floatType)]
      return graph().op('Mul', [value!, graph().op('Max', slope)])
    })
  }
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
  elementwise([logits!], 'float32', (names) => graph().op('Softmax', names, { axis: dim as number })),
)
register('LogSoftmax', ({ logits }, { axis }) =>
  elementwise([logits!], 'float32', (names) => graph().op('LogSoftmax', names, { axis: axis as number })),
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
    // A bias's gradient sums an image over all but its channels, which lie first.
    if (!keep && isChannelsFirst(x!) && axes.join() === '0,1,2')
      return symbol(reduce(channelsFirstOf(x!), [1, 2, 3]), shape, x!.dtype)
    return symbol(reduce(nameOf(x!), axes), shape, x!.dtype)
  })
}

/** Matrices are multiplied by Gemm, whose transposes cost nothing; true batches by MatMul. */
function multiply(
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): { name: string; shape: number[] } {
  const [rankA, rankB] = [a.shape.length, b.shape.length]
  const rows = a.shape[transposeA ? rankA - 1 : rankA - 2]!
  const columns = b.shape[transposeB ? rankB - 2 : rankB - 1]!
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2))
  if (sizeOf(batch) !== 1) {
    const name = graph().op('MatMul', [turned(a, transposeA), turned(b, transposeB)])
    return { name, shape: [...batch, rows, columns] }
  }
  const inputs = [matrix(a), matrix(b)]
  const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 }
  const product = graph().op('Gemm', inputs, attributes)
  bareProducts.set(product, { inputs, attributes })
  const shape = [...batch, rows, columns]
  return { name: batch.length === 0 ? product : graph().op('Reshape', [product, graph().integers(shape)]), shape }
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

register('BatchMatMul', ({ a, b }, { transposeA, transposeB }) => {
  const { name, shape } = multiply(a!, b!, Boolean(transposeA), Boolean(transposeB))
  return symbol(name, shape)
})
