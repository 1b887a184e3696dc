import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  Journal,
  readJournal,
  mendTail,
  type JournalDamage,
  type JournalEvent,
} from '../../../src/sweeps/journal/journal.js'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlds-journal-'))
  file = join(folder, 'journal.jsonl')
})
afterEach(() => rmSync(folder, { recursive: true }))

const report = (step: number, loss = 1 / step): JournalEvent => ({
  type: 'report',
  trial: 'a',
  attempt: 1,
  atMs: 1000 + step,
  step,
  metrics: { 'train/loss': loss },
})
const opened: JournalEvent = { type: 'opened', format: 1, sweep: 's', planHash: 'h', codeVersion: '1', atMs: 1 }

function write(...events: JournalEvent[]): number[] {
  const journal = Journal.open(file)
  const offsets = events.map((event) => journal.append(event))
  journal.close()
  return offsets
}
const read = (onDamage?: (damage: JournalDamage) => void): JournalEvent[] =>
  [...readJournal(file, onDamage)].map((entry) => entry.event)

describe('the journal', () => {
  it('gives back what was written, in order, with the offsets that append returned', () => {
    const events = [opened, report(1), report(2)]
    const offsets = write(...events)
    expect(read()).toEqual(events)
    expect([...readJournal(file)].map((entry) => entry.offset)).toEqual(offsets)
  })

  it('keeps NaN and infinities', () => {
    write(report(1, NaN), report(2, Infinity), report(3, -Infinity))
    expect(read().map((event) => event.type === 'report' && event.metrics['train/loss'])).toEqual([
      NaN,
      Infinity,
      -Infinity,
    ])
  })

  it('reads a failure by a loss that was no number, as earlier versions wrote it, as a divergence', () => {
    const error = { name: 'DivergedError', message: 'loss is not a finite number: Infinity at step 4' }
    write({ type: 'ended', trial: 'a', attempt: 1, atMs: 1, outcome: { state: 'failed', error } })
    const outcome = { state: 'diverged', metric: 'loss', step: 4, metrics: { loss: Infinity }, artifacts: {} }
    expect(read()).toEqual([{ type: 'ended', trial: 'a', attempt: 1, atMs: 1, outcome }])
  })

  it('is plain JSON lines', () => {
    write(opened, report(1))
    for (const line of readFileSync(file, 'utf8').trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('crc')
  })

  it('survives a tear at any byte of its last line: the line is set aside and everything before it stays', async () => {
    write(opened, report(1), report(2))
    const whole = readFileSync(file)
    const [, , last] = [...readJournal(file)].map((entry) => entry.offset)
    for (let cut = last! + 1; cut < whole.length - 1; cut++) {
      writeFileSync(file, whole.subarray(0, cut))
      expect(await mendTail(file)).toBe(cut - last!)
      expect(statSync(file).size).toBe(last)
      write(report(3))
      expect(read()).toEqual([opened, report(1), report(3)])
    }
  })

  it('takes a last line that lacks only its end for what it is, and ends it', async () => {
    write(opened, report(1))
    const whole = readFileSync(file)
    truncateSync(file, whole.length - 1)
    expect(read()).toEqual([opened, report(1)])
    expect(await mendTail(file)).toBe(0)
    expect(readFileSync(file)).toEqual(whole)
  })

  it('reads lines that an editor ended or began in its own way', () => {
    const offsets = write(opened, report(1), report(2))
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, `\ufeff${text.replaceAll('\n', '\r\n')}\r\n\n`)
    const damage: JournalDamage[] = []
    expect(read((d) => damage.push(d))).toEqual([opened, report(1), report(2)])
    expect(damage).toEqual([])
    expect([...readJournal(file)].map(({ offset }) => offset)).toEqual(offsets.map((offset, i) => offset + 3 + i))
  })

  it('reads events whose line ends were lost, and goes on after them', async () => {
    write(opened, report(1), report(2))
    const text = readFileSync(file, 'utf8').replaceAll('\n', '')
    writeFileSync(file, `${text}{"type":"rep`)
    const damage: JournalDamage[] = []
    expect(read((d) => damage.push(d))).toEqual([opened, report(1), report(2)])
    expect(damage).toMatchObject([{ line: 1, reason: 'line ends were lost', events: 3 }])
    await mendTail(file)
    write(report(3))
    expect(read()).toEqual([opened, report(1), report(2), report(3)])
  })

  it('leaves a whole journal alone', async () => {
    write(opened, report(1))
    const before = readFileSync(file)
    expect(await mendTail(file)).toBe(0)
    expect(readFileSync(file)).toEqual(before)
  })

  it('passes over a corrupt line in the middle and says which', () => {
    write(opened, report(1), report(2))
    const bytes = readFileSync(file)
    // One flipped digit of a loss: still JSON, no longer what was written.
    const at = bytes.indexOf('"step":1,') + '"step":'.length
    bytes[at] = '7'.charCodeAt(0)
    writeFileSync(file, bytes)
    const damage: JournalDamage[] = []
    expect(read((d) => damage.push(d))).toEqual([opened, report(2)])
    expect(damage).toMatchObject([{ line: 2, reason: 'the checksum does not match' }])
  })

  it('reads lines longer than its block', () => {
    const long: JournalEvent = { type: 'closed', reason: 'x'.repeat(1_000_000), atMs: 1 }
    write(opened, long, report(1))
    expect(read()).toEqual([opened, long, report(1)])
  })

  it('refuses a journal of a newer version and names it', () => {
    write({ ...opened, format: 99, codeVersion: '9.0.0' })
    expect(() => read()).toThrow(/newer mlds: journal format 99/)
  })

  it('leaves the torn end of a newer version as it is', async () => {
    write({ ...opened, format: 99, codeVersion: '9.0.0' })
    appendFileSync(file, '{"type":"rep')
    const before = readFileSync(file)
    await expect(mendTail(file)).rejects.toThrow(/newer mlds: journal format 99/)
    expect(readFileSync(file)).toEqual(before)
  })

  it('says which file cannot be written', () => {
    expect(() => Journal.open(join(folder, 'no', 'such', 'folder'))).toThrow(/no\/such\/folder/)
  })

  it('goes on appending after a crash left garbage that a repair removed', async () => {
    write(opened)
    appendFileSync(file, '{"type":"rep')
    await mendTail(file)
    write(report(1))
    expect(read()).toEqual([opened, report(1)])
    truncateSync(file, 0)
    expect(read()).toEqual([])
  })
})
