import type * as tf from '@tensorflow/tfjs-core'
import { afterFirstWeights, firstWeightedLayer, untilFirstWeights } from '../../apply.js'
import type { Net, Parameter } from '../../../net/net.js'
import { Graph } from '../lowering/onnx-graph.js'
import { declareRows, gatherBatch, outputRows, splitParameters, type FeatureStorage } from './loss-programs.js'
import {
  channelsFirstOf,
  channelsFirstSymbol,
  isChannelsFirst,
  nameOf,
  symbol,
  tensorOf,
  trace,
} from '../lowering/tracing.js'
import type { Loss } from '../../../net/training-spec.js'

/**
 * Evaluates one chunk of rows at many points θ = Σⱼ cⱼ bⱼ of weight space. Until its activation, the first layer is
 * linear in its weights: its products are computed once for each basis vector and combined for each point, which saves
 * most of the work of a net on images.
 *
 * Inputs: features, targets, indexes `[rows]`, basis0… each `[parameters]`, coefficients `[points, basis]`. Outputs per
 * point and row: losses and correct, each `[points, rows]`.
 */
export function buildCombinations(
  net: Net,
  loss: Loss,
  storage: FeatureStorage,
  rows: number,
  basisCount: number,
): Uint8Array {
  const program = new Graph()
  declareRows(program, net, loss, storage)
  program.input('indexes', 'int32', [rows])
  const basis = Array.from({ length: basisCount }, (_, j) =>
    program.input(`basis${j}`, 'float32', [net.parameterCount]),
  )
  program.input('coefficients', 'float32', ['points', basisCount])
  const prepared = prepare(program, net, loss, storage, rows, basis)
  const body = traceCombination(net, loss, rows, prepared)
  const [losses, correct] = program.ops('Scan', ['coefficients'], { num_scan_inputs: 1, body: { graph: body } }, 2)
  program.outputAs('losses', losses!, 'float32', ['points', rows])
  program.outputAs('correct', correct!, 'float32', ['points', rows])
  return program.encode()
}

/** What all points share, by its name in the program. */
interface Prepared {
  readonly targets: { readonly name: string; readonly shape: readonly number[]; readonly dtype: tf.DataType }
  /** The first layer's products with the batch, one for each basis vector. */
  readonly products: readonly string[]
  readonly shape: readonly number[]
  /** Whether the products lie channels first. */
  readonly channelsFirst: boolean
  /** Each basis vector without the first layer's weights: only these are combined anew for each point. */
  readonly rests: readonly string[]
}

const laterParameters = (net: Net): Parameter[] => {
  const first = firstWeightedLayer(net)
  return net.parameters.filter(({ layer }) => layer > first)
}

const totalSize = (parameters: readonly Parameter[]): number => parameters.reduce((sum, { size }) => sum + size, 0)

function prepare(
  program: Graph,
  net: Net,
  loss: Loss,
  storage: FeatureStorage,
  rows: number,
  basis: readonly string[],
): Prepared {
  return trace(program, 'float32', {}, () => {
    const { batch, targets } = gatherBatch(program, net, loss, storage, 'indexes', rows)
    const products = basis.map((flat) => untilFirstWeights(net, splitParameters(program, net.parameters, flat), batch))
    const channelsFirst = isChannelsFirst(products[0]!)
    const firstLater = net.parameterCount - totalSize(laterParameters(net))
    return {
      channelsFirst,
      targets: { name: nameOf(targets), shape: targets.shape, dtype: targets.dtype },
      products: products.map(channelsFirst ? channelsFirstOf : nameOf),
      shape: products[0]!.shape,
      rests: basis.map((flat) =>
        program.op('Slice', [flat, program.integers([firstLater]), program.integers([net.parameterCount])]),
      ),
    }
  })
}

/** The net at one point, whose coefficients are the body's input. */
function traceCombination(net: Net, loss: Loss, rows: number, prepared: Prepared): Graph {
  const later = laterParameters(net)
  const basisCount = prepared.rests.length
  const body = new Graph()
  body.input('point', 'float32', [basisCount])
  const where: { layer?: string } = {}
  trace(body, 'float32', where, () => {
    const shares = basisCount === 1 ? ['point'] : body.ops('Split', ['point'], { axis: 0 }, basisCount)
    const combine = (parts: readonly string[]): string =>
      parts.map((part, j) => body.op('Mul', [part, shares[j]!])).reduce((sum, term) => body.op('Add', [sum, term]))
    const parameters = later.length === 0 ? [] : splitParameters(body, later, combine(prepared.rests))
    const product = combine(prepared.products)
    const value = tensorOf((prepared.channelsFirst ? channelsFirstSymbol : symbol)(product, prepared.shape))
    const outputs = afterFirstWeights(net, parameters, value, (layer) => (where.layer = layer))
    const targets = tensorOf(symbol(prepared.targets.name, prepared.targets.shape, prepared.targets.dtype))
    outputRows(body, loss, outputs, targets, rows)
  })
  body.prune()
  return body
}
