import { closeSync, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { openRegularFile, readRegularFile } from '../system/read-regular-file.js'
import { logFileOf, maxShortLogCharacters } from '../system/log-file.js'
import { makeFolderSync } from '../system/make-folder.js'
import type { TrialId } from '../core/trial.js'
import { readLines, storing } from './journal/journal.js'

/** JSON takes at most six bytes for a character. */
const maxRecordBytes = 6 * maxShortLogCharacters + 200

/** What the short logs share: a line of JSON for each, `{"trial":…,"attempt":…,"text":…}`, in the order of their ends. */
const shortLogsFile = (folder: string): string => join(folder, 'short.jsonl')

export interface StoredLog {
  readonly bytes: Uint8Array
  /** Where it lies, alone or with others. */
  readonly file: string
}

/** Reads the logs of a sweep's trials, also while they are written. */
export class TrialLogs {
  readonly #shared: string
  /** Where the line of each short log lies. */
  readonly #places = new Map<string, { readonly offset: number; readonly length: number }>()
  #readUpTo = 0

  constructor(private readonly folder: string) {
    this.#shared = shortLogsFile(folder)
  }

  /** `undefined` where there is none. @throws Error of the file system when there is one that can't be read. */
  async read(trial: TrialId, attempt: number): Promise<StoredLog | undefined> {
    const file = logFileOf(this.folder, trial, attempt)
    const long = readIfThere(file)
    const short = this.#readShort(trial, attempt)
    if (short === undefined) return long && { bytes: long, file }
    // Where a process died early, an attempt may have begun twice.
    return long === undefined ? { bytes: short, file: this.#shared } : { bytes: Buffer.concat([long, short]), file }
  }

  #readShort(trial: TrialId, attempt: number): Buffer | undefined {
    this.#find()
    const place = this.#places.get(keyOf(trial, attempt))
    if (place === undefined) return undefined
    const descriptor = openRegularFile(this.#shared)
    try {
      const line = Buffer.alloc(place.length)
      readSync(descriptor, line, 0, line.length, place.offset)
      const { text } = JSON.parse(line.toString()) as { text?: unknown }
      return typeof text === 'string' ? Buffer.from(text) : undefined
    } catch {
      // Not a line of ours: no log.
      return undefined
    } finally {
      closeSync(descriptor)
    }
  }

  /** Looks through what was appended since the last time. A torn or foreign line is passed over. */
  #find(): void {
    const sizeBytes = statSync(this.#shared, { throwIfNoEntry: false })?.size ?? 0
    if (sizeBytes < this.#readUpTo) {
      this.#places.clear()
      this.#readUpTo = 0
    }
    if (sizeBytes === this.#readUpTo) return
    for (const { bytes, offset, end, whole } of readLines(this.#shared, this.#readUpTo)) {
      if (!whole) return
      this.#readUpTo = end
      if (bytes.length > maxRecordBytes) continue
      const [, trial, attempt] = recordStart.exec(Buffer.from(bytes.subarray(0, 100)).toString('latin1')) ?? []
      if (trial !== undefined) this.#places.set(keyOf(trial, Number(attempt)), { offset, length: bytes.length })
    }
  }
}

function readIfThere(file: string): Uint8Array | undefined {
  try {
    return readRegularFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}

const recordStart = /^\{"trial":"([^"\\]+)","attempt":(\d+),"text":"/
const keyOf = (trial: TrialId, attempt: number): string => `${trial}.${attempt}`

/** Keeps the logs that came with the ends of their trials. */
export class LogKeeper {
  readonly #shared: string
  #descriptor: number | undefined

  /** The caller holds the sweep's lock; `mayWrite` throws before a write that the lock allows no more. */
  constructor(
    private readonly folder: string,
    private readonly mayWrite: () => void = () => {},
  ) {
    this.#shared = shortLogsFile(folder)
  }

  /**
   * Appends a short log to the shared file, and a long one to its own; does nothing where its own file ends with it.
   * @throws StoreError when the disk takes it not.
   */
  keep(trial: TrialId, attempt: number, text: string): void {
    this.mayWrite()
    const own = logFileOf(this.folder, trial, attempt)
    if (text === '' || endsWith(own, text)) return
    if (text.length > maxShortLogCharacters) return storing(own, () => this.#append(own, text))
    storing(this.#shared, () => {
      this.#descriptor ??= this.#open()
      try {
        writeWhole(this.#descriptor, `${JSON.stringify({ trial, attempt, text })}\n`)
      } catch (error) {
        this.close()
        throw error
      }
    })
  }

  /** A record that a killed process left torn is closed, so that the next has a line of its own. */
  #open(): number {
    makeFolderSync(this.folder)
    const descriptor = openSync(this.#shared, 'a+')
    const { size } = fstatSync(descriptor)
    const last = Buffer.alloc(1)
    if (size > 0 && readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== 10) writeSync(descriptor, '\n')
    return descriptor
  }

  #append(file: string, text: string): void {
    makeFolderSync(this.folder)
    const descriptor = openSync(file, 'a')
    try {
      writeWhole(descriptor, text)
    } finally {
      closeSync(descriptor)
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}

function writeWhole(descriptor: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let written = 0; written < bytes.length;) written += writeSync(descriptor, bytes, written)
}

/** Threads of this process write long logs themselves, and a result brings the end of each once more. */
function endsWith(file: string, text: string): boolean {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return false
  const end = Buffer.from(text).subarray(-1_000)
  return readEnd(file, end.length) === end.toString()
}

/** The text of a file's last bytes; empty when it can't be read. */
export function readEnd(file: string, maxBytes: number): string {
  let descriptor: number
  try {
    descriptor = openRegularFile(file)
  } catch {
    return ''
  }
  try {
    const { size } = fstatSync(descriptor)
    const bytes = Buffer.alloc(Math.min(size, maxBytes))
    const count = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length)
    return bytes.toString('utf8', 0, count)
  } finally {
    closeSync(descriptor)
  }
}
