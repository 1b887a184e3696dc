import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/core/seed.js'
import type { Assignment, Outcome } from '../../../src/core/trial.js'
import { rankingOf } from '../../../src/core/ranking.js'
import { sweepObjective } from '../../../src/core/objective.js'
import { recompute } from '../../../src/sweeps/searching/recompute.js'
import { suggestionsOf } from '../../../src/sweeps/searching/replay.js'
import { planSearch } from '../../../src/sweeps/searching/plan-search.js'
import { sweepIdOf } from '../../../src/sweeps/plan.js'
import { formatOf } from '../../../src/sweeps/stored-plan.js'
import { parseSweepObject, type SweepSpec } from '../../../src/sweeps/spec/spec.js'
import type { SimulatedAttempt } from '../../../src/worker/simulated.js'
import { plainExperiment } from '../../helpers/experiments.js'
import { fingerprint, openSearchLab, searchSpec } from '../../helpers/search-lab.js'

/** The loss falls with the width and the speed too; memory grows. Some fail, some diverge, some lose their first worker. */
function tradeOff({ trial, attempt }: Assignment): SimulatedAttempt {
  const random = new Random(1, trial.id)
  const [durationMs, chance] = [1 + Math.floor(1000 * -Math.log(1 - random.uniform())), random.uniform()]
  const width = Number(trial.params['width'] ?? 1)
  const metrics = { 'train/loss': 1 / width + 0.001 * trial.seeds.init, speed: 100 / width, memoryMb: 2 * width }
  const end: Outcome =
    chance < 0.1
      ? { state: 'failed', error: { name: 'Error', message: `odd ${trial.id}` } }
      : chance < 0.2
        ? { state: 'diverged', metric: 'speed', metrics: { ...metrics, speed: NaN }, artifacts: {} }
        : { state: 'finished', metrics, artifacts: {} }
  const isLost = attempt === 1 && chance > 0.9
  return { reports: [{ afterMs: 1, step: 1, metrics }], endAfterMs: durationMs, end: isLost ? 'lost' : end }
}

const several: Partial<SweepSpec> = {
  seeds: [0, 1],
  objective: { metric: 'train/loss', direction: 'minimize', also: [{ metric: 'speed', direction: 'maximize' }] },
  constraints: [{ metric: 'memoryMb', max: 500 }],
}
/** More than one generation of nsga2. */
const countOf = (sampler: string): number => (sampler === 'nsga2' ? 60 : 24)
const specFor = (sampler: string, more: Partial<SweepSpec> = {}): SweepSpec =>
  searchSpec({ sampler, count: countOf(sampler) }, { ...several, ...more })
const made = (spec: SweepSpec) => [plainExperiment(), spec, fingerprint] as const

describe.each(['tpe', 'nsga2', 'gp', 'auto'])('a search by %s with several objectives and a constraint', (sampler) => {
  const spec = specFor(sampler)

  it('has the same table on 1, 2 and 8 workers and after a kill, and can be recomputed', async () => {
    const tables = new Set<string>()
    for (const workers of [1, 2, 8]) {
      const lab = await openSearchLab(plainExperiment(), spec)
      expect(await lab.run({ model: tradeOff, workers })).toEqual({})
      tables.add(lab.table())
      for (const kept of [workers * 9, workers * 17]) {
        lab.keep(kept)
        await lab.run({ model: tradeOff, workers: 9 - workers })
        tables.add(lab.table())
      }
      expect(await recompute(await planSearch(...made(spec)), lab.journal(), ...made(spec))).toEqual({
        ...{ settings: countOf(sampler), others: [], next: 'none' },
      })
      const rules = suggestionsOf({}, lab.journal()).map(({ rule }) => rule)
      expect(rules.some((rule) => rule !== 'random')).toBe(true)
      const ranking = rankingOf(lab.state.trials.values(), sweepObjective(spec, plainExperiment()))
      const front = ranking.front()
      expect(front.length).toBeGreaterThan(2)
      for (const { params } of front) expect(Number(params['width'])).toBeLessThanOrEqual(250)
    }
    expect(tables.size).toBe(1)
  })

  it.each([
    ['a constraint that nothing keeps', { constraints: [{ metric: 'memoryMb', max: -1 }] }],
    ['a constraint on what no trial reports', { constraints: [{ metric: 'nothing', min: 0 }] }],
    ['one objective and a constraint', { objective: { metric: 'speed', direction: 'maximize' as const } }],
  ])('comes to its end with %s', async (_, more) => {
    const lab = await openSearchLab(plainExperiment(), specFor(sampler, more))
    expect(await lab.run({ model: tradeOff, workers: 3 })).toEqual({})
    expect(lab.state.counts()).toMatchObject({ planned: 2 * countOf(sampler), missing: 0 })
  })

  it('comes to its end where every trial fails or diverges, and where there is one point', async () => {
    const diverging = (): SimulatedAttempt => ({
      reports: [],
      endAfterMs: 1,
      end: { state: 'diverged', metric: 'speed', metrics: { speed: NaN }, artifacts: {} },
    })
    const lab = await openSearchLab(plainExperiment(), spec)
    expect(await lab.run({ model: diverging, workers: 3 })).toEqual({})
    const axes = { width: { kind: 'choice' as const, values: [8] } }
    const single = await openSearchLab(plainExperiment(), searchSpec({ sampler, count: 5, axes }, several))
    expect(await single.run({ model: tradeOff, workers: 3 })).toEqual({})
    expect(single.state.counts()).toMatchObject({ planned: 2 })
  })
})

describe('several objectives', () => {
  it('and constraints lead a search to where the constraints are kept', async () => {
    const shareOf = async (constraints: SweepSpec['constraints']): Promise<number> => {
      const spec = searchSpec({ sampler: 'tpe', count: 40 }, { seeds: [0, 1], ...(constraints && { constraints }) })
      const lab = await openSearchLab(plainExperiment(), spec)
      await lab.run({ model: tradeOff, workers: 1 })
      const widths = [...lab.state.trials.values()].map(({ trial }) => Number(trial.params['width']))
      return widths.slice(-40).filter((width) => width <= 20).length
    }
    const [bounded, free] = [await shareOf([{ metric: 'memoryMb', max: 40 }]), await shareOf(undefined)]
    expect(bounded).toBeGreaterThan(2 * free + 4)
  })

  it('are refused by a sampler that takes one, in a sentence', async () => {
    await expect(planSearch(...made(specFor('cma-es')))).rejects.toThrow(
      'cma-es: 2 objectives (it takes one: use nsga2 or tpe)',
    )
  })

  it('and constraints are part of what the search is, and of its id', async () => {
    const specs = [
      specFor('tpe'),
      specFor('tpe', { constraints: [{ metric: 'memoryMb', max: 400 }] }),
      specFor('tpe', { objective: { metric: 'train/loss', direction: 'minimize' } }),
    ]
    const plans = await Promise.all(specs.map((spec) => planSearch(...made(spec))))
    expect(new Set(plans.map(sweepIdOf)).size).toBe(3)
    // An mlds that knows of one objective alone would go on with another search.
    expect(plans.map(formatOf)).toEqual([4, 4, 4])
    expect(formatOf(await planSearch(...made(searchSpec({}))))).toBe(3)
  })

  const loss = { metric: 'loss' }
  it.each([
    [{ objective: [] }, /objective: an empty list/],
    [{ objective: [loss, loss] }, /objective: loss is there twice/],
    [{ objective: [loss, 'size'] }, /objective: "size" is not a mapping/],
    [{ objective: 'abcdefg'.split('').map((metric) => ({ metric })) }, /objective: 7 objectives \(at most 6/],
    [{ constraints: {} }, /constraints: none is named \(such as/],
    [{ constraints: { memoryMb: 500 } }, /constraints: memoryMb: 500 is no bound/],
    [{ constraints: { memoryMb: {} } }, /constraints: memoryMb: {} is no bound/],
    [{ constraints: { memoryMb: { maximum: 5 } } }, /unknown bound of memoryMb: maximum/],
    [{ constraints: { memoryMb: { max: '5x' } } }, /memoryMb: max: "5x" is not a number/],
    [{ constraints: { memoryMb: { min: 5, max: 4 } } }, /min 5 is above max 4/],
  ])('are refused in a sentence where a file says %j', (part, message) => {
    expect(() => parseSweepObject({ experiment: 'params', ...part })).toThrow(message)
  })
})
