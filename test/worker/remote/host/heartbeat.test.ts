import { describe, expect, it } from 'vitest'
import { SimulatedClock, type Clock } from '../../../../src/core/clock.js'
import { Heartbeat } from '../../../../src/worker/remote/host/heartbeat.js'

const leaseMs = 3_000

/** A heart on a simulated clock, whose host may stand still; what it did, in order. */
function listen(): { told: string[]; pass: (ms: number) => void; standStill: (ms: number) => void; stop: () => void } {
  const simulated = new SimulatedClock()
  let stoodMs = 0
  const clock: Clock = {
    now: () => simulated.now() + stoodMs,
    monotonic: () => simulated.monotonic() + stoodMs,
    after: (delayMs, callback) => simulated.after(delayMs, callback),
  }
  const told: string[] = []
  const heart = new Heartbeat({ working: () => told.push('beat') }, leaseMs, clock, () => told.push('doubt'))
  return {
    told,
    pass: (ms) => simulated.advance(ms),
    standStill: (ms) => (stoodMs += ms),
    stop: () => heart.stop(),
  }
}

describe('the heartbeat of a delivered trial', () => {
  it('says three times a lease that it is still here, without a doubt, until it is stopped', () => {
    const { told, pass, stop } = listen()
    pass(2 * leaseMs)
    expect(told).toEqual(new Array(6).fill('beat'))
    stop()
    pass(2 * leaseMs)
    expect(told).toHaveLength(6)
  })

  it('doubts after a standstill of less than a lease by its own clock: the server counts from an earlier moment', () => {
    const { told, pass, standStill } = listen()
    standStill(leaseMs - 1_100)
    pass(1_000)
    expect(told).toEqual(['doubt', 'beat'])
  })

  it('doubts at the two beats that follow as well, since another worker may begin only then', () => {
    const { told, pass, standStill } = listen()
    standStill(leaseMs)
    pass(5_000)
    expect(told).toEqual(['doubt', 'beat', 'doubt', 'beat', 'doubt', 'beat', 'beat', 'beat'])
  })

  it('does not doubt a beat that is a little late', () => {
    const { told, pass, standStill } = listen()
    standStill(900)
    pass(1_000)
    expect(told).toEqual(['beat'])
  })
})
