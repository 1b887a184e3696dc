import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SimulatedClock } from '../../src/core/clock.js'
import type { TrialEvent } from '../../src/core/trial.js'
import { TrialLog } from '../../src/worker/trial-log.js'
import { toyAssignment } from '../conformance/backend.js'

describe("a trial's log", () => {
  const assignment = toyAssignment({})
  const about = { trial: assignment.trial.id, attempt: 1, atMs: 0 }
  const report: TrialEvent = { type: 'report', ...about, step: 1, metrics: {} }
  const ended: TrialEvent = { type: 'ended', ...about, outcome: { state: 'finished', metrics: {}, artifacts: {} } }
  let folder: string
  let file: string
  let clock: SimulatedClock
  let log: TrialLog
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mlds-log-'))
    file = join(folder, `${assignment.trial.id}.1.log`)
    clock = new SimulatedClock(5)
    log = new TrialLog(folder, assignment, clock)
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const stamp = (ms: number): string => new Date(ms).toISOString()

  it('of a short trial goes with its end and takes no file', () => {
    log.line('one')
    log.line('two')
    expect(log.accompany(report)).toEqual(report)
    expect(log.accompany(ended)).toEqual({ ...ended, log: `${stamp(5)} one\n${stamp(5)} two\n` })
    log.line('a word too late')
    log.close()
    log.line('another')
    expect(clock.advanceToNext()).toBe(false)
    expect(existsSync(file)).toBe(false)
  })

  it('of a longer trial takes a file when its time is over, with all that was written before', () => {
    log.line('one')
    clock.advanceToNext()
    expect(readFileSync(file, 'utf8')).toBe(`${stamp(5)} one\n`)
    log.line('two')
    expect(log.accompany(ended)).toEqual(ended)
    log.close()
    expect(readFileSync(file, 'utf8')).toBe(`${stamp(5)} one\n${stamp(255)} two\n`)
  })

  it('of a trial that gives timers no turn takes a file with a report or a line', () => {
    const busy = { now: () => clock.now(), monotonic: () => ms, after: () => () => {} }
    let ms = 0
    for (const act of [(of: TrialLog) => of.accompany(report), (of: TrialLog) => of.line('two')]) {
      ms = 0
      const own = new TrialLog(folder, assignment, busy)
      own.line('one')
      expect(existsSync(file)).toBe(false)
      ms = 250
      act(own)
      own.close()
      expect(readFileSync(file, 'utf8')).toMatch(/ one\n/)
      rmSync(file)
    }
  })

  it('of much text takes a file however short the trial is', () => {
    log.line('x'.repeat(40_000))
    log.line('the end')
    expect(log.accompany(ended)).toEqual(ended)
    log.close()
    expect(readFileSync(file, 'utf8')).toHaveLength(40_000 + 'the end'.length + 2 * `${stamp(0)} \n`.length)
  })

  it('of a trial that ends without an outcome is left in a file', () => {
    log.line('one')
    log.close()
    expect(readFileSync(file, 'utf8')).toBe(`${stamp(5)} one\n`)
  })
})
