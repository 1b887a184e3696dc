import { describe, expect, it } from 'vitest'
import { SharedExclusiveLock } from '../../../../src/worker/remote/host/shared-exclusive-lock.js'

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

describe('the lock that is shared or held alone', () => {
  it('lets many in side by side', async () => {
    const lock = new SharedExclusiveLock()
    await Promise.all([lock.enter(false), lock.enter(false), lock.enter(false)])
    expect(lock.closed).toBe(false)
  })

  it('lets one be alone when those before it have left, and those after it wait', async () => {
    const lock = new SharedExclusiveLock()
    const course: string[] = []
    const enter = async (name: string, alone: boolean): Promise<() => void> => {
      const leave = await lock.enter(alone)
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
    expect(lock.closed).toBe(true)
    first()
    ;(await alone[0]!)()
    ;(await alone[1]!)()
    ;(await last)()
    expect(course).toEqual(
      ['first', 'alone', 'alone too', 'last'].flatMap((name) => [`${name} enters`, `${name} leaves`]),
    )
    expect(lock.closed).toBe(false)
    await lock.opened()
  })
})
