import { DataError } from '../core/errors.js'
import { floatsOf } from '../core/floats.js'
import type { Net } from './net.js'

/** The largest header that is believed: a hostile length must not become an allocation. */
const maxHeaderBytes = 1 << 20

interface Entry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

/**
 * Weights as a safetensors file (huggingface/safetensors: eight bytes of header length, a JSON header, then the
 * tensors, little-endian), named `layer0/kernel` …, so that other tools read them.
 */
export function encodeCheckpoint(
  net: Net,
  parameters: Float32Array,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata }
  for (const { name, shape, offset, size } of net.parameters) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset * 4, (offset + size) * 4] }
  }
  const json = Buffer.from(JSON.stringify(header))
  // The format wants the data aligned to eight bytes; spaces after the header are allowed.
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')])
  const bytes = Buffer.alloc(8 + padded.length + parameters.length * 4)
  bytes.writeBigUInt64LE(BigInt(padded.length), 0)
  padded.copy(bytes, 8)
  Buffer.from(parameters.buffer, parameters.byteOffset, parameters.byteLength).copy(bytes, 8 + padded.length)
  return bytes
}

/**
 * The flat weights of a checkpoint of this net, `[net.parameterCount]`.
 * @throws DataError when the file is not a checkpoint, is cut short, or belongs to another net.
 */
export function decodeCheckpoint(net: Net, bytes: Uint8Array): Float32Array {
  const { header, data } = readHeader(bytes)
  const parameters = new Float32Array(net.parameterCount)
  for (const { name, shape, offset, size } of net.parameters) {
    const entry = Object.hasOwn(header, name) ? header[name] : undefined
    if (!isEntry(entry)) throw new DataError(`the checkpoint lacks ${name}`)
    if (entry.dtype !== 'F32' || entry.shape.join() !== shape.join()) {
      throw new DataError(
        `the checkpoint's ${name} is ${entry.dtype} [${entry.shape.join(', ')}] (the net's is F32 [${shape.join(', ')}])`,
      )
    }
    const [start, end] = entry.data_offsets
    if (start < 0 || end - start !== size * 4 || end > data.length)
      throw new DataError(`the checkpoint's ${name} does not lie within the file`)
    parameters.set(floatsOf(data.subarray(start, end)), offset)
  }
  return parameters
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = bytes.length < 8 ? Infinity : Number(view.readBigUInt64LE(0))
  if (length > maxHeaderBytes || 8 + length > bytes.length)
    throw new DataError('not a checkpoint: its header does not fit the file')
  let header: unknown
  try {
    header = JSON.parse(view.toString('utf8', 8, 8 + length))
  } catch (error) {
    throw new DataError('not a checkpoint: its header is not JSON', { cause: error })
  }
  if (header === null || typeof header !== 'object' || Array.isArray(header))
    throw new DataError('not a checkpoint: its header is not an object')
  return { header: header as Record<string, unknown>, data: bytes.subarray(8 + length) }
}

function isEntry(value: unknown): value is Entry {
  if (value === null || typeof value !== 'object') return false
  const { dtype, shape, data_offsets: offsets } = value as Partial<Record<keyof Entry, unknown>>
  const integers = (list: unknown): boolean =>
    Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0)
  return typeof dtype === 'string' && integers(shape) && integers(offsets) && (offsets as number[]).length === 2
}
