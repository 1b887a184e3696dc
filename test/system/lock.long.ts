import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../helpers/cli.js'
import { raceForDeadLocks } from '../helpers/lock-holder.js'

describe('a dead lock', () => {
  it('has one next holder in each of 1,500 rounds of four processes', async () => {
    const winners = await raceForDeadLocks(temporaryFolder(), 1500)
    expect(winners.filter((count) => count !== 1)).toEqual([])
  })
})
