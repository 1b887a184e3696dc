import { SpaceError } from '../core/errors.js'
import { Random } from '../core/seed.js'

/** A net as plain data: what the engines trace, what checkpoints name, what a compile cache keys on. */

export type Activation = 'linear' | 'relu' | 'tanh' | 'sigmoid' | 'softmax' | { readonly leakyRelu: number }

export type Initializer =
  /** U(±√(6 / (fan in + fan out))), Glorot and Bengio 2010; Keras's default. */
  | { readonly kind: 'glorot-uniform' }
  /** U(±1/√fan in), kernels and biases alike: PyTorch's nn.Linear and nn.Conv2d. */
  | { readonly kind: 'torch-default' }
  /** N(0, 2 / fan in), He et al. 2015. */
  | { readonly kind: 'he-normal' }
  | { readonly kind: 'normal'; readonly stddev: number }
  /** Normal, drawn again beyond two standard deviations (TensorFlow's truncated_normal). */
  | { readonly kind: 'truncated-normal'; readonly stddev: number }
  | { readonly kind: 'constant'; readonly value: number }

interface Weighted {
  readonly activation?: Activation
  /** Default Glorot uniform. */
  readonly kernel?: Initializer
  /** Default zeros; `false` for a layer without bias. */
  readonly bias?: Initializer | false
}

export type Layer =
  | ({ readonly kind: 'dense'; readonly units: number } & Weighted)
  | ({
      readonly kind: 'conv2d'
      readonly filters: number
      readonly size: number
      /** Default 1. */
      readonly stride?: number
      /** Default valid. */
      readonly padding?: 'valid' | 'same'
    } & Weighted)
  | { readonly kind: 'max-pool'; readonly size: number; readonly stride?: number }
  | { readonly kind: 'average-pool'; readonly size: number; readonly stride?: number }
  | { readonly kind: 'flatten' }
  | { readonly kind: 'dropout'; readonly rate: number }
  | { readonly kind: 'activation'; readonly activation: Activation }

export interface Parameter {
  /** `layer0/kernel`: the name in checkpoints. */
  readonly name: string
  /** Index of its layer. */
  readonly layer: number
  /** Dense `[inputs, units]`, convolution `[height, width, channels, filters]`, bias `[units]`. */
  readonly shape: readonly number[]
  /** Offset of its first element in the flat vector. */
  readonly offset: number
  readonly size: number
  readonly initializer: Initializer
  readonly fanIn: number
  readonly fanOut: number
}

export interface Net {
  /** Shape of one row, without the batch: `[784]`, `[28, 28, 1]`. */
  readonly inputShape: readonly number[]
  readonly outputShape: readonly number[]
  /** What comes out of each layer, without the batch. */
  readonly shapes: readonly (readonly number[])[]
  readonly layers: readonly Layer[]
  readonly parameters: readonly Parameter[]
  readonly parameterCount: number
}

/** Layers of fewer units are thin: the compiled engine lays their batches out as [channels, batch]. */
export const thinBelowUnits = 32

const zeros: Initializer = { kind: 'constant', value: 0 }
/** How many numbers a shape holds. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, dimension) => size * dimension, 1)

/**
 * Checks that the layers fit one another and lays their parameters out in one flat vector.
 * @throws SpaceError naming the layer that does not fit.
 */
export function defineNet(inputShape: readonly number[], layers: readonly Layer[]): Net {
  const parameters: Parameter[] = []
  let offset = 0
  const shapes: (readonly number[])[] = []
  let shape = inputShape
  layers.forEach((layer, index) => {
    const fitted = fitLayer(layer, shape, `layer ${index} (${layer.kind})`)
    for (const { name, ...parameter } of fitted.parameters) {
      const size = sizeOf(parameter.shape)
      parameters.push({ ...parameter, name: `layer${index}/${name}`, layer: index, offset, size })
      offset += size
    }
    shape = fitted.outputShape
    shapes.push(shape)
  })
  return { inputShape, outputShape: shape, shapes, layers, parameters, parameterCount: offset }
}

type OwnParameter = Pick<Parameter, 'name' | 'shape' | 'initializer' | 'fanIn' | 'fanOut'>

function fitLayer(
  layer: Layer,
  shape: readonly number[],
  where: string,
): { outputShape: readonly number[]; parameters: OwnParameter[] } {
  switch (layer.kind) {
    case 'dense': {
      requirePositive(layer.units, `${where}: units`)
      if (shape.length !== 1)
        throw new SpaceError(
          `${where} takes a vector, but its input is ${describe(shape)} (put a flatten layer before it)`,
        )
      const [inputs] = shape as [number]
      return { outputShape: [layer.units], parameters: weights(layer, [inputs, layer.units], inputs, layer.units) }
    }
    case 'conv2d': {
      const [height, width, channels] = requireImage(shape, where)
      requirePositive(layer.filters, `${where}: filters`)
      const extent = (size: number): number =>
        slide(size, layer.size, layer.stride ?? 1, layer.padding ?? 'valid', where)
      const area = layer.size ** 2
      return {
        outputShape: [extent(height), extent(width), layer.filters],
        parameters: weights(
          layer,
          [layer.size, layer.size, channels, layer.filters],
          area * channels,
          area * layer.filters,
        ),
      }
    }
    case 'max-pool':
    case 'average-pool': {
      const [height, width, channels] = requireImage(shape, where)
      const extent = (size: number): number => slide(size, layer.size, layer.stride ?? layer.size, 'valid', where)
      return { outputShape: [extent(height), extent(width), channels], parameters: [] }
    }
    case 'flatten':
      return { outputShape: [sizeOf(shape)], parameters: [] }
    case 'dropout':
      if (!(layer.rate >= 0 && layer.rate < 1)) throw new SpaceError(`${where}: rate ${layer.rate} (from 0 to below 1)`)
      return { outputShape: shape, parameters: [] }
    case 'activation':
      return { outputShape: shape, parameters: [] }
  }
}

function weights({ kernel, bias }: Weighted, shape: readonly number[], fanIn: number, fanOut: number): OwnParameter[] {
  const own: OwnParameter[] = [
    { name: 'kernel', shape, initializer: kernel ?? { kind: 'glorot-uniform' }, fanIn, fanOut },
  ]
  if (bias !== false) own.push({ name: 'bias', shape: [shape.at(-1)!], initializer: bias ?? zeros, fanIn, fanOut })
  return own
}

function slide(size: number, window: number, stride: number, padding: 'valid' | 'same', where: string): number {
  requirePositive(window, `${where}: size`)
  requirePositive(stride, `${where}: stride`)
  const extent = padding === 'same' ? Math.ceil(size / stride) : Math.floor((size - window) / stride) + 1
  if (extent < 1) throw new SpaceError(`${where}: a window of ${window} does not fit an image of ${size}`)
  return extent
}

function requireImage(shape: readonly number[], where: string): [number, number, number] {
  if (shape.length !== 3)
    throw new SpaceError(`${where} takes an image [height, width, channels], but its input is ${describe(shape)}`)
  return shape as unknown as [number, number, number]
}

function requirePositive(value: number, what: string): void {
  if (!Number.isInteger(value) || value < 1) throw new SpaceError(`${what} ${value} (an integer of at least 1)`)
}

const describe = (shape: readonly number[]): string => `[${shape.join(', ')}]`

/** Multiply-adds of one row's way through the net; a training step costs about six operations for each. */
export function multiplyAdds(net: Net): number {
  return net.parameters.reduce((sum, { layer, shape, size }) => {
    if (shape.length === 1) return sum
    const [height = 1, width = 1] = net.shapes[layer]!.length === 3 ? net.shapes[layer]! : []
    return sum + size * height * width
  }, 0)
}

/**
 * Initial weights as one flat vector, `[net.parameterCount]`. Every parameter draws from a stream of its own, named
 * after it, so that a layer starts alike whatever the layers around it.
 */
export function initialize(net: Net, seed: number): Float32Array {
  const flat = new Float32Array(net.parameterCount)
  for (const parameter of net.parameters) {
    const draw = drawer(parameter, new Random(seed, 'init', parameter.name))
    for (let i = 0; i < parameter.size; i++) flat[parameter.offset + i] = draw()
  }
  return flat
}

function drawer({ initializer, fanIn, fanOut }: Parameter, random: Random): () => number {
  const uniform = (bound: number) => () => (2 * random.uniform() - 1) * bound
  switch (initializer.kind) {
    case 'glorot-uniform':
      return uniform(Math.sqrt(6 / (fanIn + fanOut)))
    case 'torch-default':
      return uniform(1 / Math.sqrt(fanIn))
    case 'he-normal':
      return () => random.normal() * Math.sqrt(2 / fanIn)
    case 'normal':
      return () => random.normal() * initializer.stddev
    case 'truncated-normal':
      return () => {
        for (;;) {
          const value = random.normal()
          if (Math.abs(value) <= 2) return value * initializer.stddev
        }
      }
    case 'constant':
      return () => initializer.value
  }
}
