import { createHash, randomUUID } from 'node:crypto'
import { constants, createWriteStream } from 'node:fs'
import { lstat, open, readFile, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { MldsError } from '../../core/errors.js'
import { makeFolder } from '../../system/make-folder.js'
import { moveIntoPlace, replaceFile } from '../../system/replace-file.js'
import { encodeManifest, maxCheckpointBytes, sizeOf, type Manifest, type StateFile } from './manifest.js'

/** Where a state is taken from: bytes as one file of this name, or a file or folder on disk, which is copied. */
export type StateSource = { readonly name: string; readonly bytes: Uint8Array } | { readonly path: string }

/** A checkpoint as it lies in a folder. */
export interface StoredCheckpoint extends Manifest {
  /** Where its files are. */
  readonly place: string
}

/**
 * The last checkpoint of one trial on this disk: a manifest, and beside it a folder with the files of the state. It counts
 * from the moment that the manifest has its name, which is when all else is on disk; the one before goes then.
 */
export class CheckpointFolder {
  constructor(readonly folder: string) {}

  get #manifestFile(): string {
    return join(this.folder, 'checkpoint.json')
  }

  /** The checkpoint; `undefined` where there is none, or none that can be read. Its files are checked when they are read. */
  async find(): Promise<StoredCheckpoint | undefined> {
    const text = await readFile(this.#manifestFile, 'utf8').catch(() => undefined)
    const [place = '', ...rest] = text?.split('\n') ?? []
    const { decodeManifest } = await import('./read-manifest.js')
    const manifest = decodeManifest(rest.join('\n'))
    if (manifest === undefined || !/^state-[0-9a-f-]{36}$/.test(place)) return undefined
    return { ...manifest, place: join(this.folder, place) }
  }

  /**
   * Keeps a state with what belongs to it, in place of the one before.
   * @throws MldsError for a state that is too large; Error as the file system does.
   */
  async keep(source: StateSource, facts: Omit<Manifest, 'files'>): Promise<void> {
    const place = this.#newPlace()
    try {
      await this.#finish(place, { ...facts, files: await copyState(source, place) })
    } catch (error) {
      await rm(place, { recursive: true, force: true })
      throw error
    }
  }

  /** The same with files that `write` puts into the place, each at its path. */
  async receive(manifest: Manifest, write: (place: string) => Promise<void>): Promise<void> {
    const place = this.#newPlace()
    await makeFolder(place)
    await write(place)
    await this.#finish(place, manifest)
  }

  #newPlace = (): string => join(this.folder, `state-${randomUUID()}`)

  async #finish(place: string, manifest: Manifest): Promise<void> {
    const sizeBytes = sizeOf(manifest)
    if (sizeBytes > maxCheckpointBytes)
      throw new MldsError(
        'CHECKPOINT',
        `the checkpoint is too large: ${sizeBytes} bytes (at most ${maxCheckpointBytes})`,
      )
    await replaceFile(this.#manifestFile, `${basename(place)}\n${encodeManifest(manifest)}`)
    for (const name of await readdir(this.folder))
      if (name.startsWith('state-') && name !== basename(place))
        await rm(join(this.folder, name), { recursive: true, force: true })
  }
}

/** Puts a state's files, unchanged since they were kept, into a folder that is there. @returns false, and nothing is there, when one is damaged. */
export async function placeState({ place, files }: StoredCheckpoint, target: string): Promise<boolean> {
  try {
    for (const file of files) {
      const kept = await copyFile(join(place, file.path), join(target, file.path))
      if (kept.sha256 !== file.sha256) throw new Error(`${file.path} was altered`)
    }
    return true
  } catch {
    for (const { path } of files) await rm(join(target, path.split('/')[0]!), { recursive: true, force: true })
    return false
  }
}

/** The bytes of a state that is one file; `undefined` when they were altered. */
export async function readState({ place, files }: StoredCheckpoint): Promise<Uint8Array | undefined> {
  const [file] = files
  const bytes = file === undefined ? undefined : await readFile(join(place, file.path)).catch(() => undefined)
  return bytes !== undefined && createHash('sha256').update(bytes).digest('hex') === file!.sha256 ? bytes : undefined
}

async function copyState(source: StateSource, place: string): Promise<StateFile[]> {
  if ('bytes' in source) {
    await replaceFile(join(place, source.name), source.bytes)
    const sha256 = createHash('sha256').update(source.bytes).digest('hex')
    return [{ path: source.name, sha256, sizeBytes: source.bytes.length }]
  }
  const files: StateFile[] = []
  const { uid } = await lstat(dirname(source.path))
  for (const path of await filesBelow(source.path))
    files.push({ path, ...(await copyFile(join(dirname(source.path), path), join(place, path), uid)) })
  return files
}

/**
 * The file itself, or all files of the folder, as paths from the folder that it lies in. A link is refused: without it the state
 * would be another than the program wrote, and what it points to may not be there on the next host.
 */
async function filesBelow(path: string): Promise<string[]> {
  const name = basename(path)
  const found = await lstat(path)
  if (found.isFile()) return [name]
  if (!found.isDirectory()) throw new MldsError('CHECKPOINT', `the checkpoint is no file and no folder: ${path}`)
  const files: string[] = []
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    const place = join(entry.parentPath, entry.name)
    if (entry.isFile()) files.push(place.slice(dirname(path).length + 1))
    else if (!entry.isDirectory())
      throw new MldsError(
        'CHECKPOINT',
        `the checkpoint holds what is neither a file nor a folder: ${place} (a copy would be kept, a link is not)`,
      )
  }
  if (files.length === 0) throw new MldsError('CHECKPOINT', `the checkpoint is a folder without a file: ${path}`)
  return files.sort()
}

/** @param owner whose the file must be: a program that may read less than mlds could put a link in its place meanwhile. */
async function copyFile(from: string, to: string, owner?: number): Promise<Omit<StateFile, 'path'>> {
  await makeFolder(dirname(to))
  const hash = createHash('sha256')
  const aside = `${to}.${randomUUID()}`
  let sizeBytes = 0
  const digesting = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk)
      sizeBytes += chunk.length
      if (sizeBytes > maxCheckpointBytes)
        throw new MldsError(
          'CHECKPOINT',
          `a file is too large for a checkpoint: ${from} (at most ${maxCheckpointBytes} bytes)`,
        )
      yield chunk
    }
  }
  const handle = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    if (owner !== undefined && (await handle.stat()).uid !== owner)
      throw new MldsError('CHECKPOINT', `a file of the checkpoint is another user's: ${from}`)
    const content = handle.createReadStream({ highWaterMark: 1 << 20, autoClose: false })
    await pipeline(content, digesting, createWriteStream(aside))
  } finally {
    await handle.close()
  }
  await moveIntoPlace(aside, to)
  return { sha256: hash.digest('hex'), sizeBytes }
}
