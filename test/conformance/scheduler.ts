import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GridScheduler } from '../../src/sweeps/scheduling/grid.js'
import type { Scheduler } from '../../src/sweeps/scheduling/scheduler.js'
import type { Trial } from '../../src/core/trial.js'

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
      scheduler.recordEnd(trials[1]!, { state: 'finished', metrics: {}, artifacts: {} })
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

    it('judges an attempt begun anew as if it were the first: what a lost one reported counts for nobody', () => {
      const report = fc.record({ trial: fc.nat(9), value: fc.nat(9) })
      fc.assert(
        fc.property(
          fc.array(report, { maxLength: 60 }),
          fc.array(report, { minLength: 1, maxLength: 60 }),
          fc.nat(9),
          (earlier, later, lost) => {
            const told = (before: typeof earlier) => {
              const scheduler = wrap(new GridScheduler(trialsOf(10)))
              const steps = new Map<number, number>()
              const tell = ({ trial, value }: { trial: number; value: number }) => {
                const step = (steps.get(trial) ?? 0) + 1
                steps.set(trial, step)
                return scheduler.observe({ trial: `t${trial}`, step, metrics: { loss: value } })
              }
              before.forEach(tell)
              scheduler.forget(`t${lost}`)
              steps.delete(lost)
              return later.map(tell)
            }
            expect(told(earlier)).toEqual(told(earlier.filter(({ trial }) => trial !== lost)))
          },
        ),
      )
    })

    it('passes over a beginning of which there is nothing to forget', () => {
      const scheduler = wrap(new GridScheduler(trialsOf(2)))
      for (const trial of ['t0', 't1', 'unknown', 't0']) scheduler.forget(trial)
      expect(scheduler.suggest()?.trial.id).toBe('t0')
    })

    it('goes on where a report lacks the metric', () => {
      expect(wrap(new GridScheduler(trialsOf(1))).observe({ trial: 't0', step: 1, metrics: { other: 1 } })).toBe(
        'continue',
      )
    })
  })
}
