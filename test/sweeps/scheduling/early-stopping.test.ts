import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AshaScheduler } from '../../../src/sweeps/scheduling/asha.js'
import { createScheduler, parseStoppingFlag } from '../../../src/sweeps/scheduling/stopping.js'
import { textHash } from '../../../src/core/seed.js'
import { HyperbandScheduler } from '../../../src/sweeps/scheduling/hyperband.js'
import { PlateauScheduler } from '../../../src/sweeps/scheduling/plateau.js'
import { TargetScheduler } from '../../../src/sweeps/scheduling/target.js'
import { GridScheduler } from '../../../src/sweeps/scheduling/grid.js'
import { MedianScheduler } from '../../../src/sweeps/scheduling/median.js'
import type { Scheduler } from '../../../src/sweeps/scheduling/scheduler.js'
import { schedulerSuite, trialsOf } from '../../conformance/scheduler.js'

const loss = { metric: 'loss', direction: 'minimize' } as const
const grid = (): GridScheduler => new GridScheduler(trialsOf(20))
const at = (scheduler: Scheduler, trial: string, step: number, value: number) =>
  scheduler.observe({ trial, step, metrics: { loss: value } })

schedulerSuite('grid', (inner) => inner)
schedulerSuite('asha', (inner) => new AshaScheduler(inner, { ...loss, maxSteps: 9 }))
schedulerSuite('hyperband', (inner) => new HyperbandScheduler(inner, { ...loss, maxSteps: 9 }))
schedulerSuite('median', (inner) => new MedianScheduler(inner, loss))
schedulerSuite('plateau', (inner) => new PlateauScheduler(inner, { ...loss, patience: 2, minDelta: 1 }))
schedulerSuite('target', (inner) => new TargetScheduler(inner, { ...loss, value: 1 }))
schedulerSuite('plateau in median in asha', (inner) => {
  const median = new MedianScheduler(
    new TargetScheduler(new PlateauScheduler(inner, { ...loss, patience: 3 }), { ...loss, value: 0 }),
    loss,
  )
  return new AshaScheduler(median, { ...loss, maxSteps: 9 })
})

describe('asha', () => {
  it('has the rungs of the paper: r, rη, rη² … below R', () => {
    const rungs = (minSteps: number, maxSteps: number, reduction: number) =>
      new AshaScheduler(grid(), { ...loss, minSteps, maxSteps, reduction }).rungs
    // Li et al. 2020, table 1: r = 1, R = 9, η = 3 has rungs 1, 3 and the full 9.
    expect(rungs(1, 9, 3)).toEqual([1, 3])
    expect(rungs(1, 81, 3)).toEqual([1, 3, 9, 27])
    expect(rungs(4, 64, 4)).toEqual([4, 16])
  })

  it('lets the first arrivals on, then only those among the best third so far', () => {
    const asha = new AshaScheduler(grid(), { ...loss, maxSteps: 9 })
    // Worked by hand: with n values seen, ⌊n/3⌋ places; none to give before the third.
    expect([5, 4, 3, 6, 2, 1, 9, 2.5, 0].map((value, i) => at(asha, `t${i}`, 1, value))).toEqual([
      'continue', // first
      'continue', // second
      'continue', // best of 3, one place
      'stop', // 4th best of 4
      'continue', // best of 5
      'continue', // best of 6
      'stop', // last of 7
      'stop', // 3rd of 8, two places
      'continue', // best of 9
    ])
  })

  it('judges a trial once a rung, however often and late it reports', () => {
    const asha = new AshaScheduler(grid(), { ...loss, maxSteps: 9 })
    for (const [i, value] of [3, 2, 1].entries()) at(asha, `t${i}`, 1, value)
    expect(at(asha, 't0', 1, 3)).toBe('continue')
    expect(at(asha, 't0', 2, 3)).toBe('continue')
    expect(at(asha, 't5', 1, 4)).toBe('stop')
  })

  it('judges late and out-of-order reports by whoever has arrived at the rung by then', () => {
    const asha = new AshaScheduler(grid(), { ...loss, maxSteps: 9 })
    // One trial is far ahead: alone at both rungs, it goes on.
    expect([1, 2, 3, 4].map((step) => at(asha, 't0', step, 5))).toEqual(Array(4).fill('continue'))
    // The next to come is second of two at the first rung: ⌊2/3⌋ places, so nobody is stopped yet.
    expect(at(asha, 't1', 1, 6)).toBe('continue')
    // A step that was left out: this one passes both rungs at once, the best of three, then the best of two.
    expect(at(asha, 't2', 3, 1)).toBe('continue')
    // Third rung-one value of four, one place: stopped, though it began before the others ended.
    expect(at(asha, 't3', 1, 5.5)).toBe('stop')
    // t1 comes late to the second rung: third of three, one place.
    expect(at(asha, 't1', 3, 5.9)).toBe('stop')
    // A report of an earlier step after a later one decides nothing again.
    expect(at(asha, 't2', 1, 99)).toBe('continue')
    // And what was judged at a rung stays: a better one than all is let on in either place.
    expect(at(asha, 't4', 1, 0.5)).toBe('continue')
    expect(at(asha, 't4', 3, 0.5)).toBe('continue')
  })

  it('depends on the order of arrival as the stopping variant must: the best first stop all others, the worst first nobody', () => {
    // Li et al. 2020, figure 1, bracket 0 (η = 3, R = 9): 9 configurations at step 1. Waiting for all of them would let on
    // 3, then 1; the asynchronous rule judges each by those before it.
    const reach = (values: readonly number[]): number[] => {
      const asha = new AshaScheduler(grid(), { ...loss, maxSteps: 9 })
      const second = values.filter((value, i) => at(asha, `t${i}`, 1, value) === 'continue')
      const third = second.filter((value) => at(asha, `t${values.indexOf(value)}`, 3, value) === 'continue')
      return [second.length, third.length]
    }
    // 1 and 2 come when there are no places to give yet; whoever follows is the last of those seen, outside every place.
    expect(reach([1, 2, 3, 4, 5, 6, 7, 8, 9])).toEqual([2, 2])
    expect(reach([9, 8, 7, 6, 5, 4, 3, 2, 1])).toEqual([9, 9])
  })

  it('takes NaN for the worst, and the greatest for the best when it maximises', () => {
    const asha = new AshaScheduler(grid(), { metric: 'loss', direction: 'maximize', maxSteps: 9 })
    expect([1, 2, 3, NaN, 2.5].map((value, i) => at(asha, `t${i}`, 1, value))).toEqual([
      'continue',
      'continue',
      'continue',
      'stop',
      'stop',
    ])
  })

  it.each([
    [{ minSteps: 0, maxSteps: 9 }, /minSteps 0/],
    [{ minSteps: 10, maxSteps: 9 }, /minSteps 10/],
    [{ maxSteps: 9, reduction: 1 }, /reduction 1/],
  ])('refuses %j', (options, message) => {
    expect(() => new AshaScheduler(grid(), { ...loss, ...options })).toThrow(message)
  })
})

describe('asha with several objectives', () => {
  const several = { ...loss, also: [{ metric: 'speed', direction: 'maximize' }] } as const
  const reach = (asha: Scheduler, trial: string, step: number, [loss, speed]: readonly number[]) =>
    asha.observe({ trial, step, metrics: { loss: loss!, ...(speed === undefined ? {} : { speed }) } })

  it('lets on what is of a front before the best third of those seen, a whole front at a time', () => {
    const asha = new AshaScheduler(grid(), { ...several, maxSteps: 9 })
    const seen = [
      [5, 5],
      [4, 6],
      [6, 7],
      [7, 4],
      [3, 1],
      [8, 3],
      [4, 6],
      [9, 2],
      [1, 9],
    ]
    // Worked by hand: from the third on ⌊n/3⌋ places; of the front are (4,6), (6,7), (3,1), (4,6), then (1,9) alone.
    expect(seen.map((values, i) => reach(asha, `t${i}`, 1, values))).toEqual([
      'continue', // no place yet
      'continue', // no place yet
      'continue', // front of (4,6), (6,7)
      'stop', // two are of the front, and there is one place
      'continue', // front
      'stop',
      'continue', // equal to one of the front
      'stop',
      'continue',
    ])
  })

  it('forgets a lost attempt, takes NaN for the worst, and judges nobody by half of the objectives', () => {
    const asha = new AshaScheduler(grid(), { ...several, maxSteps: 9 })
    for (const i of [0, 1, 2]) reach(asha, `t${i}`, 1, [1, 9])
    expect(reach(asha, 't3', 1, [NaN, 1])).toBe('stop')
    expect(reach(asha, 't4', 1, [5])).toBe('continue')
    for (const i of [0, 1, 2]) asha.forget(`t${i}`)
    expect(reach(asha, 't5', 1, [2, 8])).toBe('continue')
  })

  it('decides as the definition says, whatever comes', () => {
    const beats = (a: readonly number[], b: readonly number[]) =>
      a[0]! <= b[0]! && a[1]! >= b[1]! && (a[0]! < b[0]! || a[1]! > b[1]!)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { minLength: 1, maxLength: 20 }), (seen) => {
        const asha = new AshaScheduler(grid(), { ...several, maxSteps: 9 })
        seen.forEach((values, i) => {
          const all = seen.slice(0, i + 1)
          // Peel front after front until the new one's.
          let [left, better] = [all, 0]
          for (;;) {
            const front = left.filter((one) => !left.some((other) => beats(other, one)))
            if (front.includes(values)) break
            better += front.length
            left = left.filter((one) => !front.includes(one))
          }
          const places = Math.floor(all.length / 3)
          expect(reach(asha, `t${i}`, 1, values)).toBe(places === 0 || better < places ? 'continue' : 'stop')
        })
      }),
    )
  })

  it('is asked for without a metric; of rules that go by one metric, one must be said', () => {
    const created = (rule: string) => createScheduler(trialsOf(9), [parseStoppingFlag(rule)], several)
    expect(created('asha:maxSteps=9').interactive).toBe(true)
    expect(created('hyperband:maxSteps=9').interactive).toBe(true)
    expect(() => created('median')).toThrow(/median judges by one metric, and there are 2 objectives/)
    expect(() => created('asha:maxSteps=9,direction=minimize')).toThrow(/asha judges by one metric/)
    expect(created('median:metric=speed').interactive).toBe(true)
  })
})

describe('hyperband', () => {
  it('has the brackets of the paper, and shares of trials as it says', () => {
    // Li et al. 2018, table 1: R = 81, η = 3 has five brackets, of 81, 34, 15, 8 and 5 configurations.
    const hyperband = new HyperbandScheduler(grid(), { ...loss, maxSteps: 81 })
    expect(hyperband.size).toBe(5)
    const counts = new Array<number>(5).fill(0)
    for (let i = 0; i < 14_300; i++) counts[hyperband.bracketOf(textHash(`trial ${i}`))]!++
    for (const [b, share] of [81, 34, 15, 8, 5].entries())
      expect(Math.abs(counts[b]! / 100 - share)).toBeLessThan(3 * Math.sqrt(share / 100) + 0.5)
  })

  it('judges a trial among those of its bracket alone, from the bracket’s first step on', () => {
    const hyperband = new HyperbandScheduler(grid(), { ...loss, maxSteps: 9 })
    const ids = Array.from({ length: 200 }, (_, i) => `trial-${i}`)
    const of = (b: number) => ids.filter((id) => hyperband.bracketOf(id) === b)
    const [first, second, third] = [of(0), of(1), of(2)]
    for (const id of first.slice(0, 3)) expect(at(hyperband, id, 1, 1)).toBe('continue')
    // No bracket but the first judges at step 1, none but the first two at 3, and the third never.
    for (const id of [...second, ...third]) expect(at(hyperband, id, 1, 9)).toBe('continue')
    expect(at(hyperband, first[3]!, 1, 9)).toBe('stop')
    for (const id of second.slice(0, 3)) at(hyperband, id, 3, 1)
    expect(at(hyperband, second[3]!, 3, 9)).toBe('stop')
    for (const id of third) for (const step of [3, 8]) expect(at(hyperband, id, step, 9)).toBe('continue')
  })

  it.each([
    [{ minSteps: 0, maxSteps: 9 }, /hyperband: minSteps 0/],
    [{ maxSteps: 9, reduction: 1 }, /hyperband: reduction 1/],
  ])('refuses %j', (options, message) => {
    expect(() => new HyperbandScheduler(grid(), { ...loss, ...options })).toThrow(message)
  })
})

/** The definition, with nothing kept but what was reported; two others suffice, and none is stopped at step 1. */
function naiveMedian(sign: 1 | -1) {
  const values = new Map<string, number[]>()
  const averages = new Map<number, Map<string, number>>()
  return (trial: string, step: number, raw: number) => {
    const own = values.get(trial) ?? []
    values.set(trial, own)
    own.push(Number.isNaN(raw) ? Infinity : sign * raw)
    const atStep = averages.get(step) ?? new Map<string, number>()
    averages.set(step, atStep)
    const others = [...atStep].flatMap(([other, average]) => (other === trial ? [] : [average])).sort((a, b) => a - b)
    const mean = own.reduce((a, b) => a + b, 0) / own.length
    atStep.set(trial, Number.isNaN(mean) ? Infinity : mean)
    if (step <= 1 || others.length < 2) return 'continue'
    const [low, high] = [others[(others.length - 1) >> 1]!, others[others.length >> 1]!]
    return Math.min(...own) > (low + high) / 2 ? 'stop' : 'continue'
  }
}

describe('median stop', () => {
  it('stops a trial whose best is worse than the median of the running averages at its step', () => {
    const median = new MedianScheduler(grid(), { ...loss, minTrials: 3 })
    for (const trial of ['t0', 't1', 't2']) {
      at(median, trial, 1, 4)
      at(median, trial, 2, 2)
    }
    // Running averages at step 2 are 3, 3, 3.
    at(median, 't3', 1, 5)
    expect(at(median, 't3', 2, 3.5)).toBe('stop')
    at(median, 't4', 1, 5)
    expect(at(median, 't4', 2, 2.9)).toBe('continue')
  })

  it('decides as its definition says, however trials and steps come', () => {
    const report = fc.record({
      trial: fc.nat(7),
      step: fc.integer({ min: 1, max: 4 }),
      value: fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(NaN, Infinity, 0.1, -0)),
    })
    fc.assert(
      fc.property(
        fc.array(report, { maxLength: 80 }),
        fc.constantFrom('minimize', 'maximize'),
        (reports, direction) => {
          const median = new MedianScheduler(grid(), { metric: 'loss', direction, minTrials: 2 })
          const naive = naiveMedian(direction === 'minimize' ? 1 : -1)
          for (const { trial, step, value } of reports)
            expect(at(median, `t${trial}`, step, value)).toBe(naive(`t${trial}`, step, value))
        },
      ),
    )
  })

  it('waits for enough others and for the grace period', () => {
    const median = new MedianScheduler(grid(), { ...loss, graceSteps: 3, minTrials: 2 })
    for (const trial of ['t0', 't1']) for (let step = 1; step <= 4; step++) at(median, trial, step, 1)
    expect([1, 2, 3, 4].map((step) => at(median, 't2', step, 9))).toEqual(['continue', 'continue', 'continue', 'stop'])
    expect(at(new MedianScheduler(grid(), loss), 't0', 50, 1e9)).toBe('continue')
  })
})

describe('enough', () => {
  it('stops at the target, and after so many reports without progress', () => {
    const enough = new TargetScheduler(new PlateauScheduler(grid(), { ...loss, patience: 2, minDelta: 0.01 }), {
      ...loss,
      value: 0.1,
    })
    expect([0.5, 0.3, 0.1].map((value, i) => at(enough, 't0', i, value))).toEqual(['continue', 'continue', 'stop'])
    expect([0.5, 0.495, 0.48].map((value, i) => at(enough, 't1', i, value))).toEqual([
      'continue',
      'continue',
      'continue',
    ])
    expect([0.5, 0.5, 0.5].map((value, i) => at(enough, 't2', i, value))).toEqual(['continue', 'continue', 'stop'])
  })
})
