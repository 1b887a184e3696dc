import { describe, expect, it } from 'vitest'
import { describeBest } from '../../../src/core/describe-best.js'
import { sweepObjective } from '../../../src/core/objective.js'
import { rankingOf } from '../../../src/core/ranking.js'
import type { Assignment } from '../../../src/core/trial.js'
import { Random } from '../../../src/core/seed.js'
import { ConfirmedGrowth, confirmationOf, confirmerOf } from '../../../src/sweeps/searching/confirmation.js'
import { planSearch } from '../../../src/sweeps/searching/plan-search.js'
import { recompute, recomputeConfirmation } from '../../../src/sweeps/searching/recompute.js'
import { parseSweepObject } from '../../../src/sweeps/spec/spec.js'
import type { SimulatedAttempt } from '../../../src/worker/simulated.js'
import { plainExperiment } from '../../helpers/experiments.js'
import { fingerprint, openSearchLab, searchSpec } from '../../helpers/search-lab.js'
import { openLab } from '../../helpers/sweep-lab.js'
import type { SweepSpec } from '../../../src/sweeps/spec/spec.js'

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
      /^best, confirmed on 4 fresh seeds: width=\d+, train\/loss 0\.\d+, standard deviation 0\.\d+ \(in the sweep 0\.\d+, biased: it was chosen for that among 16 points\)$/,
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
      'the settings that were run again on fresh seeds are not the best of the sweep',
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
    expect(() => confirmationOf(3, { ...spec, seeds: { init: [0, 1] } }, experiment)).toThrow(/a list of seeds/)
    expect(confirmationOf(3, spec, experiment)).toEqual({ seeds: 3, after: 3 })
    expect(() => parseSweepObject({ experiment: 'params', confirm: 0 })).toThrow(/confirm: 0 is not a number of fresh/)
  })
})

describe('a grid that is confirmed', () => {
  const experiment = plainExperiment()
  const axes = { width: [1, 2, 3, 4, 5, 6, 7, 8] }
  const grid: SweepSpec = { experiment: 'toy', axes, seeds: [0, 1], confirm: { seeds: 2, after: 1 } }
  const loss = { metric: 'train/loss', direction: 'minimize' } as const
  const front: SweepSpec = { ...grid, objective: { ...loss, also: [{ metric: 'speed', direction: 'maximize' }] } }

  const openGrid = (of: SweepSpec) => {
    const lab = openLab(experiment, of)
    const objective = sweepObjective(of, experiment)
    let hasBegun = false
    return {
      lab,
      ranking: () => rankingOf(lab.state.trials.values(), objective),
      objective,
      run: (workers: number) => {
        const confirmer = confirmerOf({ spec: of }, objective, experiment, () => 'none')!
        for (const event of hasBegun ? lab.journal() : []) confirmer.apply(event)
        hasBegun = true
        return lab.run({ model: tradeOff, workers, growth: new ConfirmedGrowth(undefined, confirmer) })
      },
      added: () =>
        [...lab.state.trials.values()].slice(16).map(({ trial }) => [trial.params['width'], trial.seeds.init]),
      table: () => [...lab.state.trials.values()].map(({ trial, outcome }) => [trial.id, outcome]),
    }
  }
  /** The loss falls with the width and the speed too, but widths 4 and 5 are worse in both; chance is a hundredth. */
  function tradeOff({ trial }: Assignment): SimulatedAttempt {
    const width = Number(trial.params['width'])
    const chance = new Random(3, trial.id).uniform() / 100
    const isBad = width === 4 || width === 5
    const metrics = { 'train/loss': 1 / width + chance + (isBad ? 1 : 0), speed: isBad ? 0 : 1 / width + chance }
    return { reports: [], endAfterMs: 1 + Math.floor(1e4 * chance), end: { state: 'finished', metrics, artifacts: {} } }
  }

  it.each([
    ['one objective', grid, [8, 7, 6]],
    ['a front', front, [1, 2, 3, 6, 7, 8]],
  ] as const)(
    'runs its best settings on fresh seeds once all has ended: %s, the same on any workers and after a kill at any event',
    async (_, of, widths) => {
      const whole = openGrid(of)
      expect(await whole.run(2)).toEqual({})
      expect(whole.added()).toEqual(
        expect.arrayContaining(widths.flatMap((width) => [2, 3].map((seed) => [width, seed]))),
      )
      expect(whole.added()).toHaveLength(2 * widths.length)
      const [table, count] = [whole.table(), whole.lab.journal().length]
      for (let kept = count - 1; kept >= 0; kept -= 4) {
        whole.lab.keep(kept)
        await whole.run(1 + (kept % 8))
        expect(whole.table(), `killed after event ${kept}`).toEqual(table)
      }
      const verified = recomputeConfirmation(
        { trials: whole.lab.trials, spec: of },
        whole.lab.journal(),
        experiment,
        () => 'none',
      )
      expect(verified).toEqual({ others: [], isDone: true })
    },
  )

  it('is told by its fresh seeds, of several objectives by the front among them', async () => {
    const [one, several] = [openGrid(grid), openGrid(front)]
    for (const { run } of [one, several]) await run(3)
    expect(describeBest(one.ranking(), one.objective, ['width'])).toMatch(
      /^best, confirmed on 2 fresh seeds: width=8, train\/loss 0\.1\d+, .* \(in the sweep 0\.1\d+, biased: it was chosen for that among 8 points\)$/,
    )
    expect(describeBest(several.ranking(), several.objective, ['width'])).toMatch(
      /^front of 6 points, confirmed on 2 fresh seeds: train\/loss 0\.1\d+ to 1\.0\d*, speed 0\.1\d+ to 1\.0\d* \(in the sweep train\/loss .*, biased: chosen for that among 8 points\)$/,
    )
  })

  it('is found out where others than its best were run, or too few', async () => {
    const { lab, run } = openGrid(grid)
    await run(3)
    const events = lab.journal()
    const altered = events.map((event) =>
      event.type === 'trials-added' ? { ...event, trials: event.trials.slice(2) } : event,
    )
    const verify = (told: typeof events) =>
      recomputeConfirmation({ trials: lab.trials, spec: grid }, told, experiment, () => 'none')
    expect(verify(altered).others).toEqual([
      'the settings that were run again on fresh seeds are not the best of the sweep',
    ])
    expect(verify(events.filter(({ type }) => type !== 'trials-added'))).toEqual({ others: [], isDone: false })
  })

  it('takes of a long front the ten points that reach the most', async () => {
    const widths = Array.from({ length: 30 }, (_, i) => i + 10)
    const { run, added } = openGrid({ ...front, axes: { width: widths }, seeds: [0] })
    await run(4)
    const confirmed = new Set(
      added()
        .slice(14)
        .map(([width]) => width),
    )
    expect(confirmed.size).toBe(10)
  })
})
