import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { canonicalJson } from '../../../src/core/seed.js'
import type { Assignment, Outcome, Trial } from '../../../src/core/trial.js'
import { Journal } from '../../../src/sweeps/journal/journal.js'
import type { Experiment } from '../../../src/experiments/experiment.js'
import { makePlan, sweepIdOf, type Plan } from '../../../src/sweeps/plan.js'
import { learnFrom } from '../../../src/sweeps/searching/learn-from.js'
import { describeLearnt } from '../../../src/sweeps/searching/learnt.js'
import { planSearch } from '../../../src/sweeps/searching/plan-search.js'
import { recompute } from '../../../src/sweeps/searching/recompute.js'
import type { SweepSpec } from '../../../src/sweeps/spec/spec.js'
import { formatOf } from '../../../src/sweeps/stored-plan.js'
import { SweepFolder } from '../../../src/sweeps/sweep-folder.js'
import { openStore, type Store } from '../../../src/system/store.js'
import type { SimulatedAttempt } from '../../../src/worker/simulated.js'
import { plainExperiment, toyExperiment } from '../../helpers/experiments.js'
import { fingerprint, learning, openSearchLab, searchSpec } from '../../helpers/search-lab.js'

const experiment = plainExperiment()
const lossOf = (width: number): number => Math.abs(Math.log(width / 60))

function emptyStore(): Store {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-learn-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return openStore(folder)
}

const finishedAt = ({ params }: Trial): Outcome => ({
  state: 'finished',
  metrics: { 'train/loss': lossOf(Number(params['width'])), memoryMb: Number(params['width']) },
  artifacts: {},
})

/** A sweep of these widths, each trial of which ended as `end` says; one without an end has not run. */
async function earlier(
  store: Store,
  name: string,
  widths: readonly number[],
  { end = finishedAt, ...more }: Partial<SweepSpec> & { end?: (trial: Trial) => Outcome | undefined } = {},
): Promise<Plan> {
  const spec = { experiment: 'toy', name, seeds: [0], ...more, axes: { width: widths, ...more.axes } }
  const plan = makePlan(experiment, spec, fingerprint)
  const sweep = await SweepFolder.create(store, plan, { codeVersion: '0', createdAtMs: 0 })
  const journal = Journal.open(sweep.journalFile)
  for (const trial of plan.trials) {
    const outcome = end(trial)
    if (outcome === undefined) continue
    journal.append({ type: 'started', trial: trial.id, attempt: 1, atMs: 0, worker: 'a' })
    journal.append({ type: 'ended', trial: trial.id, attempt: 1, atMs: 1, outcome })
  }
  journal.close()
  return plan
}

const specOf = (names: readonly string[], more: Partial<SweepSpec> = {}, rest: Partial<typeof learning> = {}) =>
  searchSpec({ sampler: 'tpe', count: 24, learning: { ...learning, ...rest, learnFrom: names } }, more)
const learn = (store: Store, spec: SweepSpec) => learnFrom(store, experiment, spec, fingerprint)
const dozen = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 700]

describe('a search that learns from earlier sweeps', () => {
  it('has the same table on 1, 2 and 8 workers and after any kill, tries none of theirs again, and can be recomputed', async () => {
    const store = emptyStore()
    await earlier(store, 'grid', dozen)
    const spec = specOf(['grid'], { seeds: [0, 1] })
    const learnt = await learn(store, spec)
    const model = ({ trial }: Assignment): SimulatedAttempt => ({
      ...{ reports: [], endAfterMs: 1 + ((trial.index * 7) % 11), end: finishedAt(trial) },
    })
    const tables = new Set<string>()
    for (const [i, workers] of [1, 2, 8].entries()) {
      const lab = await openSearchLab(experiment, spec, { learnt })
      await lab.run({ model, workers })
      tables.add(lab.table())
      for (let kept = 1 + i; kept < lab.journal().length; kept += 13) {
        lab.keep(kept)
        await lab.run({ model, workers: 9 - workers })
        tables.add(lab.table())
      }
      const plan = await planSearch(experiment, spec, fingerprint, { learnt })
      const made = [experiment, spec, fingerprint] as const
      const whole = { settings: 24, others: [], next: 'none' }
      // As plan.json has it.
      const stored = JSON.parse(JSON.stringify(plan)) as Plan
      expect(await recompute(stored, lab.journal(), ...made, stored)).toEqual(whole)
      const { others } = await recompute(plan, lab.journal(), ...made)
      expect(others.length).toBeGreaterThan(10)
      const widths = [...lab.state.trials.values()].map(({ trial }) => Number(trial.params['width']))
      expect(widths.filter((width) => dozen.includes(width))).toEqual([])
      // Twelve results are enough for a model: the first settings are no random ones.
      expect(plan.suggested!.map(({ rule, modelSize }) => [rule, modelSize])).toEqual(Array(4).fill(['tpe', 12]))
    }
    expect(tables.size).toBe(1)
  })

  it('freezes them in a plan of a newer format, and has its id of them', async () => {
    const store = emptyStore()
    await earlier(store, 'grid', dozen)
    await earlier(store, 'other', [3])
    const spec = specOf(['grid'])
    const plans = await Promise.all(
      [specOf(['grid']), specOf(['other'])].map(async (one) =>
        planSearch(experiment, one, fingerprint, { learnt: await learn(store, one) }),
      ),
    )
    expect(plans.map(formatOf)).toEqual([5, 5])
    expect(new Set(plans.map(sweepIdOf)).size).toBe(2)
    expect(formatOf(await planSearch(experiment, specOf([]), fingerprint))).toBe(3)
    const sweep = await SweepFolder.create(store, plans[0]!, { codeVersion: '0', createdAtMs: 0 })
    expect((await SweepFolder.open(store, sweep.id)).frozen.learnt).toEqual(await learn(store, spec))
  })

  it('learns what a setting came to as a search would: stopped, diverged, failed, over all seeds, beyond a constraint', async () => {
    const store = emptyStore()
    const ends: Record<number, (trial: Trial) => Outcome | undefined> = {
      1: finishedAt,
      2: (trial) => ({ ...(finishedAt(trial) as Outcome & { state: 'finished' }), state: 'stopped', reason: 'asha' }),
      3: () => ({ state: 'diverged', metric: 'train/loss', metrics: {}, artifacts: {} }),
      4: (trial) =>
        trial.seeds.init === 1 ? { state: 'failed', error: { name: 'Error', message: 'odd' } } : finishedAt(trial),
      5: (trial) => (trial.seeds.init === 1 ? undefined : finishedAt(trial)),
      900: finishedAt,
    }
    await earlier(store, 'grid', [1, 2, 3, 4, 5, 900], {
      seeds: [0, 1],
      end: (trial) => ends[Number(trial.params['width'])]!(trial),
    })
    const constraints = [
      { metric: 'memoryMb', max: 100 },
      { metric: 'none', max: 1 },
    ]
    const [learnt] = await learn(store, specOf(['grid'], { constraints }, { failed: 'ignore' }))
    expect(learnt!.settings).toEqual([
      { values: { width: 1 }, results: [lossOf(1)], violations: [-0.99, null] },
      { values: { width: 2 }, results: [lossOf(2)], violations: [-0.98, null], stoppedAtStep: 0 },
      { values: { width: 3 } },
      { values: { width: 4 }, results: [lossOf(4)], violations: [-0.96, null] },
      { values: { width: 900 }, results: [lossOf(900)], violations: [8, null] },
    ])
    expect(learnt!.leftOut).toEqual({ open: 1 })
    expect((await learn(store, specOf(['grid'])))[0]!.settings[3]).toEqual({ values: { width: 4 } })
  })

  it('says what it learns and what is left out, and takes a setting of two sweeps once', async () => {
    const store = emptyStore()
    await earlier(store, 'a', [1, 2, 3, 5000], { axes: { rate: [0.1, 0.2] } })
    await earlier(store, 'b', [2, 3, 4])
    const told = (await learn(store, specOf(['a', 'b']))).map(describeLearnt)
    expect(told).toEqual([
      '3 settings of sweep a (left out: 3 differ in what is not searched, 2 lie outside the ranges, where or exclude)',
      '1 setting of sweep b (left out: 2 are known from a sweep named before)',
    ])
  })

  it('learns of a search what that learnt of itself: fresh seeds that confirmed its best are no part of it', async () => {
    const store = emptyStore()
    const confirm = { seeds: 2, after: 0 }
    await earlier(store, 'a', [1, 2], {
      ...{ confirm, seeds: [0, 1, 2] },
      end: (trial) =>
        trial.seeds.init === 0
          ? finishedAt(trial)
          : { state: 'finished', metrics: { 'train/loss': 99 }, artifacts: {} },
    })
    expect((await learn(store, specOf(['a'])))[0]!.settings.map(({ results }) => results)).toEqual([
      [lossOf(1)],
      [lossOf(2)],
    ])
  })

  it('gives each setting of a sweep with stages its own trials alone', async () => {
    const toy = toyExperiment()
    const store = emptyStore()
    const spec = { experiment: 'toy', name: 'staged', seeds: [0, 1], axes: { width: [1, 2] } }
    const plan = makePlan(toy, spec, fingerprint)
    const sweep = await SweepFolder.create(store, plan, { codeVersion: '0', createdAtMs: 0 })
    const journal = Journal.open(sweep.journalFile)
    for (const [i, { id, stage, params }] of plan.trials.entries()) {
      const value = stage === 'main' ? Number(params['width']) : 100 + i
      journal.append({ type: 'started', trial: id, attempt: 1, atMs: 0, worker: 'a' })
      const outcome = { state: 'finished', metrics: { 'train/loss': value }, artifacts: {} } as const
      journal.append({ type: 'ended', trial: id, attempt: 1, atMs: 1, outcome })
    }
    journal.close()
    const [learnt] = await learnFrom(store, toy, specOf(['staged']), fingerprint)
    expect(learnt!.settings).toEqual([
      { values: { width: 1 }, results: [1] },
      { values: { width: 2 }, results: [2] },
    ])
  })

  it('ends a finite space with all its points tried, and says which were tried before', async () => {
    const store = emptyStore()
    await earlier(store, 'a', [1, 2, 3])
    const axes = { width: { kind: 'int' as const, low: 1, high: 5 } }
    const spec = specOf(['a'], { seeds: [0] })
    const small = { ...spec, search: { ...spec.search!, axes, learning: { ...spec.search!.learning!, parallel: 1 } } }
    const learnt = await learn(store, small)
    const lab = await openSearchLab(experiment, small, { learnt })
    await lab.run({ model: ({ trial }) => ({ reports: [], endAfterMs: 1, end: finishedAt(trial) }), workers: 1 })
    expect([...lab.state.trials.values()].map(({ trial }) => trial.params['width']).sort()).toEqual([4, 5])
    expect(lab.said).toContain('The search ends: all 5 points of the space tried, 3 of them in earlier sweeps.')
    await earlier(store, 'rest', [4, 5])
    const both = {
      ...small,
      search: { ...small.search, learning: { ...small.search.learning, learnFrom: ['a', 'rest'] } },
    }
    await expect(planSearch(experiment, both, fingerprint, { learnt: await learn(store, both) })).rejects.toThrow(
      'the earlier sweeps tried every point that fits where and exclude: 5',
    )
  })

  describe('is refused', () => {
    const open = () => undefined
    it.each<[string, readonly string[], (store: Store) => Promise<unknown>, Partial<SweepSpec>, RegExp]>([
      [
        'a sweep that there is not',
        ['gird'],
        (store) => earlier(store, 'grid', [1]),
        {},
        /unknown sweep to learn from: gird/,
      ],
      [
        'the newest, which changes',
        ['latest'],
        (store) => earlier(store, 'grid', [1]),
        {},
        /latest: the newest sweep is another one tomorrow/,
      ],
      ['itself', ['s'], (store) => earlier(store, 's', [1]), { name: 's' }, /this is its own name/],
      [
        'another objective',
        ['a'],
        (store) => earlier(store, 'a', [1], { objective: { metric: 'train/loss', direction: 'maximize' } }),
        {},
        /it was to maximize train\/loss, and this search is to minimize train\/loss/,
      ],
      [
        'several objectives',
        ['a'],
        (store) =>
          earlier(store, 'a', [1], {
            objective: {
              metric: 'train/loss',
              direction: 'minimize',
              also: [{ metric: 'memoryMb', direction: 'minimize' }],
            },
          }),
        {},
        /it was to minimize train\/loss and minimize memoryMb/,
      ],
      [
        'other fixed values',
        ['a'],
        (store) => earlier(store, 'a', [1, 2], { axes: { rate: [0.2] } }),
        {},
        /none of its settings is of this search: its rate is 0.2, and here 0.1/,
      ],
      [
        'nothing within the ranges',
        ['a'],
        (store) => earlier(store, 'a', [2000, 3000]),
        {},
        /none of its 2 settings lies within the ranges/,
      ],
      [
        'nothing that has ended',
        ['a'],
        (store) => earlier(store, 'a', [1], { end: open }),
        {},
        /none of its settings has ended \(let it run first: mlds resume a\)/,
      ],
    ])('%s', async (_, names, prepare, more, message) => {
      const store = emptyStore()
      await prepare(store)
      await expect(learn(store, specOf(names, more))).rejects.toThrow(message)
    })

    it('another experiment or version, and another axis', async () => {
      const store = emptyStore()
      await earlier(store, 'a', [1])
      const newer = { ...experiment, version: 2 }
      await expect(learnFrom(store, newer, specOf(['a']), fingerprint)).rejects.toThrow(
        /it is of toy, version 1, and this search of toy, version 2/,
      )
      const [main] = experiment.stages
      const wider: Experiment = {
        ...experiment,
        stages: [{ ...main, space: { ...main.space, depth: main.space['width']! } }],
      }
      const spec = searchSpec({
        axes: { depth: { kind: 'int', low: 1, high: 9 } },
        learning: { ...learning, learnFrom: ['a'] },
      })
      await expect(learnFrom(store, wider, spec, fingerprint)).rejects.toThrow(/it has no axis depth/)
    })

    it('data that are others now', async () => {
      const [main] = experiment.stages
      const reading: Experiment = { ...experiment, stages: [{ ...main, data: () => ['digits'] }] }
      const store = emptyStore()
      const plan = makePlan(reading, { experiment: 'toy', name: 'a', axes: { width: [1] }, seeds: [0] }, () => 'old')
      await SweepFolder.create(store, plan, { codeVersion: '0', createdAtMs: 0 })
      await expect(learnFrom(store, reading, specOf(['a']), () => 'new')).rejects.toThrow(/its data were others/)
    })

    it('a setting to be tried first that was tried before', async () => {
      const store = emptyStore()
      await earlier(store, 'a', [1, 2])
      const spec = specOf(['a'], {}, { enqueue: [{ width: 2 }] })
      await expect(planSearch(experiment, spec, fingerprint, { learnt: await learn(store, spec) })).rejects.toThrow(
        /enqueue: {"width":2} was tried in a sweep that it learns from/,
      )
    })
  })

  it('is the same whatever order the journal of the earlier sweep has', async () => {
    const [one, other] = [emptyStore(), emptyStore()]
    await earlier(one, 'a', dozen)
    const plan = await earlier(other, 'a', dozen, { end: () => undefined })
    const journal = Journal.open((await SweepFolder.open(other, 'a')).journalFile)
    for (const trial of plan.trials.toReversed()) {
      journal.append({ type: 'started', trial: trial.id, attempt: 1, atMs: 5, worker: 'b' })
      journal.append({ type: 'ended', trial: trial.id, attempt: 1, atMs: 6, outcome: finishedAt(trial) })
    }
    journal.close()
    expect(canonicalJson(await learn(one, specOf(['a'])))).toBe(canonicalJson(await learn(other, specOf(['a']))))
  })
})
