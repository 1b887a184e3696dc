import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { standings } from '../../src/analysis/standings.js'
import { maxOf, minOf } from '../../src/core/extremes.js'
import { mean, standardDeviation } from '../../src/core/mean.js'
import { describeBest } from '../../src/core/describe-best.js'
import { Ranking, type Ranked } from '../../src/core/ranking.js'
import { SweepCourse } from '../../src/tracking/mlflow/projection/story.js'
import type { Objective, Trial, TrialRecord } from '../../src/core/trial.js'

const trialOf = (index: number, params: Trial['params'], seed: number, stage = 'main'): Trial => ({
  ...{ id: String(index), index, experiment: 'toy', version: 1, stage, params, parents: [], cost: 1 },
  seeds: { data: seed, init: seed, shuffle: seed, corruption: seed },
})
const value = fc.oneof(
  fc.constantFrom(-0, 0, 1, 1, NaN, Infinity, -Infinity, 5e-324),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const endings = fc.array(
  fc.record({
    x: fc.integer({ min: 0, max: 3 }),
    stage: fc.constantFrom('main', 'main', 'later'),
    state: fc.constantFrom('finished' as const, 'finished' as const, 'stopped' as const, 'diverged' as const),
    loss: fc.option(value, { nil: undefined }),
  }),
  { minLength: 1, maxLength: 14 },
)
const recordsOf = (all: readonly { x: number; stage: string; state: Ranked['state']; loss: number | undefined }[]) =>
  all.map(({ x, stage, state, loss }, i): Ranked => {
    return { trial: trialOf(i, { x }, i, stage), state, metrics: loss === undefined ? {} : { loss } }
  })
const objective: Objective = { metric: 'loss', direction: 'minimize' }
const direction = fc.constantFrom('minimize' as const, 'maximize' as const)

describe('the mean of finite numbers and their deviation', () => {
  it('are finite and within the numbers, however great these are', () => {
    const finite = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 9 })
    fc.assert(
      fc.property(finite, (values) => {
        const centre = mean(values)
        const least = minOf(values)
        const greatest = maxOf(values)
        const slack = 1e-12 * Math.max(Math.abs(least), Math.abs(greatest))
        expect(centre / 2).toBeGreaterThanOrEqual(least / 2 - slack)
        expect(centre / 2).toBeLessThanOrEqual(greatest / 2 + slack)
        expect(standardDeviation(values)).not.toBeNaN()
      }),
    )
    expect(mean([1e308, 1e308])).toBe(1e308)
    expect(standardDeviation([1e308, 1e308])).toBe(0)
    expect(standardDeviation([1e200, 3e200])).toBeCloseTo(Math.SQRT2 * 1e200, -190)
    expect(mean([Infinity, 1])).toBe(Infinity)
    expect(mean([NaN, 1e308, 1e308])).toBeNaN()
    expect(mean([])).toBeNaN()
  })
})

describe('the best point', () => {
  it('is the first of the standings in whatever order trials end, are taken over or end again', () => {
    fc.assert(
      fc.property(endings, direction, fc.infiniteStream(fc.nat()), (all, toward, chance) => {
        const judged = { metric: 'loss', direction: toward }
        const records = recordsOf(all)
        const table = standings(records as readonly Ranked[] as readonly TrialRecord[], judged)
        const ranking = new Ranking(judged)
        const course = new SweepCourse(
          judged,
          records.map(({ trial }) => trial),
          0,
        )
        const shuffled = records
          .map((record) => ({ record, at: Number(chance.next().value) }))
          .sort((a, b) => a.at - b.at)
          .map(({ record }) => record)
        for (const record of [...shuffled, shuffled[0]!]) {
          const { trial, state, metrics } = record
          ranking.add(record)
          ranking.best()
          const outcome = { state: state as 'finished', metrics, artifacts: {} }
          course.apply({ type: 'ended', trial: trial.id, attempt: 1, atMs: 1, outcome })
        }
        expect(ranking.all()).toEqual(table)
        const [first] = table
        if (first === undefined || first.values.length === 0) expect(ranking.best()).toBeUndefined()
        else expect(ranking.best()!.standing).toEqual(first)
        expect(course.best?.trial).toBe(ranking.best()?.standing.trials[0])
        expect(
          new Set(table.flatMap(({ trials }) => trials.map((id) => records[Number(id)]!.trial.stage))).size,
        ).toBeLessThan(2)
      }),
    )
  })

  const ended = (index: number, x: number, loss: number, state: Ranked['state'] = 'finished'): Ranked => ({
    ...{ trial: trialOf(index, { x, always: 1 }, index), state, metrics: { loss } },
  })
  const said = (...all: Ranked[]): string => {
    const ranking = new Ranking(objective)
    for (const one of all) ranking.add(one)
    return describeBest(ranking, objective, ['x'])
  }

  it('is told with what it rests on: seeds, ties, stops and divergence', () => {
    expect(said()).toBe('best so far: none yet')
    const diverged = (index: number): Ranked => ended(index, index, NaN, 'diverged')
    const failed: Ranked = { ...ended(9, 9, 0, 'failed'), metrics: {} }
    expect(said(diverged(0))).toBe('best so far: none: the only trial diverged')
    expect(said(diverged(0), diverged(1))).toBe('best so far: none: all 2 trials diverged')
    expect(said(diverged(0), diverged(1), failed)).toBe('best so far: none: all 2 trials with a result diverged')
    expect(said(failed)).toBe('best so far: none: no trial has a result yet, 1 ended without one')
    expect(said({ ...ended(0, 1, 0), metrics: { other: 1 } })).toBe('best so far: none: no result has a finite loss')
    expect(said({ ...ended(0, 1, 0), state: 'running' })).toBe('best so far: none yet')
    expect(said(ended(0, 1, 4), ended(1, 2, 5))).toBe('best, of one seed: x=1, loss 4')
    expect(said(ended(0, 1, 4), ended(1, 1, 4.2), ended(2, 2, 0.8), ended(3, 2, 9))).toBe(
      'best by the mean over 2 seeds: x=1, loss 4.1, standard deviation 0.14',
    )
    expect(said(ended(0, 1, 0), ended(1, 2, -0), ended(2, 3, 0))).toBe(
      'best, of one seed: x=1, loss 0 (tied with 2 other points)',
    )
    expect(said(ended(0, 1, 1, 'stopped'))).toBe('best, of one seed: x=1, loss 1 (1 stopped early)')
    expect(said(ended(0, 1, 1, 'stopped'), ended(1, 2, 5))).toBe('best, of one seed: x=2, loss 5')
    expect(said(ended(0, 1, 1), ended(1, 1, NaN, 'diverged'))).toBe('best, of one seed: x=1, loss 1 (1 more diverged)')
  })

  it('has diverged points last, without a value', () => {
    const records = [ended(0, 1, NaN, 'diverged'), ended(1, 2, 9, 'stopped'), ended(2, 3, 99)]
    const table = standings(records as readonly Ranked[] as readonly TrialRecord[], objective)
    expect(table.map(({ params, values, diverged }) => [params['x'], values, diverged])).toEqual([
      [3, [99], 0],
      [2, [9], 0],
      [1, [], 1],
    ])
  })
})

describe('a point of a later stage', () => {
  const saved = (index: number, lr: number, seed: number, fold = 0): Ranked => ({
    ...{ trial: trialOf(index, { lr, fold }, seed, 'train'), state: 'finished', metrics: { fit: lr } },
  })
  const evaluated = (index: number, digits: number, parents: readonly Ranked[], loss: number): Ranked => {
    const trial = trialOf(index, { digits }, parents[0]!.trial.seeds.init, 'evaluate')
    return { trial: { ...trial, parents: parents.map((one) => one.trial.id) }, state: 'finished', metrics: { loss } }
  }
  const trained = [saved(0, 1, 0), saved(1, 1, 1), saved(2, 2, 0), saved(3, 2, 1)]
  const rank = (ends: readonly Ranked[], judged: Objective = objective) => {
    const ranking = new Ranking(judged)
    for (const end of [...trained, ...ends]) ranking.add(end)
    return ranking.all().map(({ params, mean: value, values }) => [params, value, values.length])
  }

  it('is of the setting that its trial derives from: other seeds of that are averaged, other settings are not', () => {
    const ends = trained.map((parent, i) => evaluated(4 + i, 9, [parent], parent.trial.params['lr'] as number))
    expect(rank(ends)).toEqual([
      [{ lr: 1, fold: 0, digits: 9 }, 1, 2],
      [{ lr: 2, fold: 0, digits: 9 }, 2, 2],
    ])
  })

  it('has of several trials what they agree in, and its own value of what it is asked for itself', () => {
    expect(rank([evaluated(4, 9, [trained[0]!, trained[2]!], 3)])).toEqual([[{ fold: 0, digits: 9 }, 3, 1]])
    const again = evaluated(4, 9, [trained[0]!], 3)
    const own = { ...again, trial: { ...again.trial, params: { lr: 7, digits: 9 } } }
    expect(rank([own])).toEqual([[{ fold: 0, lr: 7, digits: 9 }, 3, 1]])
  })

  it('is averaged over the folds that were trained', () => {
    const folds = [saved(0, 1, 0, 0), saved(1, 1, 0, 1)]
    const ranking = new Ranking({ ...objective, average: ['fold'] })
    for (const end of [...folds, ...folds.map((one, i) => evaluated(2 + i, 9, [one], i))]) ranking.add(end)
    expect(ranking.all().map(({ params, mean: value }) => [params, value])).toEqual([[{ lr: 1, digits: 9 }, 0.5]])
  })
})
