import { copyFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { Random } from '../../../src/core/seed.js'
import type { Assignment, Outcome } from '../../../src/core/trial.js'
import { planSearch } from '../../../src/sweeps/searching/plan-search.js'
import { recompute } from '../../../src/sweeps/searching/recompute.js'
import { learningSamplers, type LearningSampler } from '../../../src/sweeps/spec/learning.js'
import type { SweepSpec } from '../../../src/sweeps/spec/spec.js'
import type { SimulatedAttempt } from '../../../src/worker/simulated.js'
import { plainExperiment } from '../../helpers/experiments.js'
import { fingerprint, learning, openSearchLab, searchSpec } from '../../helpers/search-lab.js'

/** The loss has a valley at width 60, speed falls with the width; some fail, some diverge, some lose their first worker. */
function tradeOff({ trial, attempt }: Assignment): SimulatedAttempt {
  const random = new Random(1, trial.id)
  const [durationMs, chance] = [1 + Math.floor(1000 * -Math.log(1 - random.uniform())), random.uniform()]
  const width = Number(trial.params['width'] ?? 1)
  const loss = Math.abs(Math.log(width / 60)) + 0.01 * trial.seeds.init
  const metrics = { 'train/loss': loss, speed: 100 / width, memoryMb: 2 * width }
  const end: Outcome =
    chance < 0.1
      ? { state: 'failed', error: { name: 'Error', message: `odd ${trial.id}` } }
      : chance < 0.2
        ? { state: 'diverged', metric: 'train/loss', metrics: { 'train/loss': NaN }, artifacts: {} }
        : { state: 'finished', metrics, artifacts: {} }
  const isLost = attempt === 1 && chance > 0.9
  return { reports: [{ afterMs: 1, step: 1, metrics }], endAfterMs: durationMs, end: isLost ? 'lost' : end }
}

const kinds: Record<string, { samplers: readonly LearningSampler[]; more: Partial<SweepSpec> }> = {
  'several objectives and a constraint': {
    samplers: learningSamplers.filter((name) => name !== 'cma-es'),
    more: {
      objective: { metric: 'train/loss', direction: 'minimize', also: [{ metric: 'speed', direction: 'maximize' }] },
      constraints: [{ metric: 'memoryMb', max: 500 }],
    },
  },
  'fresh seeds that confirm its best': { samplers: learningSamplers, more: { confirm: { seeds: 2, after: 1 } } },
}
const cases = Object.entries(kinds).flatMap(([kind, { samplers, more }]) =>
  samplers.map((sampler) => ({ kind, sampler, more })),
)

it.each(cases)(
  'a search by $sampler with $kind has the same table on 1, 2 and 8 workers, whichever event of its journal it was killed after',
  { timeout: 3_600_000 },
  async ({ sampler, more }) => {
    // Beyond the ten that have no model, and beyond one generation of cma-es.
    const spec = searchSpec({ sampler, count: 18, learning: { ...learning, parallel: 3 } }, { seeds: [0, 1], ...more })
    const whole = await openSearchLab(plainExperiment(), spec)
    await whole.run({ model: tradeOff, workers: 1 })
    const table = whole.table()
    let kills = 0
    for (const workers of [1, 2, 8]) {
      const undisturbed = await openSearchLab(plainExperiment(), spec)
      await undisturbed.run({ model: tradeOff, workers })
      expect(undisturbed.table()).toBe(table)
      for (let kept = 1; kept < undisturbed.journal().length; kept++) {
        const lab = await openSearchLab(plainExperiment(), spec)
        copyFileSync(undisturbed.file, lab.file)
        lab.keep(kept)
        await lab.run({ model: tradeOff, workers: 1 + (kept % 8) })
        expect(lab.table(), `killed after event ${kept} of ${workers} workers`).toBe(table)
        kills++
      }
      const made = [plainExperiment(), spec, fingerprint] as const
      const again = await recompute(await planSearch(...made), undisturbed.journal(), ...made)
      expect(again).toEqual({ settings: 18, others: [], next: 'none' })
    }
    expect(kills).toBeGreaterThan(300)
  },
)
