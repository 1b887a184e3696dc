import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasNats } from '../helpers/nats.js'
import { runChaos, undisturbed } from './chaos.js'

/** Runs with other kills each, and trials of each (MLDS_CHAOS_RUNS, default 20; MLDS_CHAOS_TRIALS, default 300). */
const runs = Number(process.env['MLDS_CHAOS_RUNS'] ?? 20)
const shape = { trials: Number(process.env['MLDS_CHAOS_TRIALS'] ?? 300), ms: 200 }
const kills = { worker: 6, orchestrator: 2, server: 1 }

describe.skipIf(!hasNats)(`a sweep of ${shape.trials} trials whose processes are killed nine times`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-chaos-'))
  let expected: Map<number, string>
  beforeAll(async () => void (expected = await undisturbed(shape, join(folder, 'undisturbed'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each(Array.from({ length: runs }, (_, seed) => seed))(
    'has every result once and the same numbers as undisturbed (kills of seed %i)',
    async (seed) => {
      const here = join(folder, `run-${seed}`)
      const report = await runChaos(
        { ...shape, folder: here, workers: 3, slots: 4, kills, accounts: true, seed, say: () => {} },
        expected,
      )
      expect(report).toMatchObject({
        planned: shape.trials + 1,
        ended: { finished: shape.trials, dead: 1 },
        committedTwice: 0,
        results: shape.trials + 1,
        poison: { state: 'dead' },
        differing: [],
        kills,
      })
      // Each kill of a worker meets trials that have kept one.
      expect(report.resumed).toBeGreaterThan(0)
      rmSync(here, { recursive: true })
    },
  )
})
