import { describe, expect, it } from 'vitest'
import { QueueHealth, type QueueSnapshot } from '../../../../src/worker/remote/orchestrator/queue-health.js'

const calm: QueueSnapshot = {
  atMs: 0,
  held: new Set(['a', 'b']),
  pending: 1,
  outstanding: 1,
  delivered: 5,
  freeSlots: 0,
}

describe('the health of a queue', () => {
  it('finds nothing wrong while trials are delivered', () => {
    const health = new QueueHealth()
    for (let delivered = 5; delivered < 10; delivered++)
      expect(health.judge({ ...calm, delivered, freeSlots: 4 }, ['a', 'b'])).toEqual({
        gone: [],
        orphaned: [],
        stalled: false,
      })
  })

  it('calls gone what is missing twice in a row, not what had just ended', () => {
    const health = new QueueHealth()
    expect(health.judge({ ...calm, held: new Set(['a']) }, ['a', 'b', 'c']).gone).toEqual([])
    // b had ended meanwhile; c is still waited for.
    expect(health.judge({ ...calm, held: new Set(['a']) }, ['a', 'c', 'd']).gone).toEqual(['c'])
    expect(health.judge({ ...calm, held: new Set(['a', 'c']) }, ['a', 'c', 'd']).gone).toEqual(['d'])
  })

  it('calls orphaned what lies in a queue that has nothing to deliver and waits for no answer', () => {
    const health = new QueueHealth()
    const quiet = { ...calm, pending: 0, outstanding: 0 }
    expect(health.judge(quiet, ['a', 'b']).orphaned).toEqual([])
    expect(health.judge({ ...quiet, held: new Set(['b']) }, ['b']).orphaned).toEqual(['b'])
    // A worker that has one makes the rest a matter of waiting.
    expect(health.judge({ ...quiet, outstanding: 1 }, ['b']).orphaned).toEqual([])
  })

  it('calls a queue stalled when slots are free for two leases and nothing is delivered, and then looks anew', () => {
    const health = new QueueHealth()
    const idle = { ...calm, freeSlots: 2 }
    expect([1, 2, 3, 4].map(() => health.judge(idle, ['a', 'b']).stalled)).toEqual([false, false, true, false])
    expect(health.judge({ ...idle, freeSlots: 0 }, ['a', 'b']).stalled).toBe(false)
  })

  it('tells since when nothing was delivered, so that older words of free slots are not believed', () => {
    const health = new QueueHealth()
    const since = (atMs: number, delivered: number): number => {
      health.judge({ ...calm, atMs, delivered }, ['a', 'b'])
      return health.quietSinceMs
    }
    expect([since(10, 5), since(20, 5), since(30, 6), since(40, 6)]).toEqual([10, 10, 30, 30])
  })
})
