import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SimulatedClock } from '../../../src/core/clock.js'
import { followJournal } from '../../../src/sweeps/journal/follow.js'
import { Journal, type JournalEvent } from '../../../src/sweeps/journal/journal.js'
import { temporaryFolder } from '../../helpers/cli.js'

const closed = (reason: string): JournalEvent => ({ type: 'closed', reason, atMs: 0 })

describe('following a journal', () => {
  it('gives what is there, then each event once as it is written, a line only when it is whole, and ends', async () => {
    const file = join(temporaryFolder(), 'journal.jsonl')
    const clock = new SimulatedClock()
    let over = false
    const batches = followJournal(file, { clock, signal: new AbortController().signal, isOver: () => over })
    const next = async (): Promise<unknown> => {
      const wanted = batches.next()
      // The wait for the next look is over at once.
      await Promise.resolve()
      clock.advanceToNext()
      const found = await wanted
      return found.done === true ? 'ended' : found.value.map((event) => 'reason' in event && event.reason)
    }
    // Nothing was written yet: the sweep may be about to start.
    expect(await next()).toEqual([])
    const journal = Journal.open(file)
    journal.append(closed('a'))
    journal.append(closed('b'))
    expect(await next()).toEqual(['a', 'b'])
    expect(await next()).toEqual([])
    const before = journal.append(closed('c'))
    expect(await next()).toEqual(['c'])
    // A line that is written in two parts.
    journal.close()
    const whole = readFileSync(file, 'utf8').slice(before)
    appendFileSync(file, whole.slice(0, 10))
    expect(await next()).toEqual([])
    appendFileSync(file, whole.slice(10))
    over = true
    // What was written just before the end is still told.
    expect(await next()).toEqual(['c'])
    expect(await next()).toEqual([])
    expect(await next()).toBe('ended')
  })
})
