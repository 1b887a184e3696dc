import { createHash } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { access, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { readRegularFile } from './read-regular-file.js'
import { makeFolderSync } from './make-folder.js'
import { StoreError } from '../core/errors.js'
import { refuseNewer } from '../core/newer-format.js'
import { replaceFile } from './replace-file.js'
import { problemOf } from '../core/system-error.js'
import type { ArtifactRef } from '../core/trial.js'

/** Raised when the layout changes meaning, and then written into the file `format`. */
const storeFormat = 1

/**
 * The layout of the `.mlds/` folder:
 *
 *     format            the layout's number; absent while it is 1
 *     sweeps/<id>/      plan.json, journal.jsonl, lock, verdicts.json, conclusion.json, logs/, figures/
 *     objects/<aa>/     what trials saved, by SHA-256
 *     cache/            decoded data sets; may be deleted at any time
 *     data/             data sets a person added
 */
export interface Store {
  /** Absolute. */
  readonly folder: string
  readonly cacheFolder: string
  readonly dataFolder: string
  /** @throws StoreError when the id could not be a sweep's, so that no text from outside becomes a path. */
  sweepFolder(id: string): string
  /** Ids of all sweeps, sorted. */
  sweepIds(): Promise<string[]>
  /** Keeps bytes under their hash; the same bytes are kept once. */
  putObject(bytes: Uint8Array): Promise<ArtifactRef>
  /** Whether the object is there; its bytes are checked when it is read. */
  hasObject(ref: Pick<ArtifactRef, 'sha256'>): Promise<boolean>
  /** The file that holds the object, or would. @throws StoreError for what is no hash. */
  objectFile(sha256: string): string
  /** @throws StoreError when the object is missing or its bytes do not match its hash. */
  readObject(ref: Pick<ArtifactRef, 'sha256'>): Promise<Uint8Array>
}

export const sweepIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$/
const hashPattern = /^[0-9a-f]{64}$/

/** Opens a store to be read: makes nothing and needs no permission to write. One that is not there holds nothing. @throws StoreError when a newer mlds made it. */
export function readStore(path: string): Store {
  const folder = resolve(path)
  checkFormat(folder)
  return new FolderStore(folder)
}

/**
 * Opens the store to write in it, making it when it is not there.
 * @throws StoreError when the folder cannot be made or written.
 */
export function openStore(path: string): Store {
  const folder = resolve(path)
  try {
    makeFolderSync(join(folder, 'sweeps'))
    accessSync(join(folder, 'sweeps'), constants.W_OK)
  } catch (error) {
    throw new StoreError(`the store can't be written: ${folder}: ${whyNot(error)}`, {
      hint: 'choose another folder with --store DIR or MLDS_STORE',
      cause: error,
    })
  }
  checkFormat(folder)
  return new FolderStore(folder)
}

const checkFormat = (folder: string): void =>
  refuseNewer(`the store ${folder}`, 'store format', { format: readFormat(folder), known: storeFormat })

/** What the file `format` says; without one the layout is of format 1. */
function readFormat(folder: string): number {
  try {
    return Number(readRegularFile(join(folder, 'format'), 'utf8'))
  } catch {
    return 1
  }
}

/** @throws StoreError with the hint when files can't be made in the folder, which is there. */
export function mustBeWritable(folder: string, hint: string): void {
  try {
    accessSync(folder, constants.W_OK)
  } catch (error) {
    throw new StoreError(`the folder can't be written: ${folder}: ${problemOf(error)}`, { hint, cause: error })
  }
}

/** Of a folder that is wanted, not of a file in it. */
function whyNot(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOTDIR') return 'it is not a folder'
  return code === 'ENOENT' ? 'no folder can be made there' : problemOf(error)
}

class FolderStore implements Store {
  constructor(readonly folder: string) {}

  get cacheFolder(): string {
    return join(this.folder, 'cache')
  }
  get dataFolder(): string {
    return join(this.folder, 'data')
  }

  sweepFolder(id: string): string {
    if (!sweepIdPattern.test(id)) {
      throw new StoreError(
        `not a sweep's name: ${JSON.stringify(id)} (letters, digits, dots, dashes and underscores, at most 100)`,
        { exitCode: 2 },
      )
    }
    return join(this.folder, 'sweeps', id)
  }

  async sweepIds(): Promise<string[]> {
    const folder = join(this.folder, 'sweeps')
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw new StoreError(`the store can't be read: ${this.folder}: ${whyNot(error)}`, { cause: error })
    })
    return entries
      .flatMap((entry) => (entry.isDirectory() && sweepIdPattern.test(entry.name) ? [entry.name] : []))
      .sort()
  }

  async putObject(bytes: Uint8Array): Promise<ArtifactRef> {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    await replaceFile(this.objectFile(sha256), bytes).catch((error: unknown) => {
      throw new StoreError(`an artifact of ${bytes.length} bytes could not be kept: ${problemOf(error)}`, {
        cause: error,
      })
    })
    return { sha256, sizeBytes: bytes.length }
  }

  async hasObject({ sha256 }: Pick<ArtifactRef, 'sha256'>): Promise<boolean> {
    return access(this.objectFile(sha256)).then(
      () => true,
      () => false,
    )
  }

  async readObject({ sha256 }: Pick<ArtifactRef, 'sha256'>): Promise<Uint8Array> {
    const file = this.objectFile(sha256)
    let bytes: Uint8Array
    try {
      bytes = readRegularFile(file)
    } catch (error) {
      throw new StoreError(`an artifact is missing: ${file}`, { hint: 'mlds verify says whose it was', cause: error })
    }
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
      throw new StoreError(`an artifact was altered: ${file} does not match its hash`, {
        hint: 'delete it and run its trial again',
      })
    }
    return bytes
  }

  objectFile(sha256: string): string {
    if (!hashPattern.test(sha256)) throw new StoreError(`not a SHA-256: ${JSON.stringify(sha256)}`)
    return join(this.folder, 'objects', sha256.slice(0, 2), sha256)
  }
}
