import * as tf from '@tensorflow/tfjs-core'
import { LoweringError } from '../../../core/errors.js'
import { sizeOf } from '../../../net/net.js'
import { Graph, type ElementType } from './onnx-graph.js'

/** What a tfjs tensor stands for while a computation is being traced. */
interface Traced {
  /** Numbers, for a constant. */
  values?: tf.backend_util.TypedArray
  /** Its name in the graph being traced, laid out as tfjs has it: images as [batch, height, width, channels]. */
  name?: string
  /**
   * Its name laid out as [channels, height, width, batch], or [channels, batch]; either name is made from the other
   * when it is needed.
   */
  channelsFirst?: string | undefined
}

/**
 * A tfjs backend that computes nothing: every kernel adds its operation to an ONNX graph. tfjs runs a training step on
 * it once, with its own automatic differentiation, and the graph is the compiled step.
 */
class TracingBackend extends tf.KernelBackend {
  #traced = new WeakMap<object, Traced>()
  graph = new Graph()
  floatType: 'float32' | 'float64' = 'float32'

  override numDataIds(): number {
    return 0
  }
  override epsilon(): number {
    return 1e-7
  }
  override floatPrecision(): 32 {
    return 32
  }
  override timerAvailable(): boolean {
    return false
  }
  override incRef(): void {}
  decRef(): void {}
  override refCount(): number {
    return 1
  }
  override disposeData(): boolean {
    return true
  }
  override memory(): { unreliable: boolean } {
    return { unreliable: true }
  }
  override write(values: tf.backend_util.TypedArray): object {
    const id = {}
    this.#traced.set(id, { values })
    return id
  }
  override move(id: object, values: tf.backend_util.TypedArray): void {
    this.#traced.set(id, { values })
  }
  override readSync(id: object): tf.backend_util.TypedArray {
    const { values } = this.of({ dataId: id })
    if (values === undefined)
      throw new LoweringError(
        'reading a value while tracing',
        undefined,
        ': its numbers are known only when the program runs',
      )
    return values
  }
  override async read(id: object): Promise<tf.backend_util.TypedArray> {
    return this.readSync(id)
  }

  of(tensor: { dataId: object }): Traced {
    return this.#traced.get(tensor.dataId)!
  }
  add(traced: Traced): object {
    const id = {}
    this.#traced.set(id, traced)
    return id
  }
  /** The graph's element type for a tfjs one: floats are as wide as this trace wants them. */
  elementType(dtype: string): ElementType {
    return dtype === 'float32' ? this.floatType : (dtype as ElementType)
  }
}

export const backendName = 'mlds-tracing'
export const tracer = new TracingBackend()
tf.registerBackend(backendName, () => tracer, 0)

export const graph = (): Graph => tracer.graph

type Inputs = Record<string, tf.TensorInfo>
type Attributes = Record<string, unknown>

/** Says how one of tfjs's kernels is recorded. */
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

/** The value's name in the graph, in tfjs's own layout. */
export function nameOf(tensor: tf.TensorInfo): string {
  const traced = tracer.of(tensor)
  if (traced.name !== undefined) return traced.name
  const { shape } = tensor
  if (traced.values !== undefined)
    return (traced.name = graph().constant(traced.values, shape, tracer.elementType(tensor.dtype)))
  const batch = shape[0]!
  const pixels: Laid = { name: pixelsOf(traced.channelsFirst!, shape), shape: [sizeOf(shape) / batch, batch] }
  return (traced.name = reshaped(transposed(pixels, [1, 0]), shape).name)
}

/** The name of a batch of images laid out as [channels, height, width, batch], or of rows as [channels, batch]. */
export function channelsFirstOf(tensor: tf.TensorInfo): string {
  const traced = tracer.of(tensor)
  if (traced.channelsFirst === undefined) {
    const { shape } = tensor
    const pixels = transposed(reshaped({ name: nameOf(tensor), shape }, [shape[0]!, -1]), [1, 0])
    traced.channelsFirst = planesOf(pixels.name, shape)
  }
  return traced.channelsFirst
}

/**
 * Images `[batch, …, channels]` that lie channels first, pixel by pixel: `[…·channels, batch]`, as rows of them lie channels
 * first. Images are turned in two steps over whole rows each; a single one would move numbers one by one.
 */
export function pixelsOf(channelsFirst: string, shape: readonly number[]): string {
  if (shape.length === 2) return channelsFirst
  const [batch, channels] = [shape[0]!, shape.at(-1)!]
  const planes = reshaped({ name: channelsFirst, shape: [sizeOf(shape)] }, [channels, -1, batch])
  return reshaped(transposed(planes, [1, 0, 2]), [-1, batch]).name
}

/** The same back: images channels first of what lies pixel by pixel. */
export function planesOf(pixels: string, shape: readonly number[]): string {
  if (shape.length === 2) return pixels
  const [batch, channels] = [shape[0]!, shape.at(-1)!]
  const byPixel = reshaped({ name: pixels, shape: [sizeOf(shape)] }, [-1, channels, batch])
  return reshaped(transposed(byPixel, [1, 0, 2]), [channels, ...shape.slice(1, -1), batch]).name
}

/** A named value of the graph and the shape in which it lies there. */
interface Laid {
  readonly name: string
  readonly shape: readonly number[]
}

/** The same numbers in another shape; -1 is what is left for that axis. */
function reshaped(value: Laid, to: readonly number[]): Laid {
  const shape = tf.util.inferFromImplicitShape([...to], sizeOf(value.shape))
  return shape.join() === value.shape.join()
    ? value
    : { name: graph().op('Reshape', [value.name, graph().integers(shape)]), shape }
}

/** Its axes in another order; where those of more than one number keep theirs, nothing moves. */
function transposed(value: Laid, perm: readonly number[]): Laid {
  const shape = perm.map((axis) => value.shape[axis]!)
  const moving = perm.filter((axis) => value.shape[axis]! > 1)
  return moving.every((axis, i) => i === 0 || axis > moving[i - 1]!)
    ? reshaped(value, shape)
    : { name: graph().op('Transpose', [value.name], { perm }), shape }
}

export function isChannelsFirst(tensor: tf.TensorInfo): boolean {
  return tensor.shape.length > 1 && tracer.of(tensor).channelsFirst !== undefined
}

export function constantValues(tensor: tf.TensorInfo): tf.backend_util.TypedArray | undefined {
  return tracer.of(tensor).values
}

/** A tensor that stands for a named value of the graph. */
export function symbol(name: string, shape: readonly number[], dtype: tf.DataType = 'float32'): tf.TensorInfo {
  return { dataId: tracer.add({ name }), shape: [...shape], dtype }
}

export function channelsFirstSymbol(name: string, shape: readonly number[]): tf.TensorInfo {
  return { dataId: tracer.add({ channelsFirst: name }), shape: [...shape], dtype: 'float32' }
}

/** A channels-first value that is computed when something first asks for it. */
export function channelsFirstLater(shape: readonly number[], compute: () => string): tf.TensorInfo {
  let name: string | undefined
  const traced: Traced = {
    get channelsFirst() {
      return (name ??= compute())
    },
  }
  return { dataId: tracer.add(traced), shape: [...shape], dtype: 'float32' }
}

export function constant(
  values: tf.backend_util.TypedArray,
  shape: readonly number[],
  dtype: tf.DataType,
): tf.TensorInfo {
  return { dataId: tracer.write(values), shape: [...shape], dtype }
}

/** Numbers along the channels of values of so many axes, as values that lie channels first take them. */
export function alongChannels(input: tf.TensorInfo, rank: number): string {
  return sizeOf(input.shape) === 1
    ? nameOf(input)
    : graph().op('Reshape', [nameOf(input), graph().integers([-1, ...new Array<number>(rank - 1).fill(1)])])
}

/** A symbol as the tensor that tfjs operations take. */
export function tensorOf(info: tf.TensorInfo): tf.Tensor {
  return tf.engine().makeTensorFromTensorInfo(info)
}

/**
 * Runs `build` with tfjs's operations recorded into `into`; `layer` says where the trace is, for errors.
 * Synchronous throughout: nothing else can run on the wrong backend meanwhile.
 * @throws LoweringError naming the operation and the layer when tfjs needs a kernel that has no lowering.
 */
export function trace<T>(into: Graph, floatType: 'float32' | 'float64', where: { layer?: string }, build: () => T): T {
  const before = tf.getBackend()
  // Registered and ready, so that the backend is set before the promise is even returned.
  void tf.setBackend(backendName)
  tracer.graph = into
  tracer.floatType = floatType
  tf.engine().startScope()
  try {
    return build()
  } catch (error) {
    const missing = /Kernel '(\w+)' not registered for backend/.exec((error as Error).message)?.[1]
    const ungradient = /gradient function not found for ([\w ]+)/.exec((error as Error).message)?.[1]
    if (missing !== undefined) throw new LoweringError(missing, where.layer)
    if (ungradient !== undefined) throw new LoweringError(`the gradient of ${ungradient}`, where.layer)
    throw error
  } finally {
    tf.engine().endScope()
    if (before !== '' && before !== undefined) void tf.setBackend(before)
  }
}
