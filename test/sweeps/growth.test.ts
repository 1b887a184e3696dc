import { describe, expect, it } from 'vitest'
import type { Trial } from '../../src/core/trial.js'
import { Journal, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import { buildRecords } from '../../src/sweeps/journal/records.js'
import { isComplete, SweepState } from '../../src/sweeps/journal/state.js'
import { makePlan } from '../../src/sweeps/plan.js'
import type { Growth } from '../../src/sweeps/scheduling/growth.js'
import type { SweepSpec } from '../../src/sweeps/spec/spec.js'
import { parsePlan } from '../../src/sweeps/stored-plan.js'
import { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { openStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'
import { plainExperiment } from '../helpers/experiments.js'
import { finishes, openLab, vanishing } from '../helpers/sweep-lab.js'

const spec = { axes: { width: [1, 2, 3] }, seeds: [0, 1] } satisfies Partial<SweepSpec>
const planned = (seeds: readonly number[]): readonly Trial[] =>
  makePlan(plainExperiment(), { experiment: 'toy', ...spec, seeds }, () => 'none').trials

/** Adds seed after seed until there are four, once all that is planned has ended. */
const upToFourSeeds: Growth = {
  async next(state) {
    const count = state.trials.size / 3
    if (state.ended < state.trials.size || count === 4) return undefined
    const trials = planned([count])
    return { reason: 'seed', because: { seeds: count }, trials }
  },
}

const facts = (events: readonly JournalEvent[]): unknown =>
  buildRecords(planned([0, 1]), events).map(({ trial, state, metrics }) => [trial.index, trial.id, state, metrics])
const additions = (events: readonly JournalEvent[]): unknown[] =>
  events.flatMap((event) => (event.type === 'trials-added' ? [event.trials.map(({ id }) => id)] : []))

async function undisturbed(workers: number): Promise<JournalEvent[]> {
  const lab = openLab(plainExperiment(), spec)
  expect(await lab.run({ growth: upToFourSeeds, workers })).toEqual({})
  return lab.journal()
}

describe('a plan that grows', () => {
  it('is written down before any of its new trials starts, and each of them runs once', async () => {
    const events = await undisturbed(2)
    expect(facts(events)).toHaveLength(12)
    expect(additions(events)).toEqual([planned([2]).map(({ id }) => id), planned([3]).map(({ id }) => id)])
    const begun = new Set<string>()
    for (const event of events) {
      if (event.type === 'started') begun.add(event.trial)
      if (event.type === 'trials-added') for (const { id } of event.trials) expect(begun).not.toContain(id)
    }
    const state = new SweepState(planned([0, 1]))
    for (const event of events) state.apply(event)
    expect(isComplete(state.counts())).toBe(true)
    expect(state.counts()).toMatchObject({ planned: 12, finished: 12, unique: 12 })
  })

  it.each([1, 2, 8])(
    'comes to the same on %i workers, whichever event its process was killed after',
    async (workers) => {
      const whole = await undisturbed(workers)
      expect(facts(whole)).toEqual(facts(await undisturbed(1)))
      for (let count = 1; count < whole.length; count++) {
        const lab = openLab(plainExperiment(), spec)
        await lab.run({ growth: upToFourSeeds, workers })
        lab.keep(count)
        expect(await lab.run({ growth: upToFourSeeds, workers })).toEqual({})
        expect(facts(lab.journal())).toEqual(facts(whole))
        expect(additions(lab.journal())).toEqual(additions(whole))
        expect(lab.state.counts()).toMatchObject({ planned: 12, finished: 12, unique: 12 })
      }
    },
  )

  it('tries a new trial again whose worker vanished, and runs it though only trials of before were asked for', async () => {
    const lab = openLab(plainExperiment(), spec)
    const [lost] = planned([2])
    await lab.run({
      growth: upToFourSeeds,
      wanted: new Set(planned([0, 1]).map(({ id }) => id)),
      model: ({ trial, attempt }) => (trial.id === lost!.id && attempt === 1 ? vanishing : finishes),
    })
    expect(lab.state.counts()).toMatchObject({ planned: 12, finished: 12, unique: 12 })
    expect(lab.state.trials.get(lost!.id)).toMatchObject({ attempts: 2 })
  })

  it('starts nothing new once it is to end', async () => {
    const lab = openLab(plainExperiment(), spec)
    const drain = new AbortController()
    await lab.run({
      growth: upToFourSeeds,
      drain: drain.signal,
      onEvent: (event) => event.type === 'trials-added' && drain.abort(),
    })
    expect(lab.state.counts()).toMatchObject({ planned: 9, finished: 6, missing: 3 })
  })

  it('loses what it grew by when results are declared void, and counts attempts on where that comes again', async () => {
    const events = await undisturbed(2)
    const state = new SweepState(planned([0, 1]))
    for (const event of events) state.apply(event)
    state.apply({ type: 'voided', atMs: 0 })
    expect(state.counts()).toMatchObject({ planned: 6, missing: 6 })
    for (const event of events) if (event.type === 'trials-added') state.apply(event)
    expect([...state.trials.values()].map(({ attempts, trial }) => [attempts, trial.index])).toEqual(
      Array.from({ length: 12 }, (_, index) => [1, index]),
    )
  })

  it('is whole wherever it is read: its folder, and a copy without a journal', async () => {
    const plan = makePlan(
      plainExperiment(),
      { experiment: 'toy', name: 'grown', ...spec, untilDecided: { maxSeeds: 9, claims: [] } },
      () => 'none',
    )
    const store = openStore(temporaryFolder())
    const made = await SweepFolder.create(store, plan, { codeVersion: '0', createdAtMs: 1 })
    const journal = Journal.open(made.journalFile)
    for (const event of await undisturbed(2)) journal.append(event)
    journal.close()
    const sweep = await SweepFolder.open(store, 'grown')
    const ids = [0, 1, 2, 3].flatMap((index) => (index < 2 ? [] : planned([index]).map(({ id }) => id)))
    expect(sweep.plan.trials.map(({ id }) => id)).toEqual([...plan.trials.map(({ id }) => id), ...ids])
    expect(sweep.plan.trials.map(({ index }) => index)).toEqual(Array.from({ length: 12 }, (_, index) => index))
    expect(sweep.frozen.trials).toEqual(plan.trials)
    expect(sweep.plan.format).toBe(3)
    const { added, ...copied } = parsePlan(sweep.wholePlan(), 'a copy')
    expect(copied).toEqual(sweep.frozen)
    expect(added!.flatMap(({ trials }) => trials.map(({ id }) => id))).toEqual(ids)
    // The same plan again is the same sweep.
    expect((await SweepFolder.create(store, plan, { codeVersion: '0', createdAtMs: 2 })).plan.trials).toHaveLength(12)
    for (const harm of ['{}', '[{"trials":[{}]}]', '[null]'])
      expect(() =>
        parsePlan(
          Buffer.from(
            Buffer.from(sweep.wholePlan())
              .toString()
              .replace(/"added":\[.*\],"trials"/, `"added":${harm},"trials"`),
          ),
          'x',
        ),
      ).toThrow(/it is not a plan/)
  })
})
