import { closeSync, openSync, writeSync } from 'node:fs'
import type { Clock } from '../core/clock.js'
import { logFileOf, maxShortLogCharacters } from '../system/log-file.js'
import type { Assignment, TrialEvent } from '../core/trial.js'

/** A trial of less time has its log in memory alone until it ends. */
const shortTrialMs = 250

/**
 * What a trial writes for people to read, a line at a time. It takes a file of its own only once the trial has run for a
 * while or has written much: making one costs more than all else that a short trial does.
 */
export class TrialLog {
  readonly #file: string
  #descriptor: number | undefined
  #gathered = ''
  #isOver = false
  readonly #sinceMs: number
  readonly #cancel: () => void

  constructor(
    logsFolder: string,
    { trial, attempt }: Pick<Assignment, 'trial' | 'attempt'>,
    private readonly clock: Clock,
  ) {
    this.#file = logFileOf(logsFolder, trial.id, attempt)
    this.#sinceMs = clock.monotonic()
    this.#cancel = clock.after(shortTrialMs, () => this.#tryToOpen())
  }

  /** What is written after the trial has ended is no part of it. */
  line(text: string): void {
    if (this.#isOver) return
    const line = `${new Date(this.clock.now()).toISOString()} ${text}\n`
    if (this.#descriptor !== undefined) return void writeSync(this.#descriptor, line)
    this.#gathered += line
    if (this.#isLate() || this.#gathered.length > maxShortLogCharacters) this.#open()
  }

  /** The trial's event, which takes the whole log along when it is the end and the log has no file. */
  accompany(event: TrialEvent): TrialEvent {
    if (this.#descriptor !== undefined) return event
    // The timer waits while a trial computes.
    if (event.type === 'report' && this.#isLate()) this.#tryToOpen()
    if (event.type !== 'ended') return event
    const log = this.#gathered
    this.#gathered = ''
    this.#isOver = true
    return { ...event, log }
  }

  #isLate(): boolean {
    return this.clock.monotonic() - this.#sinceMs >= shortTrialMs
  }

  #open(): void {
    this.#cancel()
    const descriptor = openSync(this.#file, 'a')
    try {
      writeSync(descriptor, this.#gathered)
    } catch (error) {
      closeSync(descriptor)
      throw error
    }
    this.#descriptor = descriptor
    this.#gathered = ''
  }

  /** Between the trial's own steps there is nobody to tell of a full disk: its next line will. */
  #tryToOpen(): void {
    try {
      this.#open()
    } catch {
      // It stays in memory.
    }
  }

  /** Leaves in a file what no event took along. */
  close(): void {
    this.#isOver = true
    this.#cancel()
    if (this.#gathered !== '') this.#tryToOpen()
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}
