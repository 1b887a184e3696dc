import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolderSync } from '../../../system/make-folder.js'
import { mayBeAlive, thisProcess, type ProcessIdentity } from '../../../system/process-identity.js'

/** The folder on a worker's disk where checkpoints lie on their way to the server and from it. */
interface Staging {
  readonly folder: string
  /** Removes it. */
  close(): void
}

const ownerFile = 'owner.json'

/** Makes one of this process's own, and removes those of processes that have died. */
export function openStaging(parent: string, name: string): Staging {
  const folder = join(parent, name)
  makeFolderSync(folder)
  writeFileSync(join(folder, ownerFile), JSON.stringify(thisProcess()))
  for (const other of readdirSync(parent))
    if (other !== name && isLeftBehind(join(parent, other)))
      rmSync(join(parent, other), { recursive: true, force: true })
  return { folder, close: () => rmSync(folder, { recursive: true, force: true }) }
}

function isLeftBehind(folder: string): boolean {
  try {
    return !mayBeAlive(JSON.parse(readFileSync(join(folder, ownerFile), 'utf8')) as ProcessIdentity)
  } catch {
    // Another process makes it at this moment.
    return false
  }
}
