import { randomUUID } from 'node:crypto'
import { open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolder } from './make-folder.js'

/** A file's content, whole or in parts that are written one after the other. */
type Content = string | Uint8Array | Iterable<Uint8Array>

/**
 * Writes a file aside, and puts it in its place when all of it is on disk: a reader sees all of it or nothing, and two
 * writers of the same bytes do no harm. Rejects as the file system does, leaving nothing behind.
 */
export async function replaceFile(file: string, content: Content): Promise<void> {
  const parts = typeof content === 'string' || content instanceof Uint8Array ? [content] : content
  await makeFolder(dirname(file))
  const aside = `${file}.${randomUUID()}`
  try {
    const handle = await open(aside, 'w')
    try {
      for (const part of parts) await handle.writeFile(part)
    } finally {
      await handle.close()
    }
    await moveIntoPlace(aside, file)
  } catch (error) {
    await rm(aside, { force: true })
    throw error
  }
}

/**
 * Writes the file that a person named, as `replaceFile` does where it is a file or not there yet; a link stays one. A pipe
 * or a device (`/dev/stdout`) is written to: nothing may take its place.
 */
export async function writeOutput(file: string, content: string | Uint8Array): Promise<void> {
  const there = await stat(file).catch(() => undefined)
  if (there === undefined) return replaceFile(file, content)
  if (there.isFile()) return replaceFile(await realpath(file), content)
  return writeFile(file, content)
}

/** Gives a file that was written aside its name, once its bytes are on disk: a power cut leaves the old file or the new one. */
export async function moveIntoPlace(aside: string, file: string): Promise<void> {
  await sync(aside)
  await rename(aside, file)
}

/** Gives a folder another name, in one step that a power cut does not undo. Rejects as the file system does, where the name is taken too. */
export async function moveFolder(folder: string, to: string): Promise<void> {
  await rename(folder, to)
  await syncName(to)
}

/** Forces a file's name to the disk, for one that others build on: without it a power cut may bring the old file back. */
export async function syncName(file: string): Promise<void> {
  await sync(dirname(file)).catch((error: NodeJS.ErrnoException) => {
    // Not every file system can do that to a folder.
    if (error.code !== 'EINVAL' && error.code !== 'EPERM') throw error
  })
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
