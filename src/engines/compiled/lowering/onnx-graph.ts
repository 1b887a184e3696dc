import onnxProto from 'onnx-proto'

const { onnx } = onnxProto
type ProtoNode = { opType: string; input: string[]; output: string[]; attribute: object[] }
type ProtoTensor = { name: string; dims: number[]; dataType: number; rawData: Uint8Array }
type ProtoValue = { name: string; type: object }

/** ONNX's numbers for element types. */
export const elementTypes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float64: 11 } as const
export type ElementType = keyof typeof elementTypes
/** A dimension: its length, or the name of a length known only when the program runs. */
export type Dimension = number | string
type Attribute = number | string | readonly number[] | { readonly float: number } | { readonly graph: Graph }

let nextName = 0

/** An ONNX graph being built: nodes in order of computation, constants kept once. */
export class Graph {
  readonly #serial = nextName++
  readonly #nodes: ProtoNode[] = []
  readonly #constants = new Map<string, ProtoTensor>()
  readonly #inputs: ProtoValue[] = []
  readonly #outputs: ProtoValue[] = []
  /** The same operation on the same inputs is computed once. */
  readonly #known = new Map<string, readonly string[]>()
  /** What a Reshape's result was made of. */
  readonly #reshaped = new Map<string, string>()

  /** Adds one operation with one output and returns the output's name. */
  op(opType: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    // What is reshaped twice is reshaped once, to the last shape.
    if (opType === 'Reshape') inputs = [this.#reshaped.get(inputs[0]!) ?? inputs[0]!, ...inputs.slice(1)]
    const [output] = this.ops(opType, inputs, attributes, 1)
    if (opType === 'Reshape') this.#reshaped.set(output!, inputs[0]!)
    return output!
  }

  /** Adds one operation with several outputs and returns their names; an equal one is reused. */
  ops(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: number,
  ): readonly string[] {
    const key = JSON.stringify([opType, inputs, attributes, outputs])
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const output = Array.from({ length: outputs }, () => `t${nextName++}`)
    this.#nodes.push({ opType, input: [...inputs], output, attribute: Object.entries(attributes).map(encodeAttribute) })
    this.#known.set(key, output)
    return output
  }

  constant(values: ArrayLike<number>, dims: readonly number[], type: ElementType): string {
    const rawData = encodeValues(values, type)
    const key = `${type}:${dims.join('x')}:${Buffer.from(rawData).toString('base64')}`
    let tensor = this.#constants.get(key)
    if (tensor === undefined) {
      tensor = { name: `c${nextName++}`, dims: [...dims], dataType: elementTypes[type], rawData }
      this.#constants.set(key, tensor)
    }
    return tensor.name
  }

  /** A list of integers, as shapes, axes and starts are given. */
  integers(values: readonly number[]): string {
    return this.constant(values, [values.length], 'int64')
  }

  scalar(value: number, type: ElementType = 'float32'): string {
    return this.constant([value], [], type)
  }

  input(name: string, type: ElementType, dims: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(name, type, dims))
    return name
  }

  /** Declares a computed value as an output under its own name. */
  output(name: string, type: ElementType, dims: readonly Dimension[]): void {
    this.#outputs.push(valueInfo(name, type, dims))
  }

  /** Declares a list of one number as an output. */
  outputList(name: string, value: string): void {
    this.#nodes.push({ opType: 'SequenceConstruct', input: [value], output: [name], attribute: [] })
    const elemType = valueInfo(name, 'float32', []).type
    this.#outputs.push({ name, type: { sequenceType: { elemType } } })
  }

  /** Declares an output under a name of its own, whatever the value is called inside. */
  outputAs(name: string, value: string, type: ElementType, dims: readonly Dimension[]): void {
    this.#nodes.push({ opType: 'Identity', input: [value], output: [name], attribute: [] })
    this.output(name, type, dims)
  }

  /**
   * Drops what no output needs. tfjs also differentiates with respect to the batch itself, and the runtime does not
   * prune the bodies of scans.
   */
  prune(): void {
    const needed = new Set(this.#outputs.map((output) => output.name))
    for (let i = this.#nodes.length - 1; i >= 0; i--) {
      const node = this.#nodes[i]!
      if (node.output.some((name) => needed.has(name))) {
        node.input.forEach((name) => needed.add(name))
        node.attribute.forEach((attribute) => capturedNames(attribute).forEach((name) => needed.add(name)))
      } else this.#nodes.splice(i, 1)
    }
    for (const [key, tensor] of this.#constants) if (!needed.has(tensor.name)) this.#constants.delete(key)
  }

  /** A graph inside an operation is equal to itself alone. */
  toJSON(): number {
    return this.#serial
  }

  get nodeCount(): number {
    return this.#nodes.length
  }

  toProto(): object {
    return {
      name: 'g',
      node: this.#nodes,
      initializer: [...this.#constants.values()],
      input: this.#inputs,
      output: this.#outputs,
    }
  }

  /** The finished model, ready for a runtime. */
  encode(): Uint8Array {
    return onnx.ModelProto.encode({
      irVersion: 8,
      opsetImport: [{ domain: '', version: 17 }],
      graph: this.toProto(),
    }).finish()
  }
}

/** Names a subgraph takes from the graph around it. */
function capturedNames(attribute: object): string[] {
  const body = (attribute as { g?: { node: ProtoNode[] } }).g
  return body === undefined ? [] : body.node.flatMap((node) => node.input)
}

function valueInfo(name: string, type: ElementType, dims: readonly Dimension[]): ProtoValue {
  const dim = dims.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d }))
  return { name, type: { tensorType: { elemType: elementTypes[type], shape: { dim } } } }
}

function encodeAttribute([name, value]: [string, Attribute]): object {
  if (typeof value === 'number') return { name, type: 2, i: value }
  if (typeof value === 'string') return { name, type: 3, s: Buffer.from(value) }
  if (Array.isArray(value)) return { name, type: 7, ints: value }
  if ('graph' in value) return { name, type: 5, g: value.graph.toProto() }
  return { name, type: 1, f: (value as { float: number }).float }
}

function encodeValues(values: ArrayLike<number>, type: ElementType): Uint8Array {
  const bytes = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  switch (type) {
    case 'float32':
      return bytes(Float32Array.from(values))
    case 'float64':
      return bytes(Float64Array.from(values))
    case 'int32':
      return bytes(Int32Array.from(values))
    case 'int64':
      return bytes(BigInt64Array.from(Array.from(values), (v) => BigInt(v)))
    case 'uint8':
    case 'bool':
      return bytes(Uint8Array.from(values))
  }
}
