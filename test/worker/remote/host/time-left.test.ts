import { describe, expect, it } from 'vitest'
import { SimulatedClock } from '../../../../src/core/clock.js'
import { IdleTimeout } from '../../../../src/worker/remote/host/idle-timeout.js'
import { ServerPatience } from '../../../../src/worker/remote/host/server-patience.js'
import { TimeLeft } from '../../../../src/worker/remote/host/time-left.js'

describe('the time that a worker has left', () => {
  it('suffices for a trial whose own limit ends within it, whatever others took', () => {
    const clock = new SimulatedClock()
    const timeLeft = new TimeLeft(clock, 1_000)
    timeLeft.learn('a', 5_000, 1)
    clock.advance(400)
    expect(timeLeft.leftMs).toBe(600)
    expect(timeLeft.suffices('a', { limitMs: 600 })).toBe(true)
    expect(timeLeft.suffices('a', { limitMs: 601 })).toBe(false)
  })

  it('suffices for a trial without a limit if the longest of its lane would end, and may be tried with the first', () => {
    const clock = new SimulatedClock()
    const timeLeft = new TimeLeft(clock, 1_000)
    expect(timeLeft.suffices('a', { cost: 1e9 })).toBe(true)
    timeLeft.learn('a', 300, 10)
    timeLeft.learn('a', 100, 90)
    expect(timeLeft.suffices('a', {})).toBe(true)
    clock.advance(700)
    expect(timeLeft.suffices('a', { cost: 1 })).toBe(true)
    clock.advance(1)
    expect(timeLeft.suffices('a', { cost: 1 })).toBe(false)
    expect(timeLeft.suffices('b', {})).toBe(true)
    expect(timeLeft.took).toEqual([['a', 300]])
  })

  it('is taken to be less than a trial needs that costs more than the longest, in proportion', () => {
    const timeLeft = new TimeLeft(new SimulatedClock(), 1_000)
    timeLeft.learn('a', 300, 10)
    expect(timeLeft.suffices('a', { cost: 33 })).toBe(true)
    expect(timeLeft.suffices('a', { cost: 34 })).toBe(false)
    // A cost of nothing tells nothing.
    timeLeft.learn('b', 300, 0)
    expect(timeLeft.suffices('b', { cost: 34 })).toBe(true)
  })

  it('does not depend on what the wall clock says', () => {
    const clock = new SimulatedClock()
    const jumping = { ...clock, now: () => 1e15, monotonic: () => clock.monotonic(), after: () => () => {} }
    const timeLeft = new TimeLeft(jumping, 1_000)
    expect(timeLeft.leftMs).toBe(1_000)
  })

  it('is without end for a worker that nobody limits, and once it is up nothing begins', () => {
    const clock = new SimulatedClock()
    const free = new TimeLeft(clock, undefined)
    free.learn('a', 1e12, 1)
    expect([free.leftMs, free.suffices('a', { limitMs: 1e12 })]).toEqual([undefined, true])
    const short = new TimeLeft(clock, 10)
    clock.advance(10)
    expect([short.leftMs, short.suffices('unknown', {})]).toEqual([0, false])
  })
})

describe('a worker that waits for trials', () => {
  it('ends, and says why, once nothing has run for as long as it waits', () => {
    const clock = new SimulatedClock()
    const said: string[] = []
    const idle = IdleTimeout.watch({ idleTimeoutMs: 60_000, clock, say: (line) => said.push(line) }, () =>
      said.push('end'),
    )!
    clock.advance(59_000)
    idle.see(1)
    clock.advance(500_000)
    idle.see(2)
    idle.see(1)
    idle.see(0)
    clock.advance(59_999)
    expect(said).toEqual([])
    clock.advance(1)
    expect(said).toEqual(['no trial has come for 1 min 00 s: this worker ends (--idle-timeout)', 'end'])
  })
})

describe('a worker whose server is away', () => {
  it('gives it up after so long in one go, and not for being away now and then', () => {
    const clock = new SimulatedClock()
    const patience = new ServerPatience(clock, 1_000)
    for (let i = 0; i < 5; i++) {
      patience.away()
      clock.advance(900)
      patience.back()
    }
    patience.away()
    clock.advance(900)
    // Told again, since each of several servers was tried.
    patience.away()
    expect(patience.lost.aborted).toBe(false)
    clock.advance(100)
    expect(patience.lost.aborted).toBe(true)
  })

  it('waits for ever unless told otherwise', () => {
    const clock = new SimulatedClock()
    const patience = new ServerPatience(clock, Infinity)
    patience.away()
    clock.advance(1e12)
    expect(patience.lost.aborted).toBe(false)
  })
})
