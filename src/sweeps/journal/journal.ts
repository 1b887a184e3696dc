import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { appendFile, truncate } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { openRegularFile } from '../../system/read-regular-file.js'
import { readOutcome } from '../../core/divergence.js'
import { StoreError } from '../../core/errors.js'
import { refuseNewer } from '../../core/newer-format.js'
import { problemOf } from '../../core/system-error.js'
import type { SweepSource } from '../../core/sweep-source.js'
import type { EngineName, Metrics, SweepEvent, TrialId } from '../../core/trial.js'

/**
 * Raised when a line's meaning changes, or when one is added that must not be passed over; a journal of a higher number
 * is refused, never guessed at. Format 2 brought `stopping`, `voided`, and trials that diverged; 3 attempts that run beside
 * others; 4 trials that pause; 5 settings that a sampler was told of in another order than that of their ends.
 */
export const journalFormat = 5
/** The number of a journal in which attempts at a trial come one after the other: earlier versions read it too. */
export const plainFormat = 2

/** The lowest number for what a process may write: earlier versions read the rest. */
export const formatFor = ({ copies, pauses, told }: Readonly<Record<'copies' | 'pauses' | 'told', boolean>>): number =>
  told ? journalFormat : pauses ? 4 : copies ? 3 : plainFormat
/** From this format on a rule's decision to stop a trial is written down. */
export const stoppingSince = 2
/** From this format on a trial can end as diverged; before, it failed. */
export const divergedSince = 2

/** What happened, in order: the truth that MLflow, figures and tables are projections of. */
export type JournalEvent =
  | SweepEvent
  | {
      readonly type: 'opened'
      readonly format: number
      readonly sweep: string
      readonly planHash: string
      readonly codeVersion: string
      /** What trains the nets from here on; absent in journals that did not write it down. */
      readonly engine?: EngineName
      /** After so much time of running, that of earlier processes included, no trial is begun. Default: none. */
      readonly budgetMs?: number
      /** What trials run from here on; absent where nobody knows, and where the sweep goes on with its own copy of before. */
      readonly source?: SweepSource
      readonly atMs: number
    }
  /** A result taken over from another sweep in the same store, where the same trial had finished. */
  | { readonly type: 'reused'; readonly trial: string; readonly from: string; readonly atMs: number }
  /**
   * A rule decided to stop a trial after so many reports of its attempt, of which the last was of this step. Written before
   * the attempt is told: an attempt that begins anew ends there too, whatever the rule thinks by then.
   */
  | {
      readonly type: 'stopping'
      readonly trial: TrialId
      readonly attempt: number
      readonly reports: number
      readonly step: number
      readonly atMs: number
    }
  /** Every result before this line is void: it stays here, and counts for nothing (`--fresh`). */
  | { readonly type: 'voided'; readonly atMs: number }
  | { readonly type: 'closed'; readonly reason: string; readonly atMs: number }

export interface JournalEntry {
  readonly event: JournalEvent
  /** Byte position of the line in the file: the event's name for trackers. */
  readonly offset: number
}

export interface JournalDamage {
  /** Counted from 1. */
  readonly line: number
  readonly offset: number
  readonly reason: string
  /** How many events the line holds all the same. */
  readonly events: number
}

/**
 * An append-only file of JSON lines, each closed by a CRC-32 of what precedes it. One `write` per event and no work
 * that grows with the file: the thousandth event costs what the first did.
 */
export class Journal {
  readonly #file: string
  #descriptor: number
  #offset: number
  #dirty = false

  private constructor(
    file: string,
    descriptor: number,
    offset: number,
    private readonly mayWrite: () => void,
  ) {
    this.#file = file
    this.#descriptor = descriptor
    this.#offset = offset
  }

  /**
   * Opens for appending; the caller holds the sweep's lock and has repaired the tail (`mendTail`). `mayWrite` throws
   * before a write that the lock allows no more.
   */
  static open(file: string, mayWrite: () => void = () => {}): Journal {
    const descriptor = storing(file, () => openSync(file, 'a'))
    return new Journal(file, descriptor, fstatSync(descriptor).size, mayWrite)
  }

  /** Writes one event and returns its offset. A crash after this loses nothing but what the disk had not yet got. */
  append(event: JournalEvent): number {
    this.mayWrite()
    const bytes = Buffer.from(encodeLine(event))
    const offset = this.#offset
    storing(this.#file, () => {
      let written = 0
      while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written)
    })
    this.#offset += bytes.length
    this.#dirty = true
    return offset
  }

  /** Forces what was appended to the disk: called when the loop is idle and at the end, not per event. */
  sync(): void {
    if (!this.#dirty) return
    storing(this.#file, () => fdatasyncSync(this.#descriptor))
    this.#dirty = false
  }

  close(): void {
    if (this.#descriptor < 0) return
    this.sync()
    closeSync(this.#descriptor)
    this.#descriptor = -1
  }
}

function encodeLine(event: JournalEvent): string {
  const body = JSON.stringify(event, encodeNumber)
  return `${body.slice(0, -1)},"crc":"${crc32(body).toString(16).padStart(8, '0')}"}\n`
}

/** JSON has no NaN; as a bare word it would come back as null, and a diverged loss would look like a missing one. */
function encodeNumber(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

const crcLength = ',"crc":"00000000"}'.length
const [opening, closing] = [0x7b, 0x7d]

/** @throws Error with the reason when the bytes are not a line that `append` wrote. */
function decodeLine(line: Buffer): JournalEvent {
  const end = line.length - crcLength
  const stated = end < 0 ? undefined : /^,"crc":"([0-9a-f]{8})"}$/.exec(line.toString('latin1', end))?.[1]
  if (stated === undefined) throw new Error('no checksum')
  // That of the body: these bytes and the brace that ends them.
  const found = crc32('}', crc32(line.subarray(0, end)))
  if (found !== Number.parseInt(stated, 16)) throw new Error('the checksum does not match')
  const body = `${line.toString('utf8', 0, end)}}`
  const event = JSON.parse(body) as JournalEvent
  if (event.type === 'report' || event.type === 'paused')
    return hasWords(event.metrics) ? { ...event, metrics: decodeMetrics(event.metrics) } : event
  if (event.type === 'ended') {
    const outcome = readOutcome(event.outcome)
    const isWorded = 'metrics' in outcome && hasWords(outcome.metrics)
    return { ...event, outcome: isWorded ? { ...outcome, metrics: decodeMetrics(outcome.metrics) } : outcome }
  }
  return event
}

/** Whether some value is one that JSON lacks; nearly none is, and journals have millions of lines. */
const hasWords = (metrics: Readonly<Record<string, unknown>>): boolean =>
  Object.values(metrics).some((value) => typeof value === 'string')

const decodeMetrics = (metrics: Readonly<Record<string, unknown>>): Metrics =>
  Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, Number(value)]))

/**
 * Reads every event, in order. What a line holds beside events is reported to `onDamage` and passed over: its event is
 * lost, so its trial is missing and runs again; nothing else suffers. A torn last line is not yet an event. Begins at the
 * line that starts at byte `from`; lines are then counted from there.
 * @throws StoreError when the file can't be read or was written by a newer version.
 */
export function* readJournal(
  file: string,
  onDamage: (damage: JournalDamage) => void = () => {},
  from = 0,
): Generator<JournalEntry & { /** Where the next line begins. */ readonly end: number }> {
  let number = 0
  for (const line of readLines(file, from)) {
    number++
    const { events, reason } = readLine(line.bytes)
    if (reason !== undefined)
      onDamage({
        ...{ line: number, offset: line.offset, events: events.length },
        reason: line.whole || events.length > 0 ? reason : 'torn in the middle of a write',
      })
    for (const { event, start, length } of events) {
      refuseNewerJournal(file, event)
      const isLast = start === events.at(-1)!.start
      yield { event, offset: line.offset + start, end: isLast ? line.end : line.offset + start + length }
    }
  }
}

function refuseNewerJournal(file: string, event: JournalEvent): void {
  if (event.type === 'opened')
    refuseNewer(file, 'journal format', { format: event.format, known: journalFormat, by: event.codeVersion })
}

/** An event within a line's bytes. */
export interface PlacedEvent {
  readonly event: JournalEvent
  readonly start: number
  readonly length: number
}

/**
 * The events of a line: one as a rule, none of a blank line, several where line ends were lost. What an editor leaves
 * around them (a byte order mark, a carriage return) is no damage. `reason` says what is wrong when anything is.
 */
export function readLine(line: Uint8Array): { events: PlacedEvent[]; reason?: string } {
  const bytes = asBuffer(line)
  if (bytes[0] === opening && bytes.at(-1) === closing) {
    try {
      return { events: [{ event: decodeLine(bytes), start: 0, length: bytes.length }] }
    } catch {
      // What it is instead is told below.
    }
  }
  // One byte for each character, so that places in the text are places in the line.
  const text = bytes.toString('latin1')
  const start = /^(?:\xef\xbb\xbf)?\s*/.exec(text)![0].length
  const length = text.trimEnd().length - start
  if (length <= 0) return { events: [] }
  try {
    return { events: [{ event: decodeLine(bytes.subarray(start, start + length)), start, length }] }
  } catch (error) {
    const events = salvage(bytes, text)
    return { events, reason: events.length === 0 ? (error as Error).message : 'line ends were lost' }
  }
}

/** Whole events among other bytes: each begins with its type and ends with its checksum. */
function salvage(bytes: Buffer, text: string): PlacedEvent[] {
  const events: PlacedEvent[] = []
  let from = 0
  for (const { index, 0: mark } of text.matchAll(/,"crc":"[0-9a-f]{8}"}/g)) {
    const end = index + mark.length
    // Other beginnings may lie within: a torn line, or a text that a program printed.
    for (let start = text.indexOf('{"type":', from); start >= 0 && start < index;) {
      try {
        events.push({ event: decodeLine(bytes.subarray(start, end)), start, length: end - start })
        break
      } catch {
        start = text.indexOf('{"type":', start + 1)
      }
    }
    from = end
  }
  return events
}

/**
 * Makes the next event start on a line of its own after a crash in the middle of a write: what is torn is moved out of
 * the journal into `<file>.torn`, and a last line that lacks only its end gets one. Returns how many bytes were moved.
 * @throws StoreError, having changed nothing, when the file can't be read or was written by a newer version.
 */
export async function mendTail(file: string): Promise<number> {
  let last: Line | undefined
  for (const line of readLines(file)) {
    if (asBuffer(line.bytes).includes('{"type":"opened"'))
      for (const { event } of readLine(line.bytes).events) refuseNewerJournal(file, event)
    if (!line.whole) last = line
  }
  if (last === undefined) return 0
  const { events } = readLine(last.bytes)
  const kept = events.reduce((end, { start, length }) => Math.max(end, start + length), 0)
  const torn = asBuffer(last.bytes).subarray(kept)
  const writing = (path: string) => (error: unknown) =>
    storing(path, () => {
      throw error
    })
  if (torn.length > 0 && torn.toString().trim() !== '') {
    const aside = `${file}.torn`
    await appendFile(aside, Buffer.concat([torn, Buffer.from('\n')])).catch(writing(aside))
  }
  await truncate(file, last.offset + kept).catch(writing(file))
  if (kept > 0) await appendFile(file, '\n').catch(writing(file))
  return torn.length
}

export interface Line {
  /** Without its end. */
  readonly bytes: Uint8Array
  readonly offset: number
  /** Where the next line begins. */
  readonly end: number
  /** False for a last line without its end. */
  readonly whole: boolean
}

/** Line by line in blocks: a journal of gigabytes needs no more memory than its longest line. */
export function* readLines(file: string, from = 0): Generator<Line> {
  const descriptor = storing(file, () => openRegularFile(file))
  try {
    const block = Buffer.allocUnsafe(1 << 18)
    let parts: Buffer[] = []
    let offset = from
    let position = from
    for (;;) {
      const count = storing(file, () => readSync(descriptor, block, 0, block.length, position))
      position += count
      if (count === 0) break
      const bytes = Buffer.from(block.subarray(0, count))
      let start = 0
      for (let end = bytes.indexOf(10, start); end >= 0; end = bytes.indexOf(10, start)) {
        const line = parts.length === 0 ? bytes.subarray(start, end) : Buffer.concat([...parts, bytes.subarray(0, end)])
        yield { bytes: line, offset, end: offset + line.length + 1, whole: true }
        offset += line.length + 1
        parts = []
        start = end + 1
      }
      if (start < count) parts.push(bytes.subarray(start))
    }
    const rest = Buffer.concat(parts)
    if (rest.length > 0) yield { bytes: rest, offset, end: offset + rest.length, whole: false }
  } finally {
    closeSync(descriptor)
  }
}

/** The same memory; a Buffer in a signature would ask every reader of the library's types for Node's. */
function asBuffer(bytes: Uint8Array): Buffer<ArrayBufferLike> {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

export function storing<T>(file: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOSPC') {
      throw new StoreError(`the disk is full: ${file} could not be written`, {
        hint: 'free some space, then: mlds resume (everything written so far is kept)',
        cause: error,
      })
    }
    throw new StoreError(`${file}: ${problemOf(error)}`, { cause: error })
  }
}
