import { defineNet, type Activation, type Initializer, type Net } from '../../net/net.js'

/** The hidden activations an axis names; leaky ReLU of slope 0.1 as in sim_func.py and min_ratio_grad.py. */
export const hiddenActivations = { leaky: { leakyRelu: 0.1 }, relu: 'relu', tanh: 'tanh' } as const satisfies Record<
  string,
  Activation
>

/** Initial weights and biases as PyTorch draws them. */
export const torchDefault: Initial = { kernel: { kind: 'torch-default' }, bias: { kind: 'torch-default' } }

interface Initial {
  readonly kernel: Initializer
  readonly bias: Initializer
}

/** A dense net from one number to one number with these hidden layers; Keras's initial weights unless told otherwise. */
export function functionNet(widths: readonly number[], activation: Activation, initial?: Initial): Net {
  return defineNet(
    [1],
    [
      ...widths.map((units) => ({ kind: 'dense', units, activation, ...initial }) as const),
      { kind: 'dense', units: 1, ...initial },
    ],
  )
}
