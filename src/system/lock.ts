import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { readRegularFile } from './read-regular-file.js'
import { systemClock, type Clock } from '../core/clock.js'
import { exitCodes, StoreError } from '../core/errors.js'
import { describeProcess, livenessOf, mayBeAlive, thisProcess, type ProcessIdentity } from './process-identity.js'

export interface LockOptions {
  readonly clock: Clock
  /** How often a holder gives a sign of life. Default 10,000. */
  readonly beatMs: number
  /** A holder of whom nothing else can be learnt, silent for longer, is ousted. Default 60,000. */
  readonly staleMs: number
}
const usual: LockOptions = { clock: systemClock, beatMs: 10_000, staleMs: 60_000 }

/** The right to write a sweep. */
export interface SweepLock {
  /** Called before every write: costs a look at the clock, and at the lock after this process stood still. @throws StoreError when it was ousted. */
  assertHeld(): void
  /** The folder that holds the lock was given another name. */
  moveTo(folder: string): void
  release(): void
}

/**
 * One process at a time may write a sweep. The lock is the folder `<file>.held` with one entry, whose name says who holds
 * it. A free lock is taken by a rename of a whole folder to that name, which fails unless the name is free or its folder
 * empty; a dead holder's by a rename of its entry: each is one step that one process wins, and no name is ever given twice.
 * `file` itself says the same to versions that know only a file.
 * @throws StoreError naming the holder's pid when it is alive, or has given a sign of life lately where it can't be seen.
 */
export function lockSweep(file: string, sweep: string, options: Partial<LockOptions> = {}): SweepLock {
  const lock = new HeldLock(file, sweep, { ...usual, ...options })
  try {
    lock.take()
  } catch (error) {
    if (error instanceof StoreError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === 'ENOSPC' ? 'the disk is full' : message
    throw new StoreError(`sweep ${sweep} could not be locked: ${file}: ${reason}`, { cause: error })
  }
  return lock
}

/** Who holds the sweep now, if that process is alive. */
export function lockHolder(file: string): number | undefined {
  const entry = entryOf(heldFolder(file))
  if (entry === undefined) {
    const old = readOld(file)
    return old !== undefined && mayBeAlive(old) ? old.pid : undefined
  }
  const { holder, path } = entry
  const liveness = livenessOf(holder)
  if (liveness !== 'unknown') return liveness === 'alive' ? holder.pid : undefined
  const silentMs = systemClock.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
  return silentMs <= usual.staleMs ? holder.pid : undefined
}

/** The process of this host that holds the sweep now; `undefined` where nobody does, or one of another host. */
export function holderHere(file: string): number | undefined {
  const { holder } = entryOf(heldFolder(file)) ?? {}
  return holder !== undefined && livenessOf(holder) === 'alive' ? holder.pid : undefined
}

const heldFolder = (file: string): string => `${file}.held`

class HeldLock implements SweepLock {
  #folder: string
  #entry: string
  /** What `file` says. */
  readonly #words: string
  #confirmed = { atMs: 0, monotonicMs: 0 }
  #cancel = (): void => {}

  constructor(
    private file: string,
    private readonly sweep: string,
    private readonly options: LockOptions,
  ) {
    const mine = thisProcess()
    this.#folder = heldFolder(file)
    this.#entry = join(this.#folder, nameOf(mine))
    this.#words = JSON.stringify({ ...mine, entry: nameIn(this.#entry) })
  }

  take(): void {
    this.#takeFolder()
    try {
      this.#respectOldHolder()
      replaceNow(this.file, this.#words)
    } catch (error) {
      this.release()
      throw error
    }
    this.#confirmNow()
    this.#beatLater()
  }

  #takeFolder(): void {
    const aside = `${this.#folder}.${randomUUID()}`
    const asideEntry = join(aside, nameIn(this.#entry))
    mkdirSync(aside)
    try {
      writeFileSync(asideEntry, '.')
      for (let tries = 0; tries < 1000; tries++) {
        if (renamed(aside, this.#folder)) return
        const entry = entryOf(this.#folder)
        if (entry !== undefined && this.#oust(entry, asideEntry)) return
      }
    } finally {
      rmSync(aside, { recursive: true, force: true })
    }
    throw new StoreError(`sweep ${this.sweep} could not be locked: ${this.#folder} keeps changing hands`)
  }

  /** True when this process has become the holder in the place of a dead one; false when someone else was quicker. */
  #oust({ path, holder }: Entry, asideEntry: string): boolean {
    const liveness = livenessOf(holder)
    if (liveness === 'alive') throw this.#refusal(holder)
    const descriptor = openIfThere(path)
    if (descriptor === undefined) return false
    try {
      const lastBeat = fstatSync(descriptor, { bigint: true }).mtimeNs
      if (liveness === 'unknown') {
        // Both times are the file system's own: hosts may disagree about the hour.
        writeFileSync(asideEntry, '.')
        const silentMs = statSync(asideEntry).mtimeMs - Number(lastBeat) / 1e6
        if (silentMs <= this.options.staleMs) throw this.#refusal(holder, silentMs)
      }
      if (!renamed(path, this.#entry)) return false
      // It woke up in between: its beat came before this look, or it will miss its entry after its beat.
      if (fstatSync(descriptor, { bigint: true }).mtimeNs !== lastBeat) {
        renamed(this.#entry, path)
        throw this.#refusal(holder, 0)
      }
      writeSync(descriptor, '.', 0)
      return existsSync(this.#entry)
    } finally {
      closeSync(descriptor)
    }
  }

  #refusal(holder: ProcessIdentity, silentMs?: number): StoreError {
    const { staleMs } = this.options
    return new StoreError(`sweep ${this.sweep} is being run by another process: ${describeProcess(holder)}`, {
      hint:
        silentMs === undefined
          ? `wait for it, or stop it with: kill ${holder.pid}`
          : `wait for it, or stop it there; if it has ended, try again in ${Math.ceil(Math.max(1, staleMs - silentMs) / 1000)} s`,
      exitCode: exitCodes.environment,
    })
  }

  /** A version that knows only the file may be running. */
  #respectOldHolder(): void {
    const old = readOld(this.file)
    if (old === undefined || !mayBeAlive(old)) return
    throw new StoreError(`sweep ${this.sweep} is being run by another process: ${describeProcess(old)}`, {
      hint:
        livenessOf(old) === 'alive'
          ? `wait for it, or stop it with: kill ${old.pid}`
          : `if that host is gone, delete ${this.file}`,
      exitCode: exitCodes.environment,
    })
  }

  assertHeld(): void {
    const { clock, beatMs } = this.options
    const { atMs, monotonicMs } = this.#confirmed
    // The one clock stands still while a laptop sleeps, the other may be set.
    const gapMs = Math.max(clock.monotonic() - monotonicMs, Math.abs(clock.now() - atMs))
    if (gapMs <= 2 * beatMs || this.#beat()) return
    const holder = entryOf(this.#folder)?.holder
    throw new StoreError(
      `sweep ${this.sweep} was taken over while this process stood still${holder === undefined ? '' : `, by ${describeProcess(holder)}`}: nothing more is written here`,
      { hint: `see how it goes on with: mlds status ${this.sweep}`, exitCode: exitCodes.environment },
    )
  }

  /** A sign of life; false when the lock is another's. The order matters: who ousts a holder looks for its beat afterwards. */
  #beat(): boolean {
    const descriptor = openIfThere(this.#entry)
    if (descriptor === undefined) return false
    try {
      writeSync(descriptor, '.', 0)
    } finally {
      closeSync(descriptor)
    }
    if (!existsSync(this.#entry)) return false
    this.#confirmNow()
    return true
  }

  #confirmNow(): void {
    this.#confirmed = { atMs: this.options.clock.now(), monotonicMs: this.options.clock.monotonic() }
  }

  #beatLater(): void {
    this.#cancel = this.options.clock.after(this.options.beatMs, () => {
      try {
        if (!this.#beat()) return
      } catch {
        // A full disk, a server that is away: the next write asks again.
      }
      this.#beatLater()
    })
  }

  moveTo(folder: string): void {
    this.file = join(folder, basename(this.file))
    this.#folder = heldFolder(this.file)
    this.#entry = join(this.#folder, nameIn(this.#entry))
  }

  release(): void {
    this.#cancel()
    if (read(this.file) === this.#words) rmSync(this.file, { force: true })
    rmSync(this.#entry, { force: true })
    try {
      rmdirSync(this.#folder)
    } catch {
      // Taken by another already.
    }
  }
}

interface Entry {
  readonly path: string
  readonly holder: ProcessIdentity
}

/** A fresh name each time, so that a rename of what was seen under a name can't hit another's. */
function nameOf({ pid, host, started, boot, pidNamespace = '' }: ProcessIdentity): string {
  return [pid, started, boot, pidNamespace, randomUUID().slice(0, 13), host.slice(0, 50)]
    .map(encodeURIComponent)
    .join(',')
}

const nameIn = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

function entryOf(folder: string): Entry | undefined {
  for (const name of namesIn(folder)) {
    const [pid, started, boot, pidNamespace, nonce, host] = name.split(',').map(decoded)
    if (host === undefined || nonce === '' || !/^\d+$/.test(pid!)) continue
    const holder = { pid: Number(pid), host, started: started!, boot: boot!, pidNamespace: pidNamespace! }
    return { path: join(folder, name), holder }
  }
  return undefined
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return ''
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** What a version that knows only the file wrote; nothing for a file that goes with a folder. */
function readOld(file: string): ProcessIdentity | undefined {
  try {
    const identity = JSON.parse(read(file) ?? '') as ProcessIdentity & { entry?: string }
    return identity.entry === undefined && Number.isSafeInteger(identity.pid) ? identity : undefined
  } catch {
    return undefined
  }
}

function read(file: string): string | undefined {
  try {
    return readRegularFile(file, 'utf8')
  } catch {
    return undefined
  }
}

/** False when the source is gone, or another stands at the target. */
function renamed(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function replaceNow(file: string, text: string): void {
  const aside = `${file}.${randomUUID()}`
  try {
    writeFileSync(aside, text)
    renameSync(aside, file)
  } catch (error) {
    rmSync(aside, { force: true })
    throw error
  }
}
