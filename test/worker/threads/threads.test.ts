import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import { openData } from '../../../src/data/catalog.js'
import { openStore } from '../../../src/system/store.js'
import { ThreadsBackend, type ThreadsOptions } from '../../../src/worker/threads/threads.js'
import { backendSuite, copiesSuite, Listener, toyAssignment } from '../../conformance/backend.js'
import { toyCustom } from '../../helpers/custom-modules.js'

const folder = mkdtempSync(join(tmpdir(), 'mlds-threads-'))
afterAll(() => rmSync(folder, { recursive: true }))

const open = async (
  workers: number,
  relayed = false,
  shared: Partial<Pick<ThreadsOptions, 'shares' | 'gpus' | 'heapMb'>> = {},
): Promise<ThreadsBackend> =>
  new ThreadsBackend({
    heapMb: 64,
    ...shared,
    relayed,
    workers,
    clock: systemClock,
    storeFolder: join(folder, 'store'),
    logsFolder: join(folder, 'logs'),
    checkpointsFolder: join(folder, 'checkpoints'),
    datasets: [await openData(openStore(join(folder, 'store'))).load('glyphs-20')],
    custom: [toyCustom],
  })

backendSuite('threads', open, { survivesCrashes: true })
copiesSuite('threads', () => open(2))

describe('the threads backend', () => {
  it.each([false, true])(
    'gives the log of a trial with its end, or keeps it in a file (told elsewhere: %s)',
    async (relayed) => {
      const backend = await open(1, relayed)
      try {
        const listener = new Listener(backend)
        const assignment = toyAssignment({ behaviour: 'fail' }, { attempt: 2 })
        await backend.start(assignment)
        const ended = await listener.until((event) => event.type === 'ended')
        const file = join(folder, 'logs', `${assignment.trial.id}.2.log`)
        const told = ended.type === 'ended' ? ended.log : undefined
        // Which of the two depends on how long the trial took.
        expect(existsSync(file)).toBe(told === undefined)
        const log = told ?? readFileSync(file, 'utf8')
        expect(log).toContain('behaving: fail')
        expect(log).toMatch(/failed: Error: it was asked to fail\n\s+at /)
      } finally {
        await backend.close()
      }
    },
  )

  it.each(['wait', 'spin'])(
    'ends a trial at its time limit, and goes on: one that would %s for ever',
    async (behaviour) => {
      const backend = await open(1)
      try {
        const listener = new Listener(backend)
        const [late, next] = [toyAssignment({ behaviour }), toyAssignment({})]
        await backend.start({ ...late, timeLimitMs: 50 })
        await listener.untilEnded([late.trial.id])
        expect(listener.of(late.trial.id).at(-1)).toMatchObject({
          type: 'ended',
          outcome: { state: 'failed', error: { message: 'the trial took longer than its limit: 50 ms' } },
        })
        await backend.start({ ...next, timeLimitMs: 60_000 })
        await listener.untilEnded([next.trial.id])
        expect(listener.of(next.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
      } finally {
        await backend.close()
      }
    },
  )

  it.each([
    ['a device each', 1, ['5', '7'], [5, 7], 1],
    ['one that two share', 0.5, ['7'], [7, 7], 1],
    ['none, where they ask for none', 0, ['5', '7'], [-1, -1], 1],
  ])('gives two trials a slot each and %s', async (_how, gpu, gpus, expected, devices) => {
    const backend = await open(2, false, { shares: { gpu, memoryGb: 0 }, gpus })
    try {
      const listener = new Listener(backend)
      const seen = async (): Promise<object[]> => {
        const assignments = [0, 1].map(() => toyAssignment({ behaviour: 'place' }))
        for (const assignment of assignments) await backend.start(assignment)
        const found: Record<string, number>[] = []
        while (found.length < 2) {
          const event = await listener.until(({ type }) => type === 'report')
          if (event.type === 'report' && event.step === 1) found.push(event.metrics)
        }
        for (const { trial } of assignments) await backend.stop(trial.id, 'seen enough')
        await listener.untilEnded(assignments.map(({ trial }) => trial.id))
        return found.sort((a, b) => a['slot']! - b['slot']!)
      }
      const places = expected.map((first, slot) => ({ slot, first, devices }))
      // And again once those have ended.
      for (let i = 0; i < 2; i++) expect(await seen()).toEqual(places)
    } finally {
      await backend.close()
    }
  })

  it('lets no trial wait for threads that can not start', async () => {
    const backend = await open(2, false, { heapMb: 4 })
    try {
      const listener = new Listener(backend)
      const assignments = [0, 1, 2].map(() => toyAssignment({}))
      for (const attempt of [1, 2]) {
        for (const assignment of assignments) await backend.start({ ...assignment, attempt })
        await listener.untilEnded(assignments.map(({ trial }) => trial.id))
      }
      const ends = listener.seen.map((event) => (event.type === 'lost' ? event.reason : event.type))
      expect(ends).toEqual(
        Array(6).fill(expect.stringMatching(/^(?:its thread ended|no thread could start for it): .*memory/)),
      )
    } finally {
      await backend.close()
    }
  })

  it('leaves no thread behind when it is closed', async () => {
    const ports = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort').length
    const before = ports()
    const backend = await open(2)
    await backend.start(toyAssignment({ behaviour: 'wait' }))
    await new Listener(backend).until((event) => event.type === 'report')
    await backend.close()
    await expect.poll(ports).toBeLessThanOrEqual(before)
  })
})
