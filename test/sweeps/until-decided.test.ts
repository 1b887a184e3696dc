import { describe, expect, it } from 'vitest'
import { withClaimsOf } from '../../src/experiments/written-claims.js'
import type { Assignment } from '../../src/core/trial.js'
import { buildRecords } from '../../src/sweeps/journal/records.js'
import type { JournalEvent } from '../../src/sweeps/journal/journal.js'
import { makePlan } from '../../src/sweeps/plan.js'
import { parseSweepObject } from '../../src/sweeps/spec/spec.js'
import type { SweepSpec } from '../../src/sweeps/spec/spec.js'
import { recomputeSeeds } from '../../src/sweeps/recompute-seeds.js'
import { claimsToDecide, SeedGrowth } from '../../src/sweeps/until-decided.js'
import { judge } from '../../src/sweeps/verdicts.js'
import type { SimulatedAttempt } from '../../src/worker/simulated.js'
import { noise } from '../helpers/claims.js'
import { plainExperiment, toyExperiment } from '../helpers/experiments.js'
import { failing, finishes, openLab, type Lab } from '../helpers/sweep-lab.js'

const written = {
  experiment: 'toy',
  axes: { width: [1, 2] },
  repeat: 2,
  claims: {
    wide: { metric: 'train/loss', compare: [{ width: 2 }, { width: 1 }], below: 0 },
    small: { metric: 'train/loss', of: { width: 1 }, below: 1.5 },
  },
}
const data = (): string => 'none'
const specOf = (maxSeeds: number, more: object = {}): SweepSpec => {
  const given = Object.entries({ ...written, ...more }).filter(([, value]) => value !== undefined)
  const spec = parseSweepObject(Object.fromEntries(given))
  const experiment = withClaimsOf(spec, plainExperiment())
  const claims = claimsToDecide(makePlan(experiment, spec, data), experiment, maxSeeds, data)
  return { ...spec, untilDecided: { maxSeeds, claims } }
}

/** The wide net loses less by `effect`, whatever the seed, and each trial has noise of its own. */
const losing =
  (effect: number) =>
  ({ trial }: Assignment): SimulatedAttempt => {
    const width = Number(trial.params['width'])
    const loss = 1 - (width === 2 ? effect : 0) + 0.5 * noise(trial.seeds.init, `net ${width}`)
    return {
      ...finishes,
      endAfterMs: 1 + Math.round(50 * (1 + noise(trial.seeds.init, trial.id))),
      end: { state: 'finished', metrics: { 'train/loss': loss }, artifacts: {} },
    }
  }

function openSeedLab(maxSeeds: number, more: object = {}) {
  const spec = specOf(maxSeeds, more)
  const experiment = withClaimsOf(spec, plainExperiment())
  const lab: Lab = openLab(plainExperiment(), spec)
  const plan = { spec, profile: 'reduced' }
  const records = () => buildRecords(lab.trials, lab.journal())
  return {
    lab,
    run: (workers: number, model: (assignment: Assignment) => SimulatedAttempt) =>
      lab.run({ growth: new SeedGrowth(plan, experiment, data, records), workers, model }),
    told: () => ({
      seeds: new Set(records().map(({ trial }) => trial.seeds.init)).size,
      verdicts: judge(experiment.claims, records()),
      rows: records().map(({ trial, state, metrics }) => [trial.index, trial.id, state, metrics]),
      additions: lab
        .journal()
        .flatMap((event) => (event.type === 'trials-added' ? [[event.reason, event.because, event.trials]] : [])),
    }),
  }
}

describe('a sweep until its claims are decided', () => {
  it('has every addition decided again by verify, and told where it comes out otherwise', async () => {
    const { run, told, lab } = openSeedLab(60)
    await run(2, losing(0.6))
    const spec = specOf(60)
    const experiment = withClaimsOf(spec, plainExperiment())
    const frozen = makePlan(experiment, spec, data)
    const again = (events: readonly JournalEvent[]) => recomputeSeeds(frozen, events, experiment, data)
    const { additions } = told()
    expect(await again(lab.journal())).toEqual({ additions: additions.length, others: [], isDone: true })

    // Results that would have decided earlier.
    const records = buildRecords(lab.trials, lab.journal())
    const widths = new Map(records.map(({ trial }) => [trial.id, trial.params['width']]))
    const altered = lab.journal().map((event): JournalEvent => {
      if (event.type !== 'ended' || event.outcome.state !== 'finished') return event
      const isWide = widths.get(event.trial) === 2
      return { ...event, outcome: { ...event.outcome, metrics: { 'train/loss': isWide ? 0.1 : 0.9 } } }
    })
    const { others } = await again(altered)
    expect(others.at(-1)).toMatch(
      new RegExp(`^look ${additions.length} added 1 seed because of .* and comes out as none: all was decided$`),
    )

    // A sweep that was ended before its claims were decided.
    const last = lab.journal().findLastIndex(({ type }) => type === 'trials-added')
    expect(await again(lab.journal().slice(0, last))).toEqual({
      ...{ additions: additions.length - 1, others: [], isDone: false },
    })
  })

  it('ends with the seed that decides the last, and has looked at whole seeds alone, the first time at five', async () => {
    const { run, told, lab } = openSeedLab(60)
    await run(2, losing(0.6))
    const { seeds, verdicts, additions } = told()
    expect(verdicts.map(({ state }) => state)).toEqual(['reproduced', 'reproduced'])
    expect(seeds).toBeGreaterThan(5)
    expect(seeds).toBeLessThan(40)
    expect(additions).toHaveLength(1 + seeds - 5)
    // Seeds up to the first look are added without one; at each look all that was planned had ended.
    const open = new Set(lab.trials.map(({ id }) => id))
    for (const event of lab.journal()) {
      if (event.type === 'ended') open.delete(event.trial)
      if (event.type !== 'trials-added') continue
      if ('undecided' in event.because) expect([...open]).toEqual([])
      for (const { id } of event.trials) open.add(id)
    }
  })

  it('ends at the most seeds where there is nothing to decide', async () => {
    const { run, told } = openSeedLab(8, { claims: { wide: written.claims.wide } })
    await run(2, losing(0))
    expect(told()).toMatchObject({ seeds: 8, verdicts: [{ state: 'inconclusive' }] })
    expect(told().rows).toHaveLength(16)
  })

  it('comes to the same trials, additions and verdicts on 1, 2 and 8 workers, whichever event its process was killed after', async () => {
    const alone = openSeedLab(30)
    await alone.run(1, losing(0.9))
    const whole = alone.told()
    expect(whole.seeds).toBeGreaterThan(5)
    for (const workers of [1, 2, 8]) {
      const undisturbed = openSeedLab(30)
      await undisturbed.run(workers, losing(0.9))
      expect(undisturbed.told()).toEqual(whole)
      const events: readonly JournalEvent[] = undisturbed.lab.journal()
      for (let count = 1; count < events.length; count += workers === 2 ? 1 : 7) {
        const killed = openSeedLab(30)
        await killed.run(workers, losing(0.9))
        killed.lab.keep(count)
        await killed.run(workers, losing(0.9))
        expect(killed.told()).toEqual(whole)
        expect(killed.lab.state.counts()).toMatchObject({ planned: whole.rows.length, finished: whole.rows.length })
      }
    }
  })

  it('takes no look while a trial has no result', async () => {
    const { run, told, lab } = openSeedLab(30)
    const model = losing(0.9)
    await run(2, (assignment) => (assignment.trial.seeds.init === 3 ? failing('odd') : model(assignment)))
    expect(told().seeds).toBe(5)
    expect(lab.state.counts()).toMatchObject({ planned: 10, unique: 8, failed: 2 })
  })

  it.each<[string, object, number, RegExp]>([
    ['seeds apart', { repeat: undefined, seeds: { init: [0, 1] } }, 30, /moves all four together/],
    ['fewer than a look takes', {}, 4, /before the first look, at 5 seeds/],
    ['more seeds than are allowed', { repeat: 9 }, 8, /the sweep has 9 seeds, more than --max-seeds 8/],
    ['rules that stop trials', { scheduler: 'median' }, 30, /no number to weigh/],
    ['no claim', { claims: undefined }, 30, /no claim states what it rests on/],
    ['a claim that no seed decides', { axes: { width: [1] } }, 30, /can decide no claim \(wide: .*settings/],
  ])('is refused of %s', (_, more, maxSeeds, problem) => {
    const asked = { claims: { wide: written.claims.wide }, ...more }
    expect(() => specOf(maxSeeds, asked)).toThrow(problem)
  })

  it('is refused where a stage joins trials of several seeds', () => {
    const spec = parseSweepObject({ ...written, axes: { width: [1, 2] } })
    const experiment = withClaimsOf(spec, toyExperiment())
    expect(() => claimsToDecide(makePlan(experiment, spec, data), experiment, 30, data)).toThrow(
      /joins trials of several seeds/,
    )
  })
})
