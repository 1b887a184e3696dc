import { lstatSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

export interface FoundStore {
  /** Absolute. */
  readonly folder: string
  /** Named by a person; in the working folder, where it need not be yet; or in a folder above it. */
  readonly how: 'named' | 'here' | 'above'
}

const storeName = '.mlds'

/**
 * The store that a person means: the one they name, else the `.mlds` of the working folder or of the nearest folder above
 * it, as git looks. It looks no further than below the home folder, in no folder of another owner or that everyone may
 * write, and takes no `.mlds` there that belongs to somebody else.
 */
export function findStore(named?: string): FoundStore {
  if (named !== undefined) return { folder: resolve(named), how: 'named' }
  const start = process.cwd()
  const here: FoundStore = { folder: join(start, storeName), how: 'here' }
  const { uid: owner } = statSync(start)
  const home = homeFolder()
  if (lstatSync(here.folder, { throwIfNoEntry: false }) !== undefined || start === home) return here
  for (let folder = dirname(start), below = start; folder !== below; below = folder, folder = dirname(folder)) {
    const found = statSync(folder, { throwIfNoEntry: false })
    if (folder === home || found?.uid !== owner || (found.mode & 0o002) !== 0) break
    const store = join(folder, storeName)
    if (isFolderOf(store, owner)) return { folder: store, how: 'above' }
  }
  return here
}

/** A link must belong to the owner as well as what it leads to: anyone can make one that leads anywhere. */
function isFolderOf(path: string, owner: number): boolean {
  const [itself, target] = [lstatSync, statSync].map((look) => {
    try {
      return look(path)
    } catch {
      return undefined
    }
  })
  return itself?.uid === owner && target?.uid === owner && target.isDirectory()
}

function homeFolder(): string | undefined {
  try {
    return resolve(homedir())
  } catch {
    return undefined
  }
}
