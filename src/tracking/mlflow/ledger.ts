import { appendFileSync, existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { readRegularFile } from '../../system/read-regular-file.js'
import { problemOf } from '../../core/system-error.js'
import { makeFolderSync } from '../../system/make-folder.js'

/** Which run holds what, and how much of it the server has acknowledged. */
export interface Acknowledgement {
  /** `mlds.run_key`. */
  readonly key: string
  readonly run: string
  readonly artifactUri: string
  /** Journal offset up to which the run holds what it should; −1 when it was only made. */
  readonly offset: number
  /** True when it has ended and nothing is missing. */
  readonly done: boolean
  /** True when checkpoints were asked for and are there. */
  readonly checkpoints?: boolean
}

/**
 * What one server has acknowledged of one sweep, as append-only lines; the last line of a key counts. It saves work and
 * carries no truth: what it says is held against the server, and without it runs are found again by their keys.
 */
export class Ledger {
  readonly #known: Map<string, Acknowledgement>

  constructor(
    private readonly file: string,
    private readonly warn: (message: string) => void,
  ) {
    this.#known = readLedger(file)
  }

  get(key: string): Acknowledgement | undefined {
    return this.#known.get(key)
  }

  entries(): Iterable<Acknowledgement> {
    return this.#known.values()
  }

  set(acknowledgement: Acknowledgement): Acknowledgement {
    this.#known.set(acknowledgement.key, acknowledgement)
    try {
      makeFolderSync(dirname(this.file))
      appendFileSync(this.file, `${JSON.stringify(acknowledgement)}\n`)
    } catch (error) {
      this.warn(`${this.file} can't be written: ${problemOf(error)} (what MLflow has is looked for next time)`)
    }
    return acknowledgement
  }

  /** The run is not on the server any more. The file may go on naming it: the next process looks again. */
  forget(key: string): void {
    this.#known.delete(key)
  }
}

/** A line torn by a crash is passed over: what it said is found on the server again. */
function readLedger(file: string): Map<string, Acknowledgement> {
  const lines = existsSync(file) ? readRegularFile(file, 'utf8').split('\n') : []
  const found = new Map<string, Acknowledgement>()
  for (const line of lines) {
    try {
      const acknowledgement = JSON.parse(line) as Acknowledgement
      found.set(acknowledgement.key, acknowledgement)
    } catch {
      continue
    }
  }
  return found
}
