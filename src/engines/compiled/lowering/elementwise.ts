import * as tf from '@tensorflow/tfjs-core'
import { sizeOf } from '../../../net/net.js'
import { asMultiple, multiples, positives, squared } from './known-values.js'
import { addBias } from './matrix.js'
import { elementTypes } from './onnx-graph.js'
import {
  alongChannels,
  channelsFirstOf,
  channelsFirstSymbol,
  constant,
  constantValues,
  graph,
  isChannelsFirst,
  nameOf,
  register,
  symbol,
  tracer,
} from './tracing.js'

/** How operations that act on each element become ONNX's. Those of rectifiers: rectifiers.ts. */

const broadcast = (a: number[], b: number[]): number[] => tf.broadcast_util.assertAndGetBroadcastShape(a, b)

/**
 * An operation that acts on each element. When an image among the inputs lies channels first, and the others are alike
 * or broadcast along channels only, it is done in that layout and no image is turned over.
 */
export function elementwise(
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

export const product = (names: string[]): string => graph().op('Mul', names)

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

const comparisons: Record<string, string> = {
  Greater: 'Greater',
  GreaterEqual: 'GreaterOrEqual',
  Less: 'Less',
  LessEqual: 'LessOrEqual',
  Equal: 'Equal',
}

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
register('SquaredDifference', ({ a, b }) => {
  const difference = elementwise([a!, b!], a!.dtype, (names) => graph().op('Sub', names))
  const square = elementwise([difference], a!.dtype, ([name]) => graph().op('Mul', [name!, name!]))
  squared.set(square.dataId, difference)
  return square
})
register('Cast', ({ x }, { dtype }) =>
  x!.dtype === dtype ? x! : elementwise([x!], dtype as tf.DataType, ([name]) => cast(name!, dtype as string)),
)

export function cast(name: string, dtype: string): string {
  return graph().op('Cast', [name], { to: elementTypes[tracer.elementType(dtype)] })
}
