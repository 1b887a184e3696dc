import { afterFirstWeights, firstWeightedLayer, untilFirstWeights } from '../../apply.js'
import type { Net } from '../../../net/net.js'
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
  const first = firstWeightedLayer(net)
  const later = net.parameters.filter(({ layer }) => layer > first)
  const restSize = later.reduce((sum, { size }) => sum + size, 0)
  const where: { layer?: string } = {}

  const prepared = trace(program, 'float32', where, () => {
    const { batch, targets } = gatherBatch(program, net, loss, storage, 'indexes', rows)
    const products = basis.map((flat) => untilFirstWeights(net, splitParameters(program, net.parameters, flat), batch))
    const turned = isChannelsFirst(products[0]!)
    return {
      turned,
      targets: { name: nameOf(targets), shape: targets.shape, dtype: targets.dtype },
      products: products.map(turned ? channelsFirstOf : nameOf),
      shape: products[0]!.shape,
      // The first layer's weights are used up; only the rest is combined anew for each point.
      rests: basis.map((flat) =>
        program.op('Slice', [
          flat,
          program.integers([net.parameterCount - restSize]),
          program.integers([net.parameterCount]),
        ]),
      ),
    }
  })

  const body = new Graph()
  body.input('point', 'float32', [basisCount])
  trace(body, 'float32', where, () => {
    const shares = basisCount === 1 ? ['point'] : body.ops('Split', ['point'], { axis: 0 }, basisCount)
    const combine = (parts: readonly string[]): string =>
      parts.map((part, j) => body.op('Mul', [part, shares[j]!])).reduce((sum, term) => body.op('Add', [sum, term]))
    const parameters = restSize === 0 ? [] : splitParameters(body, later, combine(prepared.rests))
    const product = combine(prepared.products)
    const value = tensorOf((prepared.turned ? channelsFirstSymbol : symbol)(product, prepared.shape))
    const outputs = afterFirstWeights(net, parameters, value, (layer) => (where.layer = layer))
    const targets = tensorOf(symbol(prepared.targets.name, prepared.targets.shape, prepared.targets.dtype))
    outputRows(body, loss, outputs, targets, rows)
  })
  body.prune()

  const [losses, correct] = program.ops('Scan', ['coefficients'], { num_scan_inputs: 1, body: { graph: body } }, 2)
  program.outputAs('losses', losses!, 'float32', ['points', rows])
  program.outputAs('correct', correct!, 'float32', ['points', rows])
  return program.encode()
}
