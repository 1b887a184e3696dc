import { describe, expect, it } from 'vitest'
import { decidability, decidingProfiles } from '../../src/app/planning/decidable.js'
import { experimentNames, findExperiment } from '../../src/experiments/registry.js'
import { makePlan } from '../../src/sweeps/plan.js'
import { toyExperiment } from '../helpers/experiments.js'

const experiments = await Promise.all(experimentNames.map(findExperiment))

/** Claims that need what no reduced profile has: the original's epochs, a rich data set, noise, many nets or many sizes. */
const decidedElsewhere: Readonly<Record<string, string>> = {
  'fits-training-rows': 'full',
  'learns-many-true-labels': 'full',
  'double-descent': 'double-descent',
  'coin-toss': 'full',
  'original-measure-has-no-trend': 'full',
}

describe.each(experiments.map((experiment) => [experiment.name, experiment] as const))(
  'the claims of %s',
  (_, experiment) => {
    const weighed = experiment.claims.filter(({ kind }) => kind !== 'check')
    const profiles = decidingProfiles(experiment)

    it.each(weighed.map(({ id }) => [id]))(
      '%s can be decided by the reduced profile, or by one that is known',
      (id) => {
        expect(profiles.get(id)).toContain(decidedElsewhere[id] ?? 'reduced')
      },
    )

    it('can’t be decided by two seeds, and are told to lack some', () => {
      const planned = (count: number) =>
        decidability(
          experiment,
          makePlan(
            experiment,
            { experiment: experiment.name, axes: {}, seeds: Array.from({ length: count }, (__, seed) => seed) },
            () => '',
          ).trials,
        )
      const able = planned(40).filter(({ missing }) => missing.length === 0)
      expect(able.length).toBeGreaterThan(0)
      const two = new Map(planned(2).map(({ claim, missing }) => [claim, missing.join()]))
      for (const { claim } of able) expect(two.get(claim)).toMatch(/^add \d+ seeds?$/)
    })
  },
)

it('a claim that cannot tell before it is weighed is left out, and so is one that the plan does not concern', () => {
  const claim = {
    id: 'x',
    statement: 'x',
    published: 'x',
    check: () => ({ state: 'inconclusive' as const, summary: '', seeds: 0 }),
  } as const
  const { trials } = makePlan(toyExperiment(), { experiment: 'toy', axes: {} }, () => '')
  const of = (more: object) => decidability({ claims: [{ ...claim, ...more }] }, trials)
  expect(of({})).toEqual([])
  expect(of({ missing: () => ['much'] })).toEqual([{ claim: 'x', missing: ['much'] }])
  expect(of({ missing: () => ['much'], concerns: () => false })).toEqual([])
  expect(of({ missing: () => [], concerns: () => true })).toEqual([{ claim: 'x', missing: [] }])
})
