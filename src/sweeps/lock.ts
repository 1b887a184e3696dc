import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { StoreError, exitCodes } from '../errors.js'

interface Holder {
  readonly pid: number
  readonly host: string
  /** Kernel's start time of the process where it can be read, so that a recycled pid is not taken for the holder. */
  readonly started: string
}

/**
 * One process at a time may write a sweep. The lock is a file naming its holder; a dead holder's lock is taken over.
 * @returns a function that releases it.
 * @throws StoreError naming the holder's pid when it is alive.
 */
export function lockSweep(file: string, sweep: string): () => void {
  const mine: Holder = { pid: process.pid, host: hostname(), started: startOf(process.pid) }
  for (let tries = 0; tries < 3; tries++) {
    if (create(file, mine)) return () => release(file, mine)
    const holder = read(file)
    if (holder !== undefined && isAlive(holder)) {
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

function create(file: string, holder: Holder): boolean {
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
  return holder !== undefined && isAlive(holder) ? holder.pid : undefined
}

function read(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

function isAlive(holder: Holder): boolean {
  // Nothing can be learnt about another host from here: its lock counts until a person removes it.
  if (holder.host !== hostname()) return true
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return holder.started === startOf(holder.pid)
}

function startOf(pid: number): string {
  try {
    // Fields 3 and 22, counted after the command name, which may itself hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')
    // A dead process stays in the table until its parent asks after it, in a container without an init for ever.
    return fields?.[0] === 'Z' ? 'ended' : (fields?.[19] ?? '')
  } catch {
    return ''
  }
}

/** Moves a dead holder's lock aside. If someone else got there first and the moved file is theirs, it is put back. */
function discard(file: string, dead: Holder | undefined): void {
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

function release(file: string, mine: Holder): void {
  if (JSON.stringify(read(file)) === JSON.stringify(mine)) rmSync(file, { force: true })
}
