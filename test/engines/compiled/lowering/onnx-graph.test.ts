import onnxProto from 'onnx-proto'
import { describe, expect, it } from 'vitest'
import { defineNet } from '../../../../src/net/net.js'
import { Graph } from '../../../../src/engines/compiled/lowering/onnx-graph.js'
import { unchanged } from '../../../../src/engines/compiled/programs/homogeneous-net.js'
import { buildTraining } from '../../../../src/engines/compiled/programs/training-program.js'

interface Node {
  readonly opType: string
  readonly attribute: readonly { readonly name: string; readonly g?: { readonly node: readonly Node[] } }[]
}
const decode = (bytes: Uint8Array): { graph: { node: readonly Node[] } } =>
  onnxProto.onnx.ModelProto.decode(bytes) as unknown as { graph: { node: readonly Node[] } }

/** The operations of a program in order, those of a body indented beneath its Scan. */
function listing(nodes: readonly Node[], indent = ''): string[] {
  return nodes.flatMap(({ opType, attribute }) => [
    `${indent}${opType}`,
    ...attribute.flatMap(({ g }) => (g == null ? [] : listing(g.node, `${indent}  `))),
  ])
}

describe('a graph', () => {
  // The first graph of this process: values are numbered from 0.
  it('is encoded as these very bytes', () => {
    const graph = new Graph()
    const x = graph.input('x', 'float32', ['rows', 2])
    const scaled = graph.op('Mul', [x, graph.scalar(0.5)])
    graph.outputAs('y', graph.op('LeakyRelu', [scaled], { alpha: { float: 0.25 } }), 'float32', ['rows', 2])
    expect(Buffer.from(graph.encode()).toString('hex')).toMatchInlineSnapshot(
      `"08083a8e010a100a01780a0263321202743322034d756c0a240a0274331202743422094c65616b7952656c752a0f0a05616c706861150000803ea001010a110a02743412017922084964656e746974791201672a0c1001420263324a040000003f5a170a017812120a100801120c0a061204726f77730a02080262170a017912120a100801120c0a061204726f77730a02080242040a001011"`,
    )
  })

  it('computes an operation on the same values once, and drops what no output needs', () => {
    const graph = new Graph()
    const x = graph.input('x', 'float32', [2])
    const [once, again] = [graph.op('Neg', [x]), graph.op('Neg', [x])]
    expect(again).toBe(once)
    graph.op('Abs', [x])
    graph.outputAs('y', once, 'float32', [2])
    graph.prune()
    expect(listing(decode(graph.encode()).graph.node)).toEqual(['Neg', 'Identity'])
  })

  it('of a training of two thin layers has these operations, and no others', () => {
    const net = defineNet(
      [2],
      [
        { kind: 'dense', units: 3, activation: { leakyRelu: 0.1 } },
        { kind: 'dense', units: 1 },
      ],
    )
    const program = buildTraining({
      trained: unchanged(net),
      loss: 'mean-squared-error',
      optimizer: 'sgd',
      batch: 4,
      gradientNorms: false,
      objective: 'loss',
      batches: 'laid out',
    })
    expect(listing(decode(program).graph.node).join('\n')).toMatchInlineSnapshot(`
      "Scan
        Split
        Reshape
        Reshape
        Reshape
        Reshape
        Gemm
        LeakyRelu
        Gemm
        Sub
        ReduceSumSquare
        Mul
        ReduceSum
        Gemm
        Gemm
        Clip
        Mul
        ReduceSum
        Gemm
        Reshape
        Reshape
        Reshape
        Reshape
        Concat
        Gemm
        Identity
        Identity
      Identity
      Mul
      Identity
      Identity"
    `)
  })
})
