import { describe, expect, it } from 'vitest'
import { GridScheduler } from '../../../src/sweeps/scheduling/grid.js'
import type { Scheduler } from '../../../src/sweeps/scheduling/scheduler.js'
import {
  createScheduler,
  parseStopping,
  parseStoppingFlag,
  refuseUnplanned,
} from '../../../src/sweeps/scheduling/stopping.js'
import { SuccessiveHalvingScheduler } from '../../../src/sweeps/scheduling/successive-halving.js'
import type { Assignment, Outcome } from '../../../src/core/trial.js'
import type { SimulatedAttempt } from '../../../src/worker/simulated.js'
import { schedulerSuite, trialsOf } from '../../conformance/scheduler.js'
import { plainExperiment } from '../../helpers/experiments.js'
import { openLab, type Lab } from '../../helpers/sweep-lab.js'

const loss = { metric: 'loss', direction: 'minimize' } as const

schedulerSuite(
  'successive-halving',
  (inner) => new SuccessiveHalvingScheduler(inner, { ...loss, maxSteps: 9 }, trialsOf(20)),
)

describe('successive halving', () => {
  const begin = (count: number, options = {}) => {
    const trials = trialsOf(count)
    const scheduler = new SuccessiveHalvingScheduler(
      new GridScheduler(trials),
      { ...loss, maxSteps: 9, ...options },
      trials,
    )
    for (const _ of trials) scheduler.suggest()
    return { scheduler, trials }
  }
  /** Reports, and pauses where it is to. @returns whether it does. */
  const reach = (scheduler: Scheduler, trial: string, step: number, ...values: readonly number[]): boolean => {
    scheduler.observe({ trial, step, metrics: { loss: values[0]!, speed: values[1] ?? 0 } })
    const pauses = scheduler.mustPause!(trial)
    if (pauses) scheduler.recordPause!(trial)
    return pauses
  }
  const suggested = (scheduler: Scheduler) => {
    const [on, out]: [string[], string[]] = [[], []]
    for (let s = scheduler.suggest(); s !== undefined; s = scheduler.suggest())
      (s.stop === undefined ? on : out).push(s.trial.id)
    return { on, out }
  }
  const failed: Outcome = { state: 'failed', error: { name: 'Error', message: 'odd' } }

  it('decides a rung when all its trials have reached it: of 9 the best 3 go on, and of these the best', () => {
    const { scheduler } = begin(9)
    expect(scheduler.rungs).toEqual([1, 3])
    for (let i = 0; i < 8; i++) {
      expect(reach(scheduler, `t${i}`, 1, [5, 1, 9, 2, 8, 3, 7, 6][i]!)).toBe(true)
      expect(scheduler.suggest()).toBeUndefined()
    }
    reach(scheduler, 't8', 1, 4)
    expect(suggested(scheduler)).toEqual({ on: ['t1', 't3', 't5'], out: ['t0', 't2', 't4', 't6', 't7', 't8'] })
    // The first of the rung before need not be the first of this one.
    expect(reach(scheduler, 't1', 2, 1)).toBe(false)
    for (const [trial, value] of [
      ['t1', 3],
      ['t3', 2],
      ['t5', 1],
    ] as const)
      expect(reach(scheduler, trial, 3, value)).toBe(true)
    expect(suggested(scheduler)).toEqual({ on: ['t5'], out: ['t1', 't3'] })
    for (const step of [4, 8, 9]) expect(reach(scheduler, 't5', step, 99)).toBe(false)
  })

  it('lets those that tie go on, at least one always, and NaN never before a number', () => {
    const { scheduler } = begin(6)
    for (const [i, value] of [2, 1, 2, NaN, 3, 4].entries()) reach(scheduler, `t${i}`, 1, value)
    expect(suggested(scheduler).on).toEqual(['t0', 't1', 't2'])
    const { scheduler: two } = begin(2)
    for (const [i, value] of [NaN, 7].entries()) reach(two, `t${i}`, 1, value)
    expect(suggested(two)).toEqual({ on: ['t1'], out: ['t0'] })
  })

  it('waits for no trial that has ended, which leaves its place to others', () => {
    const { scheduler, trials } = begin(6)
    for (const i of [1, 2, 3, 4]) reach(scheduler, `t${i}`, 1, i)
    reach(scheduler, 't5', 1, 0)
    expect(scheduler.suggest()).toBeUndefined()
    scheduler.recordEnd(trials[0]!, failed)
    // Of the six that set out for it.
    expect(suggested(scheduler).on).toEqual(['t1', 't5'])
    scheduler.recordEnd(trials[5]!, failed)
    reach(scheduler, 't1', 3, 1)
    expect(suggested(scheduler)).toEqual({ on: ['t1'], out: [] })
  })

  it('judges a trial at every rung that one report of it passes', () => {
    const { scheduler } = begin(9)
    for (let i = 0; i < 9; i++) expect(reach(scheduler, `t${i}`, 5, i)).toBe(true)
    expect(suggested(scheduler)).toEqual({ on: ['t0'], out: ['t3', 't4', 't5', 't6', 't7', 't8', 't1', 't2'] })
  })

  it('judges one that comes when the others have gone on, as one that had failed, by all that reached the rung', () => {
    for (const [value, isOn] of [
      [0, true],
      [5, false],
    ] as const) {
      const trials = trialsOf(4)
      const options = { ...loss, maxSteps: 9, reduction: 4 }
      const scheduler = new SuccessiveHalvingScheduler(new GridScheduler(trials), options, trials)
      for (const _ of trials) scheduler.suggest()
      for (const i of [1, 2, 3]) reach(scheduler, `t${i}`, 1, i)
      scheduler.recordEnd(trials[0]!, failed)
      expect(suggested(scheduler).on).toEqual(['t1'])
      // As a resume of what failed has it: its end is not told.
      const again = new SuccessiveHalvingScheduler(new GridScheduler(trials), options, trials)
      for (const i of [1, 2, 3]) reach(again, `t${i}`, 1, i)
      expect(suggested(again).on).toEqual(['t0'])
      reach(again, 't0', 1, value)
      expect(suggested(again).on).toEqual([isOn ? 't0' : 't1'])
    }
  })

  it('goes by fronts with several objectives, of which each goes on as a whole', () => {
    const several = { ...loss, also: [{ metric: 'speed', direction: 'maximize' }] } as const
    const { scheduler } = begin(9, several)
    // Three on the first front; of the second, which begins within the places of none, none.
    const values = [
      [1, 1],
      [2, 2],
      [3, 3],
      [2, 1],
      [3, 1],
      [4, 1],
      [3, 2],
      [9, 0],
      [9, 1],
    ] as const
    for (const [i, value] of values.entries()) reach(scheduler, `t${i}`, 1, ...value)
    expect(suggested(scheduler).on).toEqual(['t0', 't1', 't2'])
  })

  it('judges neither what the plan has grown by, nor what derives from other trials', () => {
    const { scheduler } = begin(3)
    scheduler.add([{ ...trialsOf(4)[3]! }], () => undefined)
    expect(reach(scheduler, 't3', 5, 9)).toBe(false)
    expect(suggested(scheduler).on).toEqual(['t3'])
  })

  it.each([
    [{ minSteps: 0, maxSteps: 9 }, /successive-halving: minSteps 0 and maxSteps 9/],
    [{ maxSteps: 9, reduction: 1 }, /successive-halving: reduction 1/],
  ])('refuses %j', (options, message) => {
    expect(() => new SuccessiveHalvingScheduler(new GridScheduler([]), { ...loss, ...options }, [])).toThrow(message)
  })

  it('goes with rules that look at one trial, in any order, and with no other', () => {
    const created = (...rules: string[]) =>
      createScheduler(
        trialsOf(9),
        rules.map((rule) => parseStoppingFlag(rule)),
        loss,
      )
    const own = 'successive-halving:maxSteps=9'
    for (const rules of [
      ['target:value=0', own],
      [own, 'target:value=0'],
    ]) {
      const scheduler = created(...rules)
      expect(reach(scheduler, 't0', 1, 5)).toBe(true)
    }
    for (const other of ['asha:maxSteps=9', 'hyperband:maxSteps=9', 'median', own])
      expect(() => created(other, own)).toThrow(/both compare trials, and successive-halving waits for all/)
    expect(() => created('successive-halving')).toThrow(/successive-halving needs maxSteps here/)
  })

  it('is refused in a search that suggests settings only when others have ended', () => {
    const rules = parseStopping({ 'successive-halving': { maxSteps: 9 } })
    expect(() => refuseUnplanned(rules, { sampler: 'tpe', learning: {} })).toThrow(
      /successive-halving waits at each rung for all trials, and tpe suggests settings only when others have ended/,
    )
    expect(() => refuseUnplanned(rules, { sampler: 'sobol' })).not.toThrow()
  })
})

describe('a sweep by successive halving', () => {
  const objective = { metric: 'train/loss', direction: 'minimize' } as const
  const steps = 9
  /** The order at step 1 is not the order at step 3, and the first there is not the best in the end. */
  const curveOf = (i: number): number[] => Array.from({ length: steps }, (_, s) => ((i * (s + 2) * 7) % 13) + i / 100)
  // Worked by hand: at step 1 (multiples of 14 modulo 13: i itself) the best three are trials 0, 1 and 2; at step 3 (28: twice i)
  // they have 0, 2.01 and 4.02, so trial 0 goes on alone.
  const table = Array.from({ length: 9 }, (_, i) => (i === 0 ? 'finished 0' : `stopped ${curveOf(i)[i < 3 ? 2 : 0]!}`))

  const model = ({ trial: { index } }: Assignment): SimulatedAttempt => {
    const curve = curveOf(index)
    return {
      reports: curve.map((value, s) => ({
        afterMs: 1 + ((index * 5 + s) % 7),
        step: s + 1,
        metrics: { 'train/loss': value },
      })),
      endAfterMs: 1,
      end: { state: 'finished', metrics: { 'train/loss': curve.at(-1)! }, artifacts: {} },
    }
  }
  const open = (rules: unknown = { 'successive-halving': { maxSteps: steps } }): Lab => {
    const axes = { width: Array.from({ length: 9 }, (_, i) => i + 1) }
    const lab = openLab(plainExperiment(), { axes, seeds: [0] }, () =>
      createScheduler(lab.trials, parseStopping(rules), objective),
    )
    return lab
  }
  const tableOf = (lab: Lab) =>
    [...lab.state.trials.values()].map(
      ({ outcome }) =>
        `${outcome?.state} ${outcome !== undefined && 'metrics' in outcome ? outcome.metrics['train/loss'] : ''}`,
    )

  it.each([1, 2, 8])('comes to the table that is worked by hand on %d workers', async (workers) => {
    const lab = open()
    await lab.run({ model, workers })
    expect(tableOf(lab)).toEqual(table)
    // 9 begin, 3 go on, 1 goes on: each pause but the last of a trial is followed by a start.
    const count = (kind: string) => lab.journal().filter(({ type }) => type === kind).length
    expect([count('started'), count('paused'), count('stopping')]).toEqual([13, 12, 0])
    expect(lab.state.trials.get(lab.trials[1]!.id)!.outcome).toMatchObject({
      reason: 'not among the best 1 of 3 trials at step 3',
    })
    expect(lab.state.counts()).toMatchObject({ planned: 9, finished: 9, unique: 9, stopped: 8, missing: 0 })
  })

  it.each([1, 2, 8])(
    'comes to that table on any workers after it was killed at any event of %d workers',
    async (workers) => {
      const whole = open()
      await whole.run({ model, workers })
      const events = whole.journal().length
      for (let kept = events - 1; kept >= 0; kept--) {
        whole.keep(kept)
        await whole.run({ model, workers: [1, 2, 8][kept % 3]! })
        expect(tableOf(whole), `killed after ${kept} events`).toEqual(table)
      }
    },
  )

  it('lets a trial that reaches its target end there, and the others decide without it', async () => {
    const lab = open([{ 'successive-halving': { maxSteps: steps } }, { target: { value: 0 } }])
    await lab.run({ model, workers: 2 })
    // Trial 0 has its 0 at step 1, and takes a place there; of the two that go on, trial 1 is the better at step 3.
    expect(tableOf(lab).slice(0, 3)).toEqual([
      'stopped 0',
      `finished ${curveOf(1).at(-1)!}`,
      `stopped ${curveOf(2)[2]!}`,
    ])
  })

  it('goes on after a drain where its paused trials stand', async () => {
    const lab = open()
    const drain = new AbortController()
    let reports = 0
    const first = await lab.run({
      model,
      workers: 1,
      drain: drain.signal,
      onEvent: ({ type }) => void (type === 'paused' && ++reports === 5 && drain.abort()),
    })
    expect(first.cutShort).toBe('interrupted')
    expect(lab.state.counts()).toMatchObject({ finished: 0, missing: 9 })
    await lab.run({ model, workers: 8 })
    expect(tableOf(lab)).toEqual(table)
  })
})
