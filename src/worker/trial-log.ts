import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import type { Clock } from '../clock.js'

/** A longer log takes a file in any case. */
const inMemoryCharacters = 32_000

/**
 * What a trial writes for people to read, a line at a time, in a file of its own. A log that may stay in memory takes a
 * file only once the trial has run for a while: making one costs more than all else that a short trial does.
 */
export class TrialLog {
  #descriptor: number | undefined
  #gathered = ''
  readonly #sinceMs: number
  #cancel = (): void => {}

  /** @param inMemoryMs how long its lines may be kept from the file; 0 for not at all. */
  constructor(
    private readonly file: string,
    private readonly clock: Clock,
    private readonly inMemoryMs: number,
  ) {
    this.#sinceMs = clock.monotonic()
    if (inMemoryMs === 0) this.#open()
    else this.#cancel = clock.after(inMemoryMs, () => this.#open())
  }

  line(text: string): void {
    const line = `${new Date(this.clock.now()).toISOString()} ${text}\n`
    if (this.#descriptor !== undefined) writeSync(this.#descriptor, line)
    else {
      this.#gathered += line
      // The timer waits while a trial computes.
      const late = this.clock.monotonic() - this.#sinceMs >= this.inMemoryMs
      if (late || this.#gathered.length > inMemoryCharacters) this.#open()
    }
  }

  /** The whole log, as long as it has no file. */
  get text(): string | undefined {
    return this.#descriptor === undefined ? this.#gathered : undefined
  }

  #open(): void {
    this.#cancel()
    this.#descriptor ??= openSync(this.file, 'a')
    if (this.#gathered !== '') writeSync(this.#descriptor, this.#gathered)
    this.#gathered = ''
  }

  close(): void {
    this.#cancel()
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
  }
}

/** The last bytes of a file as text; empty when it can't be read. */
export function readEnd(file: string, maxBytes: number): string {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch {
    return ''
  }
  try {
    const { size } = fstatSync(descriptor)
    const bytes = Buffer.alloc(Math.min(size, maxBytes))
    readSync(descriptor, bytes, 0, bytes.length, size - bytes.length)
    return bytes.toString('utf8')
  } finally {
    closeSync(descriptor)
  }
}
