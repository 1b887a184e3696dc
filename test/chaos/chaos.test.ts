import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasNats } from '../helpers/nats.js'
import { runChaos, undisturbed } from './chaos.js'

describe.skipIf(!hasNats)('a sweep whose processes are killed', () => {
  it('has every result once and the same numbers as undisturbed, and its poison is dead', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mlds-chaos-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const shape = { trials: 60, ms: 60 }
    const expected = await undisturbed(shape, join(folder, 'undisturbed'))
    const report = await runChaos(
      {
        ...shape,
        folder: join(folder, 'run'),
        workers: 2,
        slots: 3,
        kills: { worker: 2, orchestrator: 1, server: 1 },
        accounts: true,
        seed: 1,
        say: () => {},
      },
      expected,
    )
    expect(report).toMatchObject({
      planned: 61,
      ended: { finished: 60, dead: 1 },
      committedTwice: 0,
      results: 61,
      poison: { state: 'dead', executions: 3 },
      differing: [],
      kills: { worker: 2, orchestrator: 1, server: 1 },
    })
  })
})
