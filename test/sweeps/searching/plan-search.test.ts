import { describe, expect, it } from 'vitest'
import type { Experiment } from '../../../src/experiments/experiment.js'
import { makePlan, sweepIdOf } from '../../../src/sweeps/plan.js'
import { planSearch } from '../../../src/sweeps/searching/plan-search.js'
import { parseSweepObject, type SweepSpec } from '../../../src/sweeps/spec/spec.js'
import { plainExperiment, toyExperiment } from '../../helpers/experiments.js'
import { fingerprint, learning, searchSpec as specOf } from '../../helpers/search-lab.js'

const planOf = (spec: SweepSpec, experiment: Experiment = plainExperiment()) =>
  planSearch(experiment, spec, fingerprint)

describe('the plan of a search that learns', () => {
  it('holds the settings that need no result, each with all its seeds and stages', async () => {
    const plan = await planOf(specOf({}, { seeds: [0, 1, 2] }), toyExperiment())
    expect(plan.suggested).toHaveLength(4)
    for (const { trials, values } of plan.suggested!) {
      const own = plan.trials.filter(({ id }) => trials.includes(id))
      const main = own.filter(({ stage }) => stage === 'main')
      expect(main.map(({ params }) => params['width'])).toEqual([values['width'], values['width'], values['width']])
      expect(main.map(({ seeds }) => seeds.init)).toEqual([0, 1, 2])
      // The toy's second stage joins neighbours, at three mixtures: those of one setting, never those of two.
      const line = own.filter(({ stage }) => stage === 'line')
      expect(line).toHaveLength(2 * 3)
      for (const { parents } of line) for (const parent of parents) expect(trials).toContain(parent)
    }
    expect(plan.trials.map(({ index }) => index)).toEqual(plan.trials.map((_, i) => i))
  })

  it('plans a setting as a grid of that one point would be planned: the ids are the same', async () => {
    const plan = await planOf(specOf({}))
    for (const { values, trials } of plan.suggested!) {
      const grid = makePlan(plainExperiment(), { experiment: 'toy', axes: { width: [values['width']] } }, fingerprint)
      expect(grid.trials.map(({ id }) => id)).toEqual(trials)
    }
  })

  it('has its id of the whole search: another count, sampler, objective or parallel is another sweep', async () => {
    const specs = [
      specOf({}),
      specOf({ count: 21 }),
      specOf({ learning: { ...learning, order: 'arrival' } }),
      specOf({ learning: { ...learning, failed: 'ignore' } }),
      specOf({}, { objective: { metric: 'train/loss', direction: 'maximize' } }),
    ]
    const ids = await Promise.all(specs.map(async (spec) => sweepIdOf(await planOf(spec))))
    expect(new Set(ids).size).toBe(ids.length)
    expect(sweepIdOf(await planOf(specs[0]!))).toBe(ids[0])
  })

  it('tries what is enqueued first, in its order', async () => {
    const enqueue = [{ width: 7 }, { width: 1000 }]
    const plan = await planOf(specOf({ learning: { ...learning, enqueue } }))
    expect(plan.suggested!.map(({ rule }) => rule)).toEqual(['enqueued', 'enqueued', 'random', 'random'])
    expect(plan.suggested!.slice(0, 2).map(({ values }) => values)).toEqual(enqueue)
  })

  it.each([
    [[{ width: 2000 }], /width: 2000 is not an integer from 1 to 1000/],
    [[{ width: 7 }, { width: 7 }], /enqueue: {"width":7} is there twice/],
    [Array.from({ length: 21 }, (_, i) => ({ width: i + 1 })), /enqueue: 21 settings, and count is 20/],
  ])('refuses to enqueue %j', async (enqueue, message) => {
    await expect(planOf(specOf({ learning: { ...learning, enqueue } }))).rejects.toThrow(message)
  })

  it('is refused where a setting would be several, with what helps', async () => {
    await expect(planOf(specOf({}, { axes: { rate: [0.1, 0.2] } }))).rejects.toThrow(
      /suggests one setting at a time, and rate has 2 values: 0.1, 0.2 \(.*--set rate=0.1, or average over it: average: rate\)/,
    )
    // Those of the profile too.
    const axes = { rate: { kind: 'uniform' as const, low: 0.1, high: 1 } }
    await expect(planOf(specOf({ axes }))).rejects.toThrow(/width has 3 values: 1, 2, 4/)
  })

  it('leaves out what where and exclude leave out, and ends where nothing else is left', async () => {
    const even = await planOf(specOf({}, { where: ['width % 2 == 0'] }))
    expect(even.suggested!.every(({ values }) => Number(values['width']) % 2 === 0)).toBe(true)
    const axes = { width: { kind: 'int' as const, low: 1, high: 6 } }
    const three = await planOf(
      specOf({ axes, learning: { ...learning, parallel: 6 } }, { exclude: [{ width: { max: 3 } }] }),
    )
    expect(three.suggested!.map(({ values }) => values['width']).sort()).toEqual([4, 5, 6])
    await expect(planOf(specOf({ axes }, { where: ['width > 6'] }))).rejects.toThrow(/no point fits/)
    // Of more points than are looked at nobody knows that none fits.
    const many = { width: { kind: 'int' as const, low: 1, high: 100_000 } }
    await expect(planOf(specOf({ axes: many }, { where: ['width == 77777'] }))).rejects.toThrow(
      'of the first 1000 points none fits where and exclude',
    )
  })

  it('never has a setting twice, though axes do not matter everywhere', async () => {
    const axes = {
      kind: { kind: 'choice' as const, values: ['plain', 'fancy'] },
      rate: { kind: 'choice' as const, values: [0.1, 0.2, 0.3] },
      width: { kind: 'choice' as const, values: [8] },
    }
    const plan = await planOf(
      specOf({ axes, learning: { ...learning, parallel: 20 } }, { when: { rate: { kind: ['fancy'] } }, seeds: [0] }),
    )
    expect(plan.trials.map(({ params }) => `${String(params['kind'])} ${String(params['rate'])}`).sort()).toEqual([
      'fancy 0.1',
      'fancy 0.2',
      'fancy 0.3',
      'plain 0.1',
    ])
  })
})

describe('what a sweep file says of a search that learns', () => {
  it.each([
    [{ sampler: 'sobol', parallel: 3 }, /parallel: sobol draws all points before the first trial/],
    [{ sampler: 'sobol', enqueue: [{ width: 3 }] }, /enqueue: sobol draws all points/],
    [{ sampler: 'tpee' }, /unknown sampler: tpee/],
    [{ sampler: 'sobol', samples: 3 }, /unknown key of search: samples/],
  ])('is refused for %j', (search, message) => {
    const written = { experiment: 'params', search: { count: 3, axes: { width: { int: [1, 9] } }, ...search } }
    expect(() => parseSweepObject(written)).toThrow(message)
  })
})
