import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import type { Assignment, Outcome } from '../../../src/core/trial.js'
import { openData } from '../../../src/data/catalog.js'
import { processList } from '../../../src/system/process-list.js'
import { openStore } from '../../../src/system/store.js'
import { ThreadsBackend } from '../../../src/worker/threads/threads.js'
import { Listener, toyAssignment } from '../../conformance/backend.js'
import { toyCustom } from '../../helpers/custom-modules.js'

const folder = mkdtempSync(join(tmpdir(), 'mlds-isolated-'))
afterAll(() => rmSync(folder, { recursive: true }))

const open = async (): Promise<ThreadsBackend> =>
  new ThreadsBackend({
    isolated: true,
    workers: 4,
    clock: systemClock,
    storeFolder: join(folder, 'store'),
    logsFolder: join(folder, 'logs'),
    checkpointsFolder: join(folder, 'checkpoints'),
    datasets: [await openData(openStore(join(folder, 'store'))).load('glyphs-20')],
    custom: [toyCustom],
  })

const isolated = (...given: Parameters<typeof toyAssignment>): Assignment => ({
  ...toyAssignment(...given),
  isolate: true,
})
const childrenOf = (pid: number): number =>
  processList()
    .list()
    .filter(({ parent }) => parent === pid).length

describe('isolated trials', () => {
  it('run in processes of their own, so that what one takes and how it ends costs no other', async () => {
    const backend = await open()
    const listener = new Listener(backend)
    const endOf = ({ trial }: Assignment) => listener.of(trial.id).at(-1)!
    const outcomeOf = (assignment: Assignment): Partial<Outcome> => {
      const end = endOf(assignment)
      return end.type === 'ended' ? end.outcome : {}
    }
    try {
      const threaded = toyAssignment({ init: 1 }, { init: 7 })
      const same = { ...isolated({ init: 1 }, { init: 7 }), timeLimitMs: 2 ** 31 - 1 }
      const crash = isolated({ behaviour: 'crash' })
      const hoard = { ...isolated({ behaviour: 'hoard' }), memoryGb: 0.5 }
      const reader = isolated({ behaviour: 'glyphs' }, { reads: ['glyphs-20'] })
      for (const assignment of [hoard, same, crash, reader]) await backend.start(assignment)
      await listener.untilEnded([same, crash, reader].map(({ trial }) => trial.id))
      expect(endOf(crash)).toMatchObject({ type: 'lost', reason: 'its process ended by SIGSEGV' })
      expect(outcomeOf(reader)).toMatchObject({ metrics: { rows: 20 } })

      const late = { ...isolated({ behaviour: 'spin' }), timeLimitMs: 50 }
      const stopped = isolated({ behaviour: 'wait' }, { interactive: true })
      for (const assignment of [threaded, late, stopped]) await backend.start(assignment)
      await listener.until((event) => event.type === 'report' && event.trial === stopped.trial.id)
      backend.proceed(stopped.trial.id)
      await listener.until((event) => event.type === 'report' && event.trial === stopped.trial.id)
      await backend.stop(stopped.trial.id, 'seen enough')
      const open = [threaded, late, stopped, hoard].filter((one) => !['ended', 'lost'].includes(endOf(one)?.type))
      await listener.untilEnded(open.map(({ trial }) => trial.id))
      expect(outcomeOf(same)).toEqual(outcomeOf(threaded))
      const usage = { peakBytes: expect.any(Number) as number, cpuShare: expect.any(Number) as number }
      expect(endOf(same)).toMatchObject({ usage })
      // It shares its process with others.
      expect(endOf(threaded)).not.toHaveProperty('usage')
      const message = 'the trial took longer than its limit: 50 ms'
      expect(outcomeOf(late)).toMatchObject({ state: 'failed', error: { message } })
      expect(outcomeOf(stopped)).toMatchObject({ state: 'stopped', reason: 'seen enough' })
      expect(outcomeOf(hoard)).toMatchObject({
        state: 'failed',
        error: { message: expect.stringMatching(/^the trial took more memory than its limit: \d/) as string },
      })
    } finally {
      await backend.close()
    }
  })

  it('leave no process behind when their backend is closed', async () => {
    const before = childrenOf(process.pid)
    const backend = await open()
    await backend.start(isolated({ behaviour: 'wait' }))
    await new Listener(backend).until((event) => event.type === 'report')
    await backend.close()
    expect(childrenOf(process.pid)).toBe(before)
  })
})
