import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { StoreError, exitCodes } from '../errors.js'
import { mayBeAlive, thisProcess, type ProcessIdentity } from '../process-identity.js'

/**
 * One process at a time may write a sweep. The lock is a file naming its holder; a dead holder's lock is taken over.
 * @returns a function that releases it.
 * @throws StoreError naming the holder's pid when it is alive.
 */
export function lockSweep(file: string, sweep: string): () => void {
  const mine = thisProcess()
  for (let tries = 0; tries < 3; tries++) {
    if (create(file, mine)) return () => release(file, mine)
    const holder = read(file)
    if (holder !== undefined && mayBeAlive(holder)) {
      throw new StoreError(`sweep ${sweep} is being run by another process: pid ${holder.pid} on ${holder.host}`, {
        hint:
          holder.host === hostname()
            ? `wait for it, or stop it with: kill ${holder.pid}`
            : `if that host is gone, delete ${file}`,
        exitCode: exitCodes.environment,
      })
    }
    discard(file, holder)
  }
  throw new StoreError(`sweep ${sweep} could not be locked: ${file} keeps changing hands`)
}

function create(file: string, holder: ProcessIdentity): boolean {
  let descriptor: number
  try {
    descriptor = openSync(file, 'wx')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new StoreError(`${file}: ${(error as Error).message}`, { cause: error })
  }
  writeSync(descriptor, JSON.stringify(holder))
  closeSync(descriptor)
  return true
}

/** Who holds the sweep now, if that process is alive. */
export function lockHolder(file: string): number | undefined {
  const holder = read(file)
  return holder !== undefined && mayBeAlive(holder) ? holder.pid : undefined
}

function read(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity
  } catch {
    return undefined
  }
}

/** Moves a dead holder's lock aside. If someone else got there first and the moved file is theirs, it is put back. */
function discard(file: string, dead: ProcessIdentity | undefined): void {
  const aside = `${file}.${process.pid}`
  try {
    renameSync(file, aside)
    const moved = read(aside)
    if (JSON.stringify(moved) !== JSON.stringify(dead)) linkSync(aside, file)
    rmSync(aside)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error
  }
}

function release(file: string, mine: ProcessIdentity): void {
  if (JSON.stringify(read(file)) === JSON.stringify(mine)) rmSync(file, { force: true })
}
