import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DataError, StoreError } from '../core/errors.js'
import { replaceFile } from '../system/replace-file.js'
import type { Dataset } from './dataset.js'
import { imageSet, sha256 } from './image-set.js'
import { problemOf } from '../core/system-error.js'
import { joinPieces, type ImagePart, type Piece } from './formats.js'
import { dataSets, publishedSets, type DataSources } from './sets.js'

/** What is known of an added set without reading its rows. */
export interface AddedFacts {
  readonly name: string
  readonly rows: number
  readonly trainRows: number
  readonly shape: readonly number[]
  /** Of labels and pixels as they are stored: the set's fingerprint. */
  readonly sha256: string
}

const factsFile = (folder: string, name: string): string => join(folder, `${name}.json`)
const rowsFile = (folder: string, name: string): string => join(folder, `${name}.u8`)

/** @throws DataError when what is written beside the set can't be read. */
export function addedFacts(folder: string, name: string): AddedFacts | undefined {
  const file = factsFile(folder, name)
  if (!existsSync(file)) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as AddedFacts
  } catch (error) {
    throw new DataError(`${file} can't be read: ${(error as Error).message}`, {
      hint: `add ${name} again`,
      cause: error,
    })
  }
}

/**
 * Stores a set made of these pieces: all labels, then all pixels, training rows first.
 * @throws DataError when they do not make one; nothing is changed then.
 */
export async function addPieces(
  folder: string,
  pieces: readonly Piece[],
  sets: DataSources = dataSets,
): Promise<AddedFacts> {
  const [train, test] = joinPieces(pieces) as [ImagePart, ImagePart]
  const known = publishedSets(sets)
  const [name] = known.find(([, { shape }]) => shape.join() === train.shape.join()) ?? []
  if (name === undefined) {
    const shapes = known.map(([set, { shape }]) => `${set}: ${shape.join('×')}`).join(', ')
    throw new DataError(`images of ${train.shape.join('×')} pixels are of no known set (${shapes})`)
  }
  const parts = [train.labels, test.labels, train.pixels, test.pixels]
  const facts: AddedFacts = {
    name,
    rows: train.labels.length + test.labels.length,
    trainRows: train.labels.length,
    shape: train.shape,
    sha256: sha256(...parts),
  }
  await keep(rowsFile(folder, name), ...parts)
  // The facts last: whoever sees them finds the rows.
  await keep(factsFile(folder, name), Buffer.from(`${JSON.stringify(facts, null, 2)}\n`))
  return facts
}

async function keep(file: string, ...parts: readonly Uint8Array[]): Promise<void> {
  await replaceFile(file, parts).catch((error: Error) => {
    throw new StoreError(`the data set can't be stored: ${file}: ${problemOf(error)}`, { cause: error })
  })
}

/** The stored bytes of an added set, unchecked. */
export const readAdded = (folder: string, name: string): Promise<Uint8Array> => readFile(rowsFile(folder, name))

/** @throws DataError when its bytes are not those that were added. */
export async function loadAdded(folder: string, facts: AddedFacts): Promise<Dataset> {
  const { name, sha256: fingerprint } = facts
  const bytes = await readAdded(folder, name)
  const hash = sha256(bytes)
  if (hash !== fingerprint)
    throw new DataError(`${rowsFile(folder, name)} was altered: SHA-256 ${hash}, expected ${fingerprint}`, {
      hint: `add ${name} again`,
    })
  return readImages(facts, bytes)
}

/** A set from its stored bytes: labels, then pixels, training rows first. @throws DataError when there are too few. */
export function readImages(
  { name, rows, trainRows, shape, sha256: fingerprint }: Omit<AddedFacts, 'name'> & { readonly name: string },
  bytes: Uint8Array,
): Dataset {
  const expected = rows * (1 + shape.reduce((a, b) => a * b, 1))
  if (bytes.length !== expected)
    throw new DataError(`the data set ${name} has ${bytes.length} bytes (expected ${expected})`)
  const [labels, pixels] = [bytes.subarray(0, rows), bytes.subarray(rows)]
  return imageSet({ name, fingerprint, rows, testFrom: trainRows, shape, pixels, labels })
}

/** One line about a set that was added. */
export function describeAdded({ name, rows, trainRows, sha256: fingerprint }: AddedFacts): string {
  return `${name}: ${trainRows} rows to train on, ${rows - trainRows} to test; SHA-256 ${fingerprint}`
}
