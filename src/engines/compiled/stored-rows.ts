import type * as ort from 'onnxruntime-node'
import type { Rows } from '../engine.js'
import { sizeOf, type Net } from '../../net/net.js'
import { Tensor } from './onnx-runtime.js'
import type { FeatureStorage } from './programs/loss-programs.js'

/**
 * A set's rows as the compiled engine's programs take them. The runtime takes no shared memory, so each thread keeps a
 * copy of the sets that it works on, for as long as they live: of images a quarter of their size, as bytes.
 */
export interface StoredRows {
  readonly storage: FeatureStorage
  readonly feeds: Readonly<Record<string, ort.Tensor>>
}

export function storeRows(net: Net, { features, targets }: Rows): StoredRows {
  const stored = storeFeatures(net, features)
  const own = isShared(targets) ? copyOf(targets, (values) => values.slice()) : targets
  const rows = stored.feeds['features']!.dims[0]!
  const tensor =
    own instanceof Int32Array
      ? new Tensor('int32', own, [rows])
      : new Tensor('float32', own as Float32Array, [rows, ...net.outputShape])
  return { storage: stored.storage, feeds: { ...stored.feeds, targets: tensor } }
}

export function storeFeatures(net: Net, features: Float32Array): StoredRows {
  const size = sizeOf(net.inputShape)
  const dims = [features.length / size, size]
  // What is not shared is its owner's, who may change it between two calls.
  const own = isShared(features) ? copyOf(features, (values) => asPixels(values) ?? values.slice()) : features
  return own instanceof Uint8Array
    ? { storage: 'pixels', feeds: { features: new Tensor('uint8', own, dims) } }
    : { storage: 'float32', feeds: { features: new Tensor('float32', own as Float32Array, dims) } }
}

type Values = Float32Array | Int32Array

const isShared = (values: Values): boolean => values.buffer instanceof SharedArrayBuffer

const copies = new WeakMap<ArrayBufferLike, Map<string, Values | Uint8Array>>()

function copyOf<T extends Values>(values: T, make: (values: T) => Values | Uint8Array): Values | Uint8Array {
  const known = copies.get(values.buffer) ?? new Map<string, Values | Uint8Array>()
  copies.set(values.buffer, known)
  const key = `${values.constructor.name}:${values.byteOffset}:${values.length}`
  const copy = known.get(key) ?? make(values)
  known.set(key, copy)
  return copy
}

/** The bytes k of which all values are k/255 exactly, as image sets are; undefined when one is not. */
function asPixels(values: Float32Array): Uint8Array | undefined {
  const pixels = new Uint8Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const pixel = Math.round(values[i]! * 255)
    if (!(pixel >= 0 && pixel <= 255) || Math.fround(pixel / 255) !== values[i]) return undefined
    pixels[i] = pixel
  }
  return pixels
}
