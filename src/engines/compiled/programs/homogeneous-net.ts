import { defineNet, thinBelowUnits, type Layer, type Net } from '../../../net/net.js'
import { isLaidOut } from './batches.js'

/** A net as a training program computes it: the same function, its parameters perhaps laid out otherwise. */
export interface TrainedNet {
  /** It may take one feature more than the data has, which is 1. */
  readonly net: Net
  /** The parameters, flat, as this net has them; and back. */
  readonly widen: (parameters: Float32Array) => Float32Array
  readonly narrow: (widened: Float32Array) => Float32Array
  /** 0 for each of its parameters that must stay as it is, else 1; absent when all are trained. */
  readonly mask?: Float32Array
}

type Dense = Extract<Layer, { kind: 'dense' }>

/**
 * Thin dense layers get one more unit, which is 1 always, so that its weights are the next layer's biases: neither adding
 * them nor summing their gradients is an operation of its own (homogeneous coordinates). The constant
 * 1 enters as an extra input feature, or comes from the first layer's bias; ReLUs, leaky or not, leave it as it is. Nets
 * with other activations, or without biases, are returned unchanged.
 */
export function homogeneousNet(net: Net): TrainedNet {
  if (!takesConstantUnit(net.layers)) return unchanged(net)
  const padded = isLaidOut(net)
  const firstDense = net.layers.findIndex(({ kind }) => kind === 'dense')
  const wide = defineNet(
    padded ? [net.inputShape[0]! + 1] : net.inputShape,
    net.layers.map((layer, i): Layer => {
      if (layer.kind !== 'dense') return layer
      const units = i === net.layers.length - 1 ? layer.units : layer.units + 1
      return { ...layer, units, ...(i === firstDense && !padded ? {} : { bias: false }) }
    }),
  )
  const { places, ones } = layOut(net, wide)
  const mask = new Float32Array(wide.parameterCount)
  for (const place of places) mask[place] = 1
  return {
    net: wide,
    mask,
    widen(parameters) {
      const widened = new Float32Array(wide.parameterCount)
      for (const place of ones) widened[place] = 1
      places.forEach((place, i) => (widened[place] = parameters[i]!))
      return widened
    },
    narrow: (widened) => Float32Array.from(places, (place) => widened[place]!),
  }
}

/** A net trained as it is. */
export const unchanged = (net: Net): TrainedNet => ({
  net,
  widen: (parameters) => parameters,
  narrow: (widened) => widened,
})

function takesConstantUnit([first, ...others]: readonly Layer[]): boolean {
  // Images are only read as rows, which changes nothing.
  const layers = first?.kind === 'flatten' ? others : [first!, ...others]
  const hidden = layers.slice(0, -1)
  return (
    hidden.length > 0 &&
    layers.every((layer) => layer.kind === 'dense' && layer.bias !== false) &&
    (hidden as Dense[]).every(({ units, activation = 'linear' }) => {
      const keepsOne = activation === 'linear' || activation === 'relu' || typeof activation === 'object'
      return keepsOne && units + 1 < thinBelowUnits
    })
  )
}

/** Where each of the net's parameters lies in the wide one, and which of the wide one's make and pass on the constant. */
function layOut(net: Net, wide: Net): { places: Int32Array; ones: number[] } {
  const places = new Int32Array(net.parameterCount)
  const ones: number[] = []
  const last = net.layers.length - 1
  net.layers.forEach(({ kind }, layer) => {
    if (kind !== 'dense') return
    const [kernel, bias] = net.parameters.filter((parameter) => parameter.layer === layer)
    const [wideKernel, wideBias] = wide.parameters.filter((parameter) => parameter.layer === layer)
    const [inputs, units] = kernel!.shape as [number, number]
    const wideUnits = wideKernel!.shape[1]!
    for (let input = 0; input < inputs; input++)
      for (let unit = 0; unit < units; unit++)
        places[kernel!.offset + input * units + unit] = wideKernel!.offset + input * wideUnits + unit
    const biases = wideBias?.offset ?? wideKernel!.offset + inputs * wideUnits
    for (let unit = 0; unit < units; unit++) places[bias!.offset + unit] = biases + unit
    if (layer < last) ones.push(biases + units)
  })
  return { places, ones }
}
