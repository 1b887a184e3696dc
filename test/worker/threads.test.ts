import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { ThreadsBackend } from '../../src/worker/threads.js'
import { backendSuite, Listener, toyAssignment } from '../conformance/backend.js'

const folder = mkdtempSync(join(tmpdir(), 'mlds-threads-'))
afterAll(() => rmSync(folder, { recursive: true }))

const open = async (workers: number, logInMemoryMs = 0): Promise<ThreadsBackend> =>
  new ThreadsBackend({
    logInMemoryMs,
    workers,
    clock: systemClock,
    heapMb: 64,
    storeFolder: join(folder, 'store'),
    logsFolder: join(folder, 'logs'),
    datasets: [],
    experimentModules: [new URL('../fixtures/toy-experiment.mjs', import.meta.url).href],
  })

backendSuite('threads', open, { survivesCrashes: true })

describe('the threads backend', () => {
  it('keeps one log file per trial and attempt, with what the trial said and how it failed', async () => {
    const backend = await open(1)
    try {
      const listener = new Listener(backend)
      const assignment = toyAssignment({ behaviour: 'fail' }, { attempt: 2 })
      await backend.start(assignment)
      await listener.untilEnded([assignment.trial.id])
      const log = readFileSync(join(folder, 'logs', `${assignment.trial.id}.2.log`), 'utf8')
      expect(log).toContain('behaving: fail')
      expect(log).toMatch(/failed: Error: it was asked to fail\n\s+at /)
    } finally {
      await backend.close()
    }
  })

  it('hands over the log of a short trial with its outcome when logs may stay in memory', async () => {
    const backend = await open(1, 600_000)
    try {
      const listener = new Listener(backend)
      const assignment = toyAssignment({ behaviour: 'fail' }, { attempt: 3 })
      await backend.start(assignment)
      const ended = await listener.until((event) => event.type === 'ended')
      const log = ended.type === 'ended' ? ended.log : undefined
      expect(log).toContain('behaving: fail')
      expect(log).toContain('failed: Error: it was asked to fail')
      expect(existsSync(join(folder, 'logs', `${assignment.trial.id}.3.log`))).toBe(false)
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
