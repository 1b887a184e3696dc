import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/core/seed.js'
import type { Assignment, Outcome } from '../../../src/core/trial.js'
import { pointSamplers } from '../../../src/search/samplers.js'
import { defaultLimits } from '../../../src/sweeps/run-sweep.js'
import { recompute } from '../../../src/sweeps/searching/recompute.js'
import { replayCourse } from '../../../src/sweeps/searching/replay.js'
import { courseOf, planSearch, searchParts } from '../../../src/sweeps/searching/plan-search.js'
import { learningSamplers } from '../../../src/sweeps/spec/learning.js'
import type { SimulatedAttempt } from '../../../src/worker/simulated.js'
import { plainExperiment, toyExperiment } from '../../helpers/experiments.js'
import { fingerprint, learning, openSearchLab, searchSpec } from '../../helpers/search-lab.js'

const samplers = Object.keys(pointSamplers)

/** A valley at width 60; how long a trial takes is of its own, some fail, some diverge, some lose their first worker. */
function valley({ trial, attempt }: Assignment): SimulatedAttempt {
  const random = new Random(1, trial.id)
  const [durationMs, chance] = [1 + Math.floor(1000 * -Math.log(1 - random.uniform())), random.uniform()]
  const loss = Math.abs(Math.log(Number(trial.params['width'] ?? 1) / 60)) + 0.01 * trial.seeds.init
  const metrics = { 'train/loss': loss }
  const end: Outcome =
    chance < 0.1
      ? { state: 'failed', error: { name: 'Error', message: `odd ${trial.id}` } }
      : chance < 0.2
        ? { state: 'diverged', metric: 'train/loss', metrics: { 'train/loss': NaN }, artifacts: {} }
        : { state: 'finished', metrics, artifacts: {} }
  const isLost = attempt === 1 && chance > 0.9
  return { reports: [{ afterMs: 1, step: 1, metrics }], endAfterMs: durationMs, end: isLost ? 'lost' : end }
}

describe('a search that learns', () => {
  it('may use every sampler there is but the one that learns nothing', () => {
    expect([...learningSamplers, 'random'].sort()).toEqual([...samplers].sort())
  })

  describe.each(samplers)('by %s', (sampler) => {
    const spec = searchSpec({ sampler, count: 24 }, { seeds: [0, 1] })

    it('has the same table on 1, 2 and 8 workers, each setting once, and nothing is left', async () => {
      const tables: string[] = []
      for (const workers of [1, 2, 8]) {
        const lab = await openSearchLab(plainExperiment(), spec)
        expect(await lab.run({ model: valley, workers })).toEqual({})
        tables.push(lab.table())
        const points = [...lab.state.trials.values()].map(({ trial }) => trial.params['width'])
        expect(new Set(points).size).toBe(24)
        expect(points).toHaveLength(48)
        const { planned, finished, failed, unique } = lab.state.counts()
        expect({ finished, unique }).toEqual({ finished: planned - failed, unique: finished })
      }
      expect(new Set(tables).size).toBe(1)
    })

    it('has that table whichever event it was killed after, on other workers than before', async () => {
      const whole = await openSearchLab(plainExperiment(), spec)
      await whole.run({ model: valley, workers: 3 })
      const count = whole.journal().length
      // Each sampler is killed after other events, all of them together after every third.
      for (let kept = 1 + samplers.indexOf(sampler); kept < count; kept += 3 * samplers.length) {
        const lab = await openSearchLab(plainExperiment(), spec)
        await lab.run({ model: valley, workers: 3 })
        lab.keep(kept)
        await lab.run({ model: valley, workers: 1 + (kept % 8) })
        expect(lab.table(), `killed after event ${kept}`).toBe(whole.table())
      }
    })

    it('can be recomputed from its journal, and what was altered is found', async () => {
      const lab = await openSearchLab(plainExperiment(), spec)
      await lab.run({ model: valley, workers: 5 })
      const plan = await planSearch(plainExperiment(), spec, fingerprint)
      const made = [plainExperiment(), spec, fingerprint] as const
      expect(await recompute(plan, lab.journal(), ...made)).toEqual({ settings: 24, others: [], next: 'none' })
      const altered = lab.journal().map((event) => {
        if (event.type !== 'trials-added' || event.because['setting'] !== 13) return event
        return { ...event, because: { ...event.because, values: { width: 999 } } }
      })
      const { others } = await recompute(plan, altered, ...made)
      expect(others[0]).toMatch(/^setting 13 was suggested as width=999, and comes out as width=\d+$/)
    })
  })

  const everyOrder = ['fixed', 'arrival'] as const

  it.each(everyOrder)('goes on in order %s after a kill as its journal says, and can be recomputed', async (order) => {
    const spec = searchSpec({ sampler: 'tpe', count: 24, learning: { ...learning, order } }, { seeds: [0, 1] })
    for (const kept of [1, 9, 40, 77, 120]) {
      const lab = await openSearchLab(plainExperiment(), spec)
      await lab.run({ model: valley, workers: 5 })
      lab.keep(kept)
      const suggested = lab.journal().filter(({ type }) => type === 'trials-added')
      await lab.run({ model: valley, workers: 2 })
      expect(
        lab
          .journal()
          .filter(({ type }) => type === 'trials-added')
          .slice(0, suggested.length),
      ).toEqual(suggested)
      const plan = await planSearch(plainExperiment(), spec, fingerprint)
      const again = await recompute(plan, lab.journal(), plainExperiment(), spec, fingerprint)
      expect(again).toEqual({ settings: 24, others: [], next: 'none' })
    }
  })

  it('waits in order fixed for the setting that is due, and in order arrival for whichever comes first', async () => {
    const slow = ({ trial }: Assignment): SimulatedAttempt => ({
      reports: [],
      endAfterMs: trial.index === 0 ? 10_000 : 10,
      end: { state: 'finished', metrics: { 'train/loss': trial.index }, artifacts: {} },
    })
    for (const order of everyOrder) {
      const spec = searchSpec({ count: 12, learning: { ...learning, order } }, { seeds: [0] })
      const lab = await openSearchLab(plainExperiment(), spec)
      await lab.run({ model: slow, workers: 8 })
      const ends = lab.journal().flatMap((event) => (event.type === 'ended' ? [event.trial] : []))
      const first = [...lab.state.trials.keys()][0]!
      expect(ends.indexOf(first)).toBe(order === 'fixed' ? 3 : 11)
    }
  })

  it('learns from later stages too, and skips what derives from a trial that failed', async () => {
    const spec = searchSpec({ sampler: 'tpe', count: 14 }, { seeds: [0, 1, 2] })
    const tables: string[] = []
    for (const workers of [1, 8]) {
      const lab = await openSearchLab(toyExperiment(), spec)
      expect(await lab.run({ model: valley, workers })).toEqual({})
      // Of several parents without a result, the reason of a skip names the one that ended first.
      const rows = [...lab.state.trials.values()].map(({ trial, state }) => [trial, state])
      tables.push(JSON.stringify(rows))
      expect(lab.state.counts()).toMatchObject({ planned: 14 * (3 + 2 * 3), missing: 0, running: 0 })
    }
    expect(new Set(tables).size).toBe(1)
  })

  it('ends with all points tried where the space is finite, and has nothing more to suggest afterwards', async () => {
    const axes = { width: { kind: 'int' as const, low: 1, high: 9 } }
    for (const sampler of learningSamplers) {
      const lab = await openSearchLab(plainExperiment(), searchSpec({ sampler, axes, count: 50 }, { seeds: [0] }))
      expect(await lab.run({ model: valley, workers: 3 })).toEqual({})
      expect([...lab.state.trials.values()].map(({ trial }) => trial.params['width']).sort()).toEqual([
        ...[1, 2, 3, 4, 5, 6, 7, 8, 9],
      ])
      expect(lab.said).toContain('The search ends: all 9 points of the space tried.')
    }
  })

  it('teaches that a failed setting is the worst, or nothing where that is asked for', async () => {
    const fails = ({ trial }: Assignment): SimulatedAttempt => {
      const isBad = Number(trial.params['width']) > 30
      const finished: Outcome = { state: 'finished', metrics: { 'train/loss': 1 }, artifacts: {} }
      const failed: Outcome = { state: 'failed', error: { name: 'Error', message: `odd ${trial.id}` } }
      return { reports: [], endAfterMs: 10, end: isBad ? failed : finished }
    }
    const share = async (failed: 'worst' | 'ignore'): Promise<number> => {
      const spec = searchSpec({ sampler: 'tpe', count: 60, learning: { ...learning, failed } }, { seeds: [0] })
      const lab = await openSearchLab(plainExperiment(), spec)
      await lab.run({ model: fails, workers: 4, more: { limits: { ...defaultLimits, failingAlike: 0 } } })
      return lab.state.counts().failed
    }
    expect(await share('worst')).toBeLessThan(await share('ignore'))
  })

  it('says so where its journal lacks a setting, instead of going on from another one', async () => {
    const spec = searchSpec({ count: 12 }, { seeds: [0] })
    const lab = await openSearchLab(plainExperiment(), spec)
    await lab.run({ model: valley, workers: 4 })
    const lacking = lab.journal().filter((event) => event.type !== 'trials-added' || event.because['setting'] !== 6)
    const parts = searchParts(plainExperiment(), spec, fingerprint)
    const { trials, suggested = [] } = await planSearch(plainExperiment(), spec, fingerprint)
    expect(() => replayCourse(courseOf(parts, { trials, suggested }), lacking)).toThrow(
      'the journal tells of setting 7, and not of setting 6: its line is damaged',
    )
  })
})
