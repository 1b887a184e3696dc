import { gunzipSync } from 'node:zlib'
import { basename } from 'node:path'
import { DataError } from '../core/errors.js'

/** One part of a classified image set, as its publishers' files have it. */
export interface ImagePart {
  readonly part: 'train' | 'test'
  /** `[rows, height, width, channels]`, 0…255. */
  readonly pixels: Uint8Array
  /** `[rows]`. */
  readonly labels: Uint8Array
  readonly shape: readonly [height: number, width: number, channels: number]
}

/** What one file holds: images and labels together, or one of the two. */
export type Piece = { readonly file: string; readonly part: 'train' | 'test' } & (
  | {
      readonly kind: 'images'
      readonly rows: number
      readonly shape: readonly [number, number, number]
      readonly pixels: Uint8Array
    }
  | { readonly kind: 'labels'; readonly rows: number; readonly labels: Uint8Array }
  | {
      readonly kind: 'both'
      readonly rows: number
      readonly shape: readonly [number, number, number]
      readonly pixels: Uint8Array
      readonly labels: Uint8Array
    }
)

/**
 * The pieces in a file: an IDX file (LeCun et al.), a CIFAR-10 binary batch (Krizhevsky 2009), or a tar archive of either;
 * each gzipped or not. What it is, is read from its bytes; which part it belongs to, from its name.
 * @throws DataError naming the file and what is wrong with it.
 */
export function readPieces(file: string, bytes: Uint8Array): Piece[] {
  const content = unzip(file, bytes)
  if (isTar(content)) {
    const members = [...readTar(file, content)].filter(({ name }) => /\.bin$|-ubyte(\.gz)?$/.test(name))
    if (members.length === 0) throw new DataError(`${file}: the archive holds no images (.bin or -ubyte files)`)
    return members.flatMap((member) => readPieces(`${file}:${member.name}`, member.bytes))
  }
  const magic = content.length >= 4 ? Buffer.from(content).readUInt32BE(0) : 0
  if (magic === 0x803) return [idxImages(file, content)]
  if (magic === 0x801) return [idxLabels(file, content)]
  if (/\.bin$/.test(file)) return [cifarBatch(file, content)]
  throw new DataError(
    `${file}: neither an IDX file, a CIFAR-10 batch (.bin) nor an archive of them (it begins with ${Buffer.from(content.subarray(0, 4)).toString('hex') || 'nothing'})`,
  )
}

function unzip(file: string, bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  try {
    return gunzipSync(bytes)
  } catch (error) {
    throw new DataError(`${file}: the compressed file is cut short or damaged: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function partOf(file: string): 'train' | 'test' {
  const name = basename(file.slice(file.lastIndexOf(':') + 1))
  if (/^t10k|^test/.test(name)) return 'test'
  if (/^train|^data_batch/.test(name)) return 'train'
  throw new DataError(
    `${file}: its name does not tell training rows from test rows (train-…, data_batch_…, t10k-… or test…)`,
  )
}

function idxImages(file: string, content: Uint8Array): Piece {
  const [rows, height, width] = dimensions(file, content, 3) as [number, number, number]
  return { file, part: partOf(file), kind: 'images', rows, shape: [height, width, 1], pixels: content.subarray(16) }
}

function idxLabels(file: string, content: Uint8Array): Piece {
  const [rows] = dimensions(file, content, 1) as [number]
  return { file, part: partOf(file), kind: 'labels', rows, labels: checkedLabels(file, content.subarray(8)) }
}

function dimensions(file: string, content: Uint8Array, count: number): number[] {
  const header = 4 + 4 * count
  if (content.length < header) throw new DataError(`${file}: ends within its header (${content.length} bytes)`)
  const view = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const sizes = Array.from({ length: count }, (_, i) => view.readUInt32BE(4 + 4 * i))
  const expected = header + sizes.reduce((size, n) => size * n, 1)
  if (content.length !== expected)
    throw new DataError(
      `${file}: ${content.length} bytes, where its header promises ${expected} (${sizes.join(' × ')})`,
    )
  return sizes
}

const cifarPixels = 3 * 32 * 32
const cifarRow = 1 + cifarPixels

/** Rows of a label and 3072 bytes, one plane of 32 × 32 a colour; planes become channels here. */
function cifarBatch(file: string, content: Uint8Array): Piece {
  const rows = content.length / cifarRow
  if (!Number.isInteger(rows) || rows === 0)
    throw new DataError(
      `${file}: ${content.length} bytes, not a whole number of CIFAR-10 rows (${cifarRow} bytes each)`,
    )
  const labels = new Uint8Array(rows)
  const pixels = new Uint8Array(rows * cifarPixels)
  for (let row = 0; row < rows; row++) {
    labels[row] = content[row * cifarRow]!
    for (let i = 0; i < 1024; i++)
      for (let c = 0; c < 3; c++) pixels[row * cifarPixels + i * 3 + c] = content[row * cifarRow + 1 + c * 1024 + i]!
  }
  return {
    file,
    part: partOf(file),
    kind: 'both',
    rows,
    shape: [32, 32, 3],
    pixels,
    labels: checkedLabels(file, labels),
  }
}

function checkedLabels(file: string, labels: Uint8Array): Uint8Array {
  const wrong = labels.findIndex((label) => label > 9)
  if (wrong >= 0) throw new DataError(`${file}: row ${wrong} has the label ${labels[wrong]} (from 0 to 9)`)
  return labels
}

const block = 512
const isTar = (content: Uint8Array): boolean => Buffer.from(content.subarray(257, 262)).toString('latin1') === 'ustar'

/** Plain files of a ustar archive (POSIX.1-1988), one after the other. */
function* readTar(file: string, content: Uint8Array): Generator<{ name: string; bytes: Uint8Array }> {
  const text = (from: number, to: number): string =>
    Buffer.from(content.subarray(from, to)).toString('latin1').replace(/\0.*$/s, '')
  for (let at = 0; at + block <= content.length && content[at] !== 0;) {
    const size = parseInt(text(at + 124, at + 136), 8)
    if (!Number.isSafeInteger(size) || at + block + size > content.length)
      throw new DataError(`${file}: the archive is cut short at ${text(at, at + 100)}`)
    if (content[at + 156] === 0x30 || content[at + 156] === 0)
      yield { name: basename(text(at, at + 100)), bytes: content.subarray(at + block, at + block + size) }
    at += block + Math.ceil(size / block) * block
  }
}

/**
 * Puts pieces together: each part's images with its labels, batches in the order of their names.
 * @throws DataError when a piece is missing or does not fit.
 */
export function joinPieces(pieces: readonly Piece[]): ImagePart[] {
  const shapes = new Set(pieces.flatMap((piece) => (piece.kind === 'labels' ? [] : [piece.shape.join('×')])))
  if (shapes.size > 1) throw new DataError(`the files hold images of different shapes: ${[...shapes].join(', ')}`)
  return (['train', 'test'] as const).map((part) => {
    const own = pieces.filter((piece) => piece.part === part).sort((a, b) => (a.file < b.file ? -1 : 1))
    const images = own.filter((piece) => piece.kind !== 'labels')
    const labels = own.filter((piece) => piece.kind !== 'images')
    if (images.length === 0) throw new DataError(`no images of the ${part} part among the files`)
    if (labels.length === 0) throw new DataError(`no labels of the ${part} part among the files`)
    const count = (of: readonly Piece[]): number => of.reduce((sum, { rows }) => sum + rows, 0)
    if (count(images) !== count(labels))
      throw new DataError(`the ${part} part has ${count(images)} images and ${count(labels)} labels`)
    return {
      part,
      shape: images[0]!.shape,
      pixels: Buffer.concat(images.map(({ pixels }) => pixels)),
      labels: Buffer.concat(labels.map((piece) => piece.labels)),
    }
  })
}
