import { sizeOf, type Activation, type Layer, type Net } from './net.js'

/** One layer of a net, in words. */
export interface LayerLine {
  /** `dense 16`, `conv2d 22 of 3×3`. */
  readonly layer: string
  /** What comes out of it for one row: `16`, `24×24×2`. */
  readonly output: string
  /** Empty where it is linear. */
  readonly activation: string
  /** How many numbers of it are trained. */
  readonly parameters: number
}

/** The layers of a net in words, what goes in first. */
export function describeNet({ inputShape, shapes, layers, parameters }: Net): LayerLine[] {
  const input = { layer: 'input', output: shapeText(inputShape), activation: '', parameters: 0 }
  return [
    input,
    ...layers.map((layer, index) => ({
      layer: layerText(layer),
      output: shapeText(shapes[index]!),
      activation: 'activation' in layer ? activationText(layer.activation ?? 'linear') : '',
      parameters: parameters.filter((own) => own.layer === index).reduce((sum, { size }) => sum + size, 0),
    })),
  ]
}

/** A net in one line: what goes in, and what comes out of each layer that trains or changes its shape: `1 → 4 → 9 → 1`. */
export function outlineOf({ inputShape, shapes, parameters }: Net): string {
  const trains = new Set(parameters.map(({ layer }) => layer))
  const sizes = shapes.map(shapeText)
  const input = shapeText(inputShape)
  return [input, ...sizes.filter((size, i) => trains.has(i) || size !== (sizes[i - 1] ?? input))].join(' → ')
}

const shapeText = (shape: readonly number[]): string => (shape.length === 1 ? String(sizeOf(shape)) : shape.join('×'))

function layerText(layer: Layer): string {
  switch (layer.kind) {
    case 'dense':
      return `dense ${layer.units}`
    case 'conv2d':
      return `conv2d ${layer.filters} of ${layer.size}×${layer.size}${moved(layer.stride, 1)}${layer.padding === 'same' ? ', padded' : ''}`
    case 'max-pool':
    case 'average-pool':
      return `${layer.kind} ${layer.size}×${layer.size}${moved(layer.stride, layer.size)}`
    case 'dropout':
      return `dropout ${layer.rate}`
    case 'flatten':
    case 'activation':
      return layer.kind
  }
}

const moved = (stride: number | undefined, usual: number): string =>
  stride === undefined || stride === usual ? '' : `, stride ${stride}`

const activationText = (activation: Activation): string =>
  typeof activation === 'object'
    ? `leaky ReLU ${activation.leakyRelu}`
    : activation === 'linear'
      ? ''
      : nameOf[activation]

const nameOf = { relu: 'ReLU', tanh: 'tanh', sigmoid: 'sigmoid', softmax: 'softmax' } as const
