import type * as ort from 'onnxruntime-node'
import { dropoutLayers, rowDropoutMasks, type DropoutLayer } from '../../net/dropout.js'
import { sizeOf, type Net } from '../../net/net.js'
import type { MeasurementOptions, Rows } from '../engine.js'
import { Tensor } from './onnx-runtime.js'
import { Pace } from './pace.js'

/** Rows an evaluation takes at a time: enough for the matrix products to be efficient, little enough to fit a cache. */
export const evaluationRows = 250

/** Chunks whose gradients are added up in one call; sums over calls are of 64 bits. */
export const summedChunks = 4

/** The positions of all rows. */
export function allRows({ features }: Pick<Rows, 'features'>, net: Net): Int32Array {
  return Int32Array.from({ length: features.length / sizeOf(net.inputShape) }, (_, i) => i)
}

interface Chunk {
  readonly result: ort.InferenceSession.ReturnType
  /** Position of the chunk's first row in the order. */
  readonly first: number
  /** How many of its rows count; the rest only fill up the last chunk. */
  readonly count: number
}

export interface ChunkOptions {
  /**
   * Chunks a call takes. A program that sums over the chunks of a call needs it: how many fit into one that is not to last long
   * depends on the machine, and another grouping of a sum has other last digits. Default: as many as the machine manages.
   */
  readonly chunksPerCall?: number
  /** Of which kind the program's weights of rows are, if it has any. */
  readonly weights?: 'float32' | 'float64'
  readonly chunkRows?: number
  readonly dropout?: { readonly layers: readonly DropoutLayer[]; readonly seed: number }
}

export const dropoutOf = ({ net, dropoutSeed: seed }: MeasurementOptions): Pick<ChunkOptions, 'dropout'> =>
  seed === undefined ? {} : { dropout: { layers: dropoutLayers(net), seed } }

/** Runs an evaluation program over the rows of `order`, several chunks a call, letting an abort in between calls. */
export async function* chunks(
  session: ort.InferenceSession,
  feeds: Record<string, ort.Tensor>,
  order: Int32Array,
  signal?: AbortSignal,
  { chunksPerCall, weights, chunkRows = evaluationRows, dropout }: ChunkOptions = {},
): AsyncGenerator<Chunk> {
  const pace = new Pace()
  for (let first = 0; first < order.length;) {
    signal?.throwIfAborted()
    const wanted = Math.ceil((order.length - first) / chunkRows)
    const count = chunksPerCall === undefined ? pace.next(wanted) : Math.min(wanted, chunksPerCall)
    const rows = Math.min(count * chunkRows, order.length - first)
    const indexes = new Int32Array(count * chunkRows).fill(order[first]!)
    indexes.set(order.subarray(first, first + rows))
    const shape = [count, chunkRows]
    const scanned: Record<string, ort.Tensor> = { indexes: new Tensor('int32', indexes, shape) }
    if (weights === 'float32')
      scanned['weights'] = new Tensor(weights, new Float32Array(indexes.length).fill(1, 0, rows), shape)
    if (weights === 'float64')
      scanned['weights'] = new Tensor(weights, new Float64Array(indexes.length).fill(1, 0, rows), shape)
    dropout?.layers.forEach((layer, i) => {
      const masks = rowDropoutMasks(layer, dropout.seed, first, indexes.length)
      const values = weights === 'float64' ? Float64Array.from(masks) : masks
      scanned[`mask${i}`] = new Tensor(weights ?? 'float32', values, [...shape, ...layer.shape])
    })
    yield { result: await pace.time(count, () => session.run({ ...feeds, ...scanned })), first, count: rows }
    first += rows
  }
}

/** One output of a program for every row of the order, `[order.length × width]`. */
export async function collect(
  session: ort.InferenceSession,
  feeds: Record<string, ort.Tensor>,
  order: Int32Array,
  output: string,
  width: number,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const values = new Float32Array(order.length * width)
  for await (const { result, first, count } of chunks(session, feeds, order, signal)) {
    values.set((result[output]!.data as Float32Array).subarray(0, count * width), first * width)
  }
  return values
}
