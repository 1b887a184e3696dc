import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Writes a file's parts one after the other, aside, and puts it in its place when all of it is on disk: a reader sees all
 * of it or nothing, and two writers of the same bytes do no harm. Rejects as the file system does, leaving nothing behind.
 */
export async function replaceFile(file: string, ...parts: readonly Uint8Array[]): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const aside = `${file}.${randomUUID()}`
  try {
    const handle = await open(aside, 'w')
    try {
      for (const part of parts) await handle.writeFile(part)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(aside, file)
  } catch (error) {
    await rm(aside, { force: true })
    throw error
  }
}
