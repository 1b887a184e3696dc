import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SimulatedClock } from '../../src/core/clock.js'
import { LiveSweep } from '../../src/dashboard/server/live-sweep.js'
import { eventId, readEventId } from '../../src/dashboard/server/event-stream.js'
import { Course, SweepModel } from '../../src/dashboard/page/model.js'
import { Journal, journalFormat, readJournal, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import type { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { openStore } from '../../src/system/store.js'
import { writeSweep } from '../helpers/written-sweep.js'

let folder: string
let sweep: SweepFolder
/** The journal, whole. */
let bytes: Buffer
/** Where its events begin and end. */
let ends: number[]
const clock = new SimulatedClock()
const about = { title: 't', question: 'q', objective: { metric: 'loss', direction: 'minimize' } } as const

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mlds-live-'))
  sweep = await writeSweep(openStore(join(folder, '.mlds')), 'live', [1, 2, 3, 4], (trials) => {
    let atMs = 0
    const events: JournalEvent[] = []
    const opened = { type: 'opened', format: journalFormat, sweep: 'live', planHash: 'x', codeVersion: '0' } as const
    events.push({ ...opened, atMs: ++atMs })
    trials.forEach(({ id }, i) => {
      for (const attempt of i === 1 ? [1, 2] : [1]) {
        events.push({ type: 'started', trial: id, attempt, atMs: ++atMs, worker: `w${i % 2}` })
        for (let step = 1; step <= 5; step++) {
          const metrics = { loss: i === 2 && step > 3 ? NaN : i / step, ...(step === 3 ? { late: step } : {}) }
          events.push({ type: 'report', trial: id, attempt, atMs: ++atMs, step, metrics })
        }
        if (i === 1 && attempt === 1) {
          events.push({ type: 'lost', trial: id, attempt, atMs: ++atMs, reason: 'gone' })
          events.push({ ...opened, atMs: ++atMs })
          continue
        }
        const outcome = { state: 'finished', metrics: { loss: i, [`final ${i}`]: 1 }, artifacts: {} } as const
        if (i < 3) events.push({ type: 'ended', trial: id, attempt, atMs: ++atMs, outcome })
      }
    })
    return events
  })
  bytes = readFileSync(sweep.journalFile)
  ends = [...readJournal(sweep.journalFile)].map(({ end }) => end)
})
afterAll(() => rmSync(folder, { recursive: true }))

const open = (): LiveSweep => new LiveSweep(sweep, about, clock)
/** Read as far as the journal goes now. */
function read(live: LiveSweep): LiveSweep {
  while (live.readOn(1_000) === 'more');
  return live
}
/** What a page shows of every trial. */
const rowsOf = (model: SweepModel): string =>
  JSON.stringify(model.rows.map((row) => model.columns().map(({ name, of }) => [name, String(of(row))])))

describe('a followed sweep', () => {
  it('is told whole as it is at each event, also where nothing was heard between two tellings', () => {
    writeFileSync(sweep.journalFile, '')
    const live = open()
    for (const [i, end] of ends.entries()) {
      appendFileSync(sweep.journalFile, bytes.subarray(ends[i - 1] ?? 0, end))
      read(live)
      const now = JSON.stringify(live.snapshot())
      expect(live.snapshotText()).toBe(now)
      expect(live.snapshotText()).toBe(now)
    }
    expect(live.snapshotText()).toContain('"finished"')
  })

  it('tells a page that was cut off anywhere just what it lacks: it then shows what a fresh page shows', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(ends.length - 1), { minLength: 1, maxLength: 6 }), (cuts) => {
        writeFileSync(sweep.journalFile, '')
        const live = read(open())
        live.takeChange()
        let model = new SweepModel(live.snapshot())
        let position = live.position
        let written = 0
        for (const cut of [...cuts.map((i) => ends[i]!), bytes.length].sort((a, b) => a - b)) {
          appendFileSync(sweep.journalFile, bytes.subarray(written, cut))
          written = cut
          read(live).takeChange()
          // As it comes back over the wire.
          position = readEventId(eventId('00000000.1', position)).position!
          const change = live.changeSince(position)
          // Before its first event a journal could be any.
          expect(change === undefined).toBe(position.offset === 0 && live.position.offset > 0)
          if (change === undefined) model = new SweepModel(live.snapshot())
          else model.apply(JSON.parse(JSON.stringify(change)) as typeof change)
          position = live.position
        }
        expect(rowsOf(model)).toBe(rowsOf(new SweepModel(read(open()).snapshot())))
      }),
      { numRuns: 60 },
    )
  })

  it('tells the same to a page that comes back to another server of the same journal', () => {
    writeFileSync(sweep.journalFile, bytes.subarray(0, ends[9]))
    const before = read(open())
    const model = new SweepModel(before.snapshot())
    writeFileSync(sweep.journalFile, bytes)
    const change = read(open()).changeSince(before.position)!
    model.apply(change)
    expect(rowsOf(model)).toBe(rowsOf(new SweepModel(read(open()).snapshot())))
    expect(change.rows.length).toBeLessThan(5)
  })

  it('sends bytes for what is new alone, and every point once, in order', () => {
    writeFileSync(sweep.journalFile, '')
    const live = read(open())
    live.takeChange()
    const model = new SweepModel(live.snapshot())
    const empty = { attempts: 0, reports: 0, series: {} }
    const courses = model.rows.map(() => new Course(empty))
    let [written, refusals] = [0, 0]
    for (const end of ends) {
      appendFileSync(sweep.journalFile, bytes.subarray(written, end))
      written = end
      const change = read(live).takeChange()
      if (change === undefined) continue
      expect(change.rows).toHaveLength(1)
      model.apply(change)
      for (const points of change.points)
        if (!courses[points.index]!.add(points, model.rows[points.index]!, model.metrics)) refusals++
    }
    expect(live.takeChange()).toBeUndefined()
    expect(refusals).toBe(0)
    const asked = live.courses(model.rows.map(({ id }) => id)).trials
    for (const { index, ...course } of asked) {
      const plain = (one: Course): unknown => [one.attempts, one.reports, [...one.series]]
      expect(plain(courses[index]!)).toEqual(plain(new Course(course)))
    }
  })

  it('a course that lacks points says so rather than joining what does not belong together', () => {
    const row = new SweepModel(read(open()).snapshot()).rows[0]!
    const course = new Course({ attempts: 1, reports: 2, series: { loss: { steps: [1, 2], values: [1, 2] } } })
    Object.assign(row, { attempts: 1, reports: 5 })
    expect(course.add({ index: 0, from: 3, points: [[4, [1]]] }, row, ['loss'])).toBe(false)
    expect(course.add({ index: 0, from: 1, points: [[2, [2]]] }, row, ['loss'])).toBe(false)
    expect(
      course.add({ index: 0, from: 1, points: [2, 3, 4, 5].map((step) => [step, [step]] as const) }, row, ['loss']),
    ).toBe(true)
    expect(course.series.get('loss')!.steps).toEqual([1, 2, 3, 4, 5])
  })

  it('begins anew where the journal is another one, and where a page knows what was never so', () => {
    writeFileSync(sweep.journalFile, bytes)
    const live = read(open())
    const { position } = live
    expect(live.changeSince({ ...position, epoch: '000000000000' })).toBeUndefined()
    expect(live.changeSince({ ...position, offset: position.offset + 1 })).toBeUndefined()
    expect(live.changeSince({ ...position, trials: 99 })).toBeUndefined()
    // The sweep was removed and run anew: the same plan, and another journal, as long as the one before or longer.
    const later = bytes
      .toString()
      .split('\n')
      .filter((line) => line !== '')
    const rewritten = join(folder, 'rewritten.jsonl')
    const journal = Journal.open(rewritten)
    for (const line of later) {
      const { crc: _, ...event } = JSON.parse(line) as JournalEvent & { crc: string }
      journal.append({ ...event, atMs: event.atMs + 1_000_000 })
    }
    journal.close()
    writeFileSync(sweep.journalFile, readFileSync(rewritten))
    expect(read(open()).changeSince(position)).toBeUndefined()
    writeFileSync(sweep.journalFile, bytes.subarray(0, ends[3]))
    expect(live.readOn(1_000)).toBe('replaced')
    for (const text of [
      undefined,
      '',
      'x',
      '/',
      '0.1/__proto__:1:1',
      '00000000.1/abcdefabcdef:-1:1',
      `1.1/${'a'.repeat(12)}:${'9'.repeat(40)}:1`,
    ])
      expect(readEventId(text).position).toBeUndefined()
  })

  it('waits for the end of a line that is being written, and counts lines that can’t be read', () => {
    writeFileSync(sweep.journalFile, bytes.subarray(0, ends[1]! + 20))
    const live = read(open())
    expect(live.position.offset).toBe(ends[1])
    expect(live.damagedLines).toBe(0)
    writeFileSync(
      sweep.journalFile,
      Buffer.concat([bytes.subarray(0, ends[1]), Buffer.from('nonsense\n'), bytes.subarray(ends[1])]),
    )
    expect(read(open()).damagedLines).toBe(1)
  })
})
