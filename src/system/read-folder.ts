import { lstatSync, readdirSync, type Dirent } from 'node:fs'
import { join } from 'node:path'

/** Bytes of all files in a folder, and in those within; links are not followed. 0 for a folder that is not there. */
export function bytesInFolder(folder: string): number {
  return entriesOf(folder).reduce((sum, entry) => {
    const path = join(folder, entry.name)
    return sum + (entry.isDirectory() ? bytesInFolder(path) : (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0))
  }, 0)
}

/** None where nobody may look, or nothing is. */
export function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}
