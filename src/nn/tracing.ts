import * as tf from '@tensorflow/tfjs-core'
import { LoweringError } from '../errors.js'
import { Graph, type ElementType } from './onnx-graph.js'

/** What a tfjs tensor stands for while a computation is being traced. */
interface Traced {
  /** Numbers, for a constant. */
  values?: tf.backend_util.TypedArray
  /** Its name in the graph being traced, laid out as tfjs has it: images as [batch, height, width, channels]. */
  name?: string
  /**
   * Its name laid out as [channels, batch, height, width], or [channels, batch]; either name is made from the other
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

/** The value's name in the graph, in tfjs's own layout. */
export function nameOf(tensor: tf.TensorInfo): string {
  const traced = tracer.of(tensor)
  if (traced.name !== undefined) return traced.name
  if (traced.values !== undefined)
    return (traced.name = graph().constant(traced.values, tensor.shape, tracer.elementType(tensor.dtype)))
  const { shape } = tensor
  traced.name = moved(traced.channelsFirst!, shape, [...shape.slice(1).map((_, i) => i + 1), 0], shape)
  return traced.name
}

/** The name of a batch of images laid out as [channels, batch, height, width], or of rows as [channels, batch]. */
export function channelsFirstOf(tensor: tf.TensorInfo): string {
  const traced = tracer.of(tensor)
  if (traced.channelsFirst === undefined) {
    const { shape } = tensor
    const last = shape.length - 1
    const turned = [shape[last]!, ...shape.slice(0, last)]
    traced.channelsFirst = moved(nameOf(tensor), shape, [last, ...shape.slice(0, last).map((_, i) => i)], turned)
  }
  return traced.channelsFirst
}

/** A value with its channels moved; one channel, or one number, is the same bytes in either layout. */
function moved(name: string, shape: readonly number[], perm: readonly number[], turned: readonly number[]): string {
  const same = shape.at(-1) === 1 || shape.slice(0, -1).every((size) => size === 1)
  return same ? graph().op('Reshape', [name, graph().integers(turned)]) : graph().op('Transpose', [name], { perm })
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
