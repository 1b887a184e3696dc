import { describe, expect, it } from 'vitest'
import { GridScheduler } from '../../src/sweeps/grid.js'
import type { Scheduler } from '../../src/sweeps/scheduler.js'
import type { Trial } from '../../src/trial.js'

export const trialsOf = (count: number): Trial[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `t${index}`,
    index,
    experiment: 'toy',
    version: 1,
    stage: 'main',
    params: {},
    seeds: { data: 0, init: 0, shuffle: 0, corruption: 0 },
    parents: [],
    cost: 1,
  }))

/** What every scheduler promises, wrapped around a grid. */
export function schedulerSuite(name: string, wrap: (inner: Scheduler) => Scheduler): void {
  describe(`the ${name} scheduler`, () => {
    it('suggests every trial exactly once', () => {
      const scheduler = wrap(new GridScheduler(trialsOf(20)))
      const seen: string[] = []
      for (let s = scheduler.suggest(); s !== undefined; s = scheduler.suggest()) seen.push(s.trial.id)
      expect(seen.sort()).toEqual(
        trialsOf(20)
          .map((t) => t.id)
          .sort(),
      )
    })

    it('does not suggest what was concluded before', () => {
      const trials = trialsOf(3)
      const scheduler = wrap(new GridScheduler(trials))
      scheduler.conclude(trials[1]!, { state: 'finished', metrics: {}, artifacts: {} })
      expect([scheduler.suggest()?.trial.id, scheduler.suggest()?.trial.id, scheduler.suggest()]).toEqual([
        't0',
        't2',
        undefined,
      ])
    })

    it('decides the same when it is told the same again', () => {
      const reports = Array.from({ length: 300 }, (_, i) => ({
        trial: `t${(i * 7) % 20}`,
        step: 1 + Math.floor(i / 20),
        metrics: { loss: ((i * 37) % 101) / 10 },
      }))
      const decide = () => {
        const scheduler = wrap(new GridScheduler(trialsOf(20)))
        return reports.map((report) => scheduler.observe(report))
      }
      expect(decide()).toEqual(decide())
    })

    it('goes on where a report lacks the metric', () => {
      expect(wrap(new GridScheduler(trialsOf(1))).observe({ trial: 't0', step: 1, metrics: { other: 1 } })).toBe(
        'continue',
      )
    })
  })
}
