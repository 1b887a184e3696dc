import { DataError } from '../core/errors.js'
import { floatsOf } from '../core/floats.js'

/** The largest header that is believed: a hostile length must not become an allocation. */
const maxHeaderBytes = 1 << 26

/** Numbers under a name. */
export interface NamedTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** What a file says of one of its tensors. */
interface TensorEntry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

/**
 * A safetensors file (huggingface/safetensors: eight bytes of header length, a JSON header, then the tensors, little-endian),
 * which other tools read.
 */
export function encodeTensors(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata }
  let sizeBytes = 0
  for (const { name, shape, data } of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [sizeBytes, sizeBytes + data.byteLength] }
    sizeBytes += data.byteLength
  }
  const json = Buffer.from(JSON.stringify(header))
  // The format wants the data aligned to eight bytes; spaces after the header are allowed.
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')])
  const bytes = Buffer.alloc(8 + padded.length + sizeBytes)
  bytes.writeBigUInt64LE(BigInt(padded.length), 0)
  padded.copy(bytes, 8)
  let at = 8 + padded.length
  for (const { data } of tensors) {
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).copy(bytes, at)
    at += data.byteLength
  }
  return bytes
}

/** A file's tensors, looked up by name, and its metadata. @throws DataError when it is not such a file. */
export function openTensors(bytes: Uint8Array): {
  readonly metadata: Readonly<Record<string, unknown>>
  /** `undefined` where there is none. */
  entry(name: string): TensorEntry | undefined
  /** @throws DataError when its numbers do not lie within the file. */
  read(name: string): Float32Array
} {
  const { header, data } = readHeader(bytes)
  const entry = (name: string): TensorEntry | undefined => {
    const value = Object.hasOwn(header, name) ? header[name] : undefined
    return isEntry(value) ? value : undefined
  }
  const { __metadata__: metadata } = header
  return {
    metadata: typeof metadata === 'object' && metadata !== null ? (metadata as Record<string, unknown>) : {},
    entry,
    read(name) {
      const { shape, data_offsets: [start, end] = [0, 0] } = entry(name) ?? { shape: [0] }
      const size = shape.reduce((product, length) => product * length, 4)
      if (end - start !== size || end > data.length)
        throw new DataError(`the checkpoint's ${name} does not lie within the file`)
      return floatsOf(data.subarray(start, end))
    },
  }
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

function isEntry(value: unknown): value is TensorEntry {
  if (value === null || typeof value !== 'object') return false
  const { dtype, shape, data_offsets: offsets } = value as Partial<Record<keyof TensorEntry, unknown>>
  const integers = (list: unknown): boolean =>
    Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0)
  return typeof dtype === 'string' && integers(shape) && integers(offsets) && (offsets as number[]).length === 2
}
