import { defineNet, type Activation, type Initializer, type Layer, type Net } from '../../net/net.js'

/** The hidden activations an axis names; leaky ReLU of slope 0.1 as in sim_func.py and min_ratio_grad.py. */
export const hiddenActivations = { leaky: { leakyRelu: 0.1 }, relu: 'relu', tanh: 'tanh' } as const satisfies Record<
  string,
  Activation
>

/** Initial weights and biases. */
interface Initial {
  readonly kernel?: Initializer
  readonly bias?: Initializer
}
/** Initial weights and biases as PyTorch draws them. */
export const torchDefault: Initial = { kernel: { kind: 'torch-default' }, bias: { kind: 'torch-default' } }

/** Dense hidden layers of these widths, then so many linear outputs; Keras's initial weights unless told otherwise. */
export const dense = (
  widths: readonly number[],
  outputs: number,
  { activation, ...initial }: Initial & { readonly activation: Activation },
): Layer[] => [
  ...widths.map((units): Layer => ({ kind: 'dense', units, activation, ...initial })),
  { kind: 'dense', units: outputs, ...initial },
]

/** A dense net from one number to one number with these hidden layers. */
export const functionNet = (widths: readonly number[], activation: Activation, initial?: Initial): Net =>
  defineNet([1], dense(widths, 1, { activation, ...initial }))

/** The shape of an MNIST image. */
export const digitShape = [28, 28, 1]

/** 784-256-256-10: 269,322 parameters. The original's third hidden layer is computed but never read (experiments' notes, 1.1 h). */
export function twoLayerNet(initScale: number): Net {
  const normal: Initializer = { kind: 'normal', stddev: initScale }
  const hidden = { activation: { leakyRelu: 0.2 }, kernel: normal, bias: normal } as const
  return defineNet(digitShape, [{ kind: 'flatten' }, ...dense([256, 256], 10, hidden)])
}
