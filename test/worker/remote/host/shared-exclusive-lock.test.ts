import { describe, expect, it } from 'vitest'
import { Turnstile } from '../../../../src/worker/remote/host/shared-exclusive-lock.js'

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

describe('the turnstile', () => {
  it('lets many in side by side', async () => {
    const turnstile = new Turnstile()
    await Promise.all([turnstile.enter(false), turnstile.enter(false), turnstile.enter(false)])
    expect(turnstile.closed).toBe(false)
  })

  it('lets one be alone when those before it have left, and those after it wait', async () => {
    const turnstile = new Turnstile()
    const course: string[] = []
    const enter = async (name: string, alone: boolean): Promise<() => void> => {
      const leave = await turnstile.enter(alone)
      course.push(`${name} enters`)
      return () => {
        course.push(`${name} leaves`)
        leave()
      }
    }
    const first = await enter('first', false)
    const alone = [enter('alone', true), enter('alone too', true)]
    const last = enter('last', false)
    await settled()
    expect(turnstile.closed).toBe(true)
    first()
    ;(await alone[0]!)()
    ;(await alone[1]!)()
    ;(await last)()
    expect(course).toEqual(
      ['first', 'alone', 'alone too', 'last'].flatMap((name) => [`${name} enters`, `${name} leaves`]),
    )
    expect(turnstile.closed).toBe(false)
    await turnstile.opened()
  })
})
