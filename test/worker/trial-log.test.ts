import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SimulatedClock } from '../../src/clock.js'
import { readEnd, TrialLog } from '../../src/worker/trial-log.js'

describe("a trial's log", () => {
  let folder: string
  let file: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mlds-log-'))
    file = join(folder, 'a.1.log')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const stamp = (ms: number): string => new Date(ms).toISOString()

  it('lies in its file line by line, unless it may stay in memory', () => {
    const log = new TrialLog(file, new SimulatedClock(5), 0)
    log.line('one')
    expect(readFileSync(file, 'utf8')).toBe(`${stamp(5)} one\n`)
    expect(log.text).toBeUndefined()
    log.line('two')
    log.close()
    expect(readFileSync(file, 'utf8')).toBe(`${stamp(5)} one\n${stamp(5)} two\n`)
  })

  it('of a short trial takes no file', () => {
    const clock = new SimulatedClock(5)
    const log = new TrialLog(file, clock, 100)
    log.line('one')
    log.line('two')
    expect(log.text).toBe(`${stamp(5)} one\n${stamp(5)} two\n`)
    log.close()
    expect(clock.advanceToNext()).toBe(false)
    expect(existsSync(file)).toBe(false)
  })

  it('of a longer trial takes one when its time is over, with all that was written before', () => {
    const clock = new SimulatedClock(5)
    const log = new TrialLog(file, clock, 100)
    log.line('one')
    clock.advanceToNext()
    expect(log.text).toBeUndefined()
    log.line('two')
    log.close()
    expect(readFileSync(file, 'utf8')).toBe(`${stamp(5)} one\n${stamp(105)} two\n`)
  })

  it('of much text takes one however short the trial is', () => {
    const log = new TrialLog(file, new SimulatedClock(0), 100)
    log.line('x'.repeat(40_000))
    log.line('the end')
    log.close()
    expect(log.text).toBeUndefined()
    expect(readFileSync(file, 'utf8')).toHaveLength(40_000 + 'the end'.length + 2 * `${stamp(0)} \n`.length)
  })

  it('is read from its end, and empty where there is none', () => {
    const log = new TrialLog(file, new SimulatedClock(0), 0)
    log.line('a line')
    log.line('the end')
    log.close()
    expect(readEnd(file, 8)).toBe('the end\n')
    expect(readEnd(join(folder, 'none.log'), 8)).toBe('')
  })
})
