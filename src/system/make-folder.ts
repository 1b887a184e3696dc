import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it, or finds it there; `mode` is for those it makes. Node's own `recursive` never
 * returns where a folder can't be made though the one above it is there, as under /proc.
 * @throws as the file system does; `ENOTDIR` where a file stands in the way.
 */
export async function makeFolder(folder: string, mode?: number): Promise<void> {
  try {
    await mkdir(folder, mode)
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(folder) !== folder
    if (missing) {
      await makeFolder(dirname(folder), mode)
      await mkdir(folder, mode).catch((again: unknown) => unlessFolder(again, folder, () => stat(folder)))
    } else await unlessFolder(error, folder, () => stat(folder))
  }
}

/** {@link makeFolder}, at once. */
export function makeFolderSync(folder: string, mode?: number): void {
  const attempt = (): unknown => {
    try {
      mkdirSync(folder, mode)
      return undefined
    } catch (error) {
      return error
    }
  }
  let error = attempt()
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT' && dirname(folder) !== folder) {
    makeFolderSync(dirname(folder), mode)
    error = attempt()
  }
  if (error !== undefined) blame(error, folder, statSync(folder, { throwIfNoEntry: false })?.isDirectory())
}

async function unlessFolder(
  error: unknown,
  folder: string,
  look: () => Promise<{ isDirectory(): boolean }>,
): Promise<void> {
  const found = await look().catch(() => undefined)
  blame(error, folder, found?.isDirectory())
}

/** A folder that is there needs no making, whatever the file system says to it. */
function blame(error: unknown, folder: string, isFolder: boolean | undefined): void {
  if (isFolder === true) return
  if (isFolder === undefined) throw error
  throw Object.assign(new Error(`ENOTDIR: not a folder, mkdir '${folder}'`, { cause: error }), {
    ...{ code: 'ENOTDIR', syscall: 'mkdir', path: folder },
  })
}

/** Whether files can be made in a folder, or the folder itself where it is not there yet; nothing is made to find out. */
export function canWrite(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    try {
      accessSync(at, constants.W_OK)
      return statSync(at).isDirectory()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(at) === at) return false
    }
  }
}
