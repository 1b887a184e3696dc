import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GridScheduler } from '../../src/sweeps/scheduling/grid.js'
import type { ScheduledReport, Scheduler } from '../../src/sweeps/scheduling/scheduler.js'
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

    it('suggests what the plan grows by, as if it had been planned at first', () => {
      const [first, added] = [trialsOf(20).slice(0, 12), trialsOf(20).slice(12)]
      const scheduler = wrap(new GridScheduler(first))
      const seen: string[] = []
      const drain = (): void => {
        for (let s = scheduler.suggest(); s !== undefined; s = scheduler.suggest()) seen.push(s.trial.id)
      }
      drain()
      scheduler.add(added, () => undefined)
      drain()
      expect(seen).toEqual([...first, ...added].map(({ id }) => id))
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

    it('counts what an attempt carries on from a checkpoint as before, what was reported later for nothing, and judges neither again', () => {
      const report = fc.record({ trial: fc.nat(9), value: fc.nat(9) })
      fc.assert(
        fc.property(
          fc.array(report, { maxLength: 60 }),
          fc.array(fc.nat(9), { maxLength: 6 }),
          fc.array(report, { minLength: 1, maxLength: 60 }),
          fc.nat(9),
          (earlier, lost, later, resumed) => {
            const told = (isResumed: boolean) => {
              const scheduler = wrap(new GridScheduler(trialsOf(10)))
              const made = new Map<number, ScheduledReport[]>()
              const stopped = new Set<number>()
              const tell = ({ trial, value }: { trial: number; value: number }) => {
                if (stopped.has(trial)) return 'stopped before'
                const before = made.get(trial) ?? []
                const next = { trial: `t${trial}`, step: before.length + 1, metrics: { loss: value } }
                made.set(trial, [...before, next])
                const decision = scheduler.observe(next)
                if (decision === 'stop') stopped.add(trial)
                return decision
              }
              earlier.forEach(tell)
              if (isResumed && !stopped.has(resumed)) {
                const carried = made.get(resumed) ?? []
                for (const value of lost) tell({ trial: resumed, value })
                stopped.delete(resumed)
                scheduler.forget(`t${resumed}`)
                carried.forEach((one) => scheduler.restore(one))
                made.set(resumed, carried)
              }
              return later.map(tell)
            }
            expect(told(true)).toEqual(told(false))
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
