import { describe, expect, it } from 'vitest'
import { pathNet, pca, runNames } from '../../../src/experiments/built-in/pca.js'
import { makePlan } from '../../../src/sweeps/plan.js'

describe('the pca experiment', () => {
  it('has the original net of 128,026 parameters', () => {
    expect(pathNet().parameterCount).toBe(128_026)
  })

  it('plans one reduction over all seeds of a setting for each scope and kind', () => {
    const { trials } = makePlan(
      pca,
      { experiment: 'pca', profile: 'reduced', axes: { optimizer: ['adam', 'sgd'] }, seeds: [0, 1, 2] },
      () => 'data',
    )
    const reductions = trials.filter(({ stage }) => stage === 'reduce')
    expect(trials.filter(({ stage }) => stage === 'main')).toHaveLength(6)
    expect(reductions).toHaveLength(2 * 2 * 4)
    for (const { parents } of reductions) expect(parents).toHaveLength(3)
  })

  it('keeps the same trainings when only the reduction changes', () => {
    const trained = (reduction: string) =>
      makePlan(pca, { experiment: 'pca', profile: 'reduced', axes: { reduction: [reduction] } }, () => 'data')
        .trials.filter(({ stage }) => stage === 'main')
        .map(({ id }) => id)
    expect(trained('t-sne')).toEqual(trained('joint'))
  })

  it('tells runs apart whichever of their seeds differ', () => {
    const seeds = (init: number, shuffle: number) => ({ data: 0, init, shuffle, corruption: 0 })
    expect(runNames([seeds(0, 0), seeds(1, 1)])).toEqual(['seed 0', 'seed 1'])
    expect(new Set(runNames([seeds(0, 0), seeds(0, 1), seeds(0, 2)])).size).toBe(3)
  })
})
