import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import { openData } from '../../../src/data/catalog.js'
import { openStore } from '../../../src/system/store.js'
import { ThreadsBackend } from '../../../src/worker/threads/threads.js'
import { backendSuite, Listener, toyAssignment } from '../../conformance/backend.js'
import { toyCustom } from '../../helpers/custom-modules.js'

const folder = mkdtempSync(join(tmpdir(), 'mlds-threads-'))
afterAll(() => rmSync(folder, { recursive: true }))

const open = async (workers: number, relayed = false): Promise<ThreadsBackend> =>
  new ThreadsBackend({
    relayed,
    workers,
    clock: systemClock,
    heapMb: 64,
    storeFolder: join(folder, 'store'),
    logsFolder: join(folder, 'logs'),
    datasets: [await openData(openStore(join(folder, 'store'))).load('glyphs-20')],
    custom: [toyCustom],
  })

backendSuite('threads', open, { survivesCrashes: true })

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
