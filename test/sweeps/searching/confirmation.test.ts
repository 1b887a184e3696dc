import { describe, expect, it } from 'vitest'
import { describeBest } from '../../../src/core/describe-best.js'
import { sweepObjective } from '../../../src/core/objective.js'
import { rankingOf } from '../../../src/core/ranking.js'
import type { Assignment } from '../../../src/core/trial.js'
import { Random } from '../../../src/core/seed.js'
import { confirmationOf } from '../../../src/sweeps/searching/confirmation.js'
import { planSearch } from '../../../src/sweeps/searching/plan-search.js'
import { recompute } from '../../../src/sweeps/searching/recompute.js'
import { parseSweepObject } from '../../../src/sweeps/spec/spec.js'
import type { SimulatedAttempt } from '../../../src/worker/simulated.js'
import { plainExperiment } from '../../helpers/experiments.js'
import { fingerprint, openSearchLab, searchSpec } from '../../helpers/search-lab.js'

const spec = searchSpec({ sampler: 'tpe', count: 16 }, { seeds: [0, 3], confirm: { seeds: 4, after: 3 } })

/** All widths are worth the same; what a seed gives is chance. */
function chance({ trial }: Assignment): SimulatedAttempt {
  const loss = new Random(7, trial.id).uniform()
  const metrics = { 'train/loss': loss }
  return { reports: [], endAfterMs: 1 + Math.floor(100 * loss), end: { state: 'finished', metrics, artifacts: {} } }
}

describe('a search that is confirmed', () => {
  it('runs its best settings on fresh seeds, the same on any number of workers and after a kill at any event', async () => {
    const whole = await openSearchLab(plainExperiment(), spec)
    expect(await whole.run({ model: chance, workers: 3 })).toEqual({})
    const trials = [...whole.state.trials.values()].map(({ trial }) => trial)
    expect(trials).toHaveLength(16 * 2 + 3 * 4)
    expect(new Set(trials.slice(32).map(({ seeds }) => seeds.init))).toEqual(new Set([4, 5, 6, 7]))
    const best = rankingOf(whole.state.trials.values(), sweepObjective(spec, plainExperiment())).all().slice(0, 3)
    expect(new Set(trials.slice(32).map(({ params }) => params['width']))).toEqual(
      new Set(best.map(({ params }) => params['width'])),
    )
    const count = whole.journal().length
    for (let kept = 1; kept < count; kept += 5) {
      const lab = await openSearchLab(plainExperiment(), spec)
      await lab.run({ model: chance, workers: 8 })
      expect(lab.table()).toBe(whole.table())
      lab.keep(kept)
      await lab.run({ model: chance, workers: 1 + (kept % 4) })
      expect(lab.table(), `killed after event ${kept}`).toBe(whole.table())
    }
  })

  it('tells the winner by its fresh seeds, and that its own value is biased', async () => {
    const lab = await openSearchLab(plainExperiment(), spec)
    await lab.run({ model: chance, workers: 3 })
    const objective = sweepObjective(spec, plainExperiment())
    const ranking = rankingOf(lab.state.trials.values(), objective)
    const winner = ranking.confirmed!.best()!.standing
    expect(winner.values).toHaveLength(4)
    // Chance alone: the best of many is worth less than it seemed.
    expect(winner.mean).toBeGreaterThan(ranking.best()!.standing.mean)
    expect(describeBest(ranking, objective, ['width'])).toMatch(
      /^best, confirmed on 4 fresh seeds: width=\d+, train\/loss 0\.\d+, standard deviation 0\.\d+ \(in the search 0\.\d+, biased: it was chosen for that among 16 points\)$/,
    )
  })

  it('can be recomputed, and other settings than the best are found', async () => {
    const lab = await openSearchLab(plainExperiment(), spec)
    await lab.run({ model: chance, workers: 3 })
    const made = [plainExperiment(), spec, fingerprint] as const
    const plan = await planSearch(...made)
    expect(await recompute(plan, lab.journal(), ...made)).toEqual({ settings: 16, others: [], next: 'none' })
    const altered = lab
      .journal()
      .map((event) =>
        event.type === 'trials-added' && event.reason === 'confirmation'
          ? { ...event, trials: event.trials.slice(4) }
          : event,
      )
    expect((await recompute(plan, altered, ...made)).others).toEqual([
      'the settings that were run again on fresh seeds are not the best of the search',
    ])
  })

  it('goes on to more seeds, and can be recomputed then too', async () => {
    const lab = await openSearchLab(plainExperiment(), spec)
    await lab.run({ model: chance, workers: 3 })
    const more = { ...spec, confirm: { seeds: 6, after: 3 } }
    const grown = await openSearchLab(plainExperiment(), more, { former: lab.file })
    expect(await grown.run({ model: chance, workers: 2 })).toEqual({})
    expect(grown.state.counts()).toMatchObject({ planned: 16 * 2 + 3 * 6, missing: 0 })
    const made = [plainExperiment(), more, fingerprint] as const
    const again = await recompute(await planSearch(...made), grown.journal(), ...made)
    expect(again).toEqual({ settings: 16, others: [], next: 'none' })
  })

  it('ends without where nothing has a value', async () => {
    const failing = (): SimulatedAttempt => ({
      reports: [],
      endAfterMs: 1,
      end: { state: 'diverged', metric: 'train/loss', metrics: { 'train/loss': NaN }, artifacts: {} },
    })
    const lab = await openSearchLab(plainExperiment(), spec)
    expect(await lab.run({ model: failing, workers: 3 })).toEqual({})
    expect(lab.state.counts()).toMatchObject({ planned: 32 })
  })

  it('is refused where nothing can be confirmed, in a sentence', () => {
    const experiment = plainExperiment()
    expect(() => confirmationOf(3, { experiment: 'toy', axes: {} }, experiment)).toThrow(/only a search that learns/)
    const loss = { metric: 'a', direction: 'minimize' } as const
    const front = { ...spec, objective: { ...loss, also: [{ ...loss, metric: 'b' }] } }
    expect(() => confirmationOf(3, front, experiment)).toThrow(/several objectives have no winner/)
    expect(() => confirmationOf(3, { ...spec, seeds: { init: [0, 1] } }, experiment)).toThrow(/a list of seeds/)
    expect(confirmationOf(3, spec, experiment)).toEqual({ seeds: 3, after: 3 })
    expect(() => parseSweepObject({ experiment: 'params', confirm: 0 })).toThrow(/confirm: 0 is not a number of fresh/)
  })
})
