import { describe, expect, it } from 'vitest'
import { SimulatedClock } from '../../src/core/clock.js'
import { retry, wait, type RetryOptions } from '../../src/system/retry.js'

/** Lets what was resolved run on. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

/** Something that fails with these errors, one a try, and then succeeds; on a clock that the test moves. */
function failing(errors: readonly string[], options: Partial<RetryOptions> = {}) {
  const clock = new SimulatedClock()
  const tries: number[] = []
  const said: string[] = []
  const result = retry(
    () => {
      tries.push(clock.now())
      const error = errors[tries.length - 1]
      return error === undefined ? Promise.resolve('done') : Promise.reject(new Error(error))
    },
    {
      clock,
      mayPass: (error) => (error as Error).message !== 'lasting',
      pauseMs: (failures) => 100 * failures,
      say: ({ message }) => said.push(message),
      ...options,
    },
  ).catch((error: Error) => `thrown: ${error.message}`)
  const pass = async (ms: number): Promise<void> => {
    await settled()
    clock.advance(ms)
    await settled()
  }
  return { tries, said, result, pass }
}

describe('a retry', () => {
  it('repeats what may pass, after the pause that its number has, and says each failure that it repeats', async () => {
    const { tries, said, result, pass } = failing(['a', 'b'])
    await pass(99)
    expect(tries).toEqual([0])
    await pass(1)
    await pass(200)
    expect(await result).toBe('done')
    expect(tries).toEqual([0, 100, 300])
    expect(said).toEqual(['a', 'b'])
  })

  it('throws at once what will not pass, and says nothing of it', async () => {
    const { tries, said, result } = failing(['lasting'])
    expect(await result).toBe('thrown: lasting')
    expect([tries, said]).toEqual([[0], []])
  })

  it('throws the last failure when as many came as are allowed', async () => {
    const { said, result, pass } = failing(['a', 'b', 'c'], { maxFailures: 2 })
    await pass(100)
    expect(await result).toBe('thrown: b')
    expect(said).toEqual(['a'])
  })

  it('ends in the midst of a pause when its signal aborts, and tries no more', async () => {
    const stop = new AbortController()
    const { tries, result, pass } = failing(['a'], { signal: stop.signal })
    await pass(50)
    stop.abort()
    expect(await result).toBe('thrown: a')
    expect(tries).toEqual([0])
  })
})

describe('a wait', () => {
  it('ends with its time or with its signal, whichever comes first, and leaves no timer', async () => {
    const clock = new SimulatedClock()
    const waited = wait(clock, 10)
    clock.advance(10)
    await waited
    const stop = new AbortController()
    const cut = wait(clock, 10, stop.signal)
    stop.abort()
    await cut
    await wait(clock, 10, stop.signal)
    expect(clock.advanceToNext()).toBe(false)
  })
})
