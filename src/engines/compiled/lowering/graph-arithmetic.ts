import type { Arithmetic } from '../../optimizers.js'
import type { Graph } from './onnx-graph.js'

/** In a graph vectors are rows, `[1, n]`, and numbers `[1, 1]`. */
export function graphArithmetic(g: Graph): Arithmetic<string> {
  return {
    add: (a, b) => g.op('Add', [a, b]),
    sub: (a, b) => g.op('Sub', [a, b]),
    mul: (a, b) => g.op('Mul', [a, b]),
    div: (a, b) => g.op('Div', [a, b]),
    max: (a, b) => g.op('Max', [a, b]),
    abs: (x) => g.op('Abs', [x]),
    sqrt: (x) => g.op('Sqrt', [x]),
    // In one pass: a product of matrices whose inner dimension is one.
    axpy: (a, x, y) => g.op('Gemm', [a, x, y]),
    one: () => g.scalar(1),
  }
}
