import type * as tf from '@tensorflow/tfjs-core'
import { turnedNameOf } from '../lowering/matrix.js'
import { thinBelowUnits, type Net, type Parameter } from '../../../net/net.js'
import type { Graph } from '../lowering/onnx-graph.js'
import { channelsFirstSymbol, nameOf, symbol, tensorOf } from '../lowering/tracing.js'

/**
 * Parameters that a training program keeps in one row of numbers, `[1, size]`: a large one by itself, so that it is read
 * and updated where it lies; the small ones together, so that the optimiser's operations run once for all.
 */
export interface WeightGroup {
  /** They lie in the row one after the other. */
  readonly matrices: readonly WeightMatrix[]
  readonly size: number
  /** Where each number of the row lies in the net's flat vector. */
  readonly places: Int32Array
}

/** Weights side by side in one matrix, `[rows, columns]`, read by one reshaping and one split; or one by itself, `rows` 1. */
interface WeightMatrix {
  readonly rows: number
  readonly columns: number
  readonly members: readonly MatrixMember[]
}

interface MatrixMember {
  readonly parameter: Parameter
  readonly columns: number
  /** Its columns lie as the matrix's rows. A product takes a matrix either way round. */
  readonly turned: boolean
}

/** From so many numbers on, copying a parameter out of a vector and back costs more than operations of its own. */
const largeParameter = 16_384
/** With fewer parameters a matrix of several takes as many operations as it saves. */
const minPacked = 3

export function weightGroups(net: Net): WeightGroup[] {
  const small = net.parameters.filter(({ size }) => size < largeParameter)
  const large = net.parameters.filter(({ size }) => size >= largeParameter)
  return [pack(small), ...large.map((parameter) => [alone(parameter)])]
    .filter((matrices) => matrices.length > 0)
    .map((matrices) => {
      const places = placesOf(matrices)
      return { matrices, size: places.length, places }
    })
}

const alone = (parameter: Parameter): WeightMatrix => ({
  rows: 1,
  columns: parameter.size,
  members: [{ parameter, columns: parameter.size, turned: false }],
})

/** Thin matrices that have a dimension in common share one matrix, the commonest dimension first. */
function pack(parameters: readonly Parameter[]): WeightMatrix[] {
  const thin = parameters.filter(({ shape }) => shape.length === 2 && shape.every((units) => units < thinBelowUnits))
  const having = (rows: number): Parameter[] => thin.filter(({ shape }) => shape.includes(rows))
  const [commonest] = [...new Set(thin.flatMap(({ shape }) => shape))].sort(
    (a, b) => having(b).length - having(a).length,
  )
  const shared = commonest === undefined ? [] : having(commonest)
  if (shared.length < minPacked) return parameters.map(alone)
  const members = shared.map((parameter) => ({
    parameter,
    columns: parameter.size / commonest!,
    turned: parameter.shape[0] !== commonest,
  }))
  const columns = members.reduce((sum, member) => sum + member.columns, 0)
  return [
    { rows: commonest!, columns, members },
    ...pack(parameters.filter((parameter) => !shared.includes(parameter))),
  ]
}

function placesOf(matrices: readonly WeightMatrix[]): Int32Array {
  const places: number[] = []
  for (const { rows, members } of matrices)
    for (let row = 0; row < rows; row++)
      for (const { parameter, columns, turned } of members)
        for (let column = 0; column < columns; column++)
          places.push(parameter.offset + (turned ? column * rows + row : row * columns + column))
  return Int32Array.from(places)
}

/** A group's numbers out of the net's flat vector. */
export const pick = ({ places }: WeightGroup, flat: Float32Array): Float32Array =>
  Float32Array.from(places, (place) => flat[place]!)

/** Puts a group's numbers back where they belong in the net's flat vector. */
export function place({ places }: WeightGroup, values: Float32Array, flat: Float32Array): void {
  places.forEach((place, i) => (flat[place] = values[i]!))
}

/** A group's parameters as the net's layers take them, out of its row. */
export function readGroup(g: Graph, { matrices }: WeightGroup, row: string): Map<Parameter, tf.Tensor> {
  const sizes = matrices.map(({ rows, columns }) => rows * columns)
  const pieces = matrices.length === 1 ? [row] : g.ops('Split', [row, g.integers(sizes)], { axis: 1 }, matrices.length)
  return new Map(matrices.flatMap((matrix, i) => readMatrix(g, matrix, pieces[i]!)))
}

function readMatrix(g: Graph, { rows, columns, members }: WeightMatrix, piece: string): [Parameter, tf.Tensor][] {
  const [first] = members
  if (members.length === 1) {
    const { shape } = first!.parameter
    return [[first!.parameter, tensorOf(symbol(g.op('Reshape', [piece, g.integers(shape)]), shape))]]
  }
  const matrix = g.op('Reshape', [piece, g.integers([rows, columns])])
  const widths = g.integers(members.map((member) => member.columns))
  const parts = g.ops('Split', [matrix, widths], { axis: 1 }, members.length)
  return members.map(({ parameter, turned }, i) => [
    parameter,
    tensorOf((turned ? channelsFirstSymbol : symbol)(parts[i]!, parameter.shape)),
  ])
}

/** The gradients of a group's parameters as its row. */
export function joinGroup(
  g: Graph,
  { matrices }: WeightGroup,
  gradientOf: (parameter: Parameter) => tf.Tensor,
): string {
  const rows = matrices.map(({ members }) => {
    const names = members.map(({ parameter, turned }) => (turned ? turnedNameOf : nameOf)(gradientOf(parameter)))
    const matrix = names.length === 1 ? names[0]! : g.op('Concat', names, { axis: 1 })
    return g.op('Reshape', [matrix, g.integers([1, -1])])
  })
  return rows.length === 1 ? rows[0]! : g.op('Concat', rows, { axis: 1 })
}
