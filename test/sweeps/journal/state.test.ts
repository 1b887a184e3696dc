import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JournalEvent } from '../../../src/sweeps/journal/journal.js'
import { buildRecords } from '../../../src/sweeps/journal/records.js'
import { isComplete, SweepState } from '../../../src/sweeps/journal/state.js'
import type { Trial } from '../../../src/core/trial.js'

const trials: Trial[] = ['a', 'b'].map((id, index) => ({
  id,
  index,
  experiment: 'toy',
  version: 1,
  stage: 'main',
  params: { width: index },
  seeds: { data: 0, init: 0, shuffle: 0, corruption: 0 },
  parents: [],
  cost: 1,
}))
const started = (trial: string, attempt = 1): JournalEvent => ({
  type: 'started',
  trial,
  attempt,
  atMs: 1,
  worker: 'w',
})
const report = (trial: string, step: number, loss: number, attempt = 1): JournalEvent => ({
  type: 'report',
  trial,
  attempt,
  atMs: 2,
  step,
  metrics: { loss },
})
const ended = (trial: string, attempt = 1): JournalEvent => ({
  type: 'ended',
  trial,
  attempt,
  atMs: 3,
  outcome: { state: 'finished', metrics: { loss: 0 }, artifacts: {} },
})

describe('a sweep’s state', () => {
  it('is complete when every trial has one result', () => {
    const state = new SweepState(trials)
    for (const event of [started('a'), ended('a'), started('b'), ended('b')]) state.apply(event)
    expect(state.counts()).toMatchObject({ planned: 2, finished: 2, unique: 2, missing: 0 })
    expect(isComplete(state.counts())).toBe(true)
  })

  it('shows a result that was accepted twice', () => {
    const state = new SweepState(trials)
    for (const event of [started('a'), ended('a'), started('b'), ended('b'), started('a', 2), ended('a', 2)])
      state.apply(event)
    expect(state.counts()).toMatchObject({ finished: 3, unique: 2 })
    expect(isComplete(state.counts())).toBe(false)
  })

  it('takes nothing to be running after a process died', () => {
    const state = new SweepState(trials)
    state.apply(started('a'))
    expect(state.counts()).toMatchObject({ running: 1, missing: 1 })
    state.forgetRunning()
    expect(state.counts()).toMatchObject({ running: 0, missing: 2 })
  })

  it('knows at once how many trials have ended, whatever came', () => {
    const lost = (trial: string): JournalEvent => ({ type: 'lost', trial, attempt: 1, atMs: 2, reason: 'gone' })
    const event = fc
      .constantFrom('a', 'b', 'gone')
      .chain((trial) =>
        fc.constantFrom<JournalEvent>(
          started(trial),
          report(trial, 1, 2),
          ended(trial),
          ended(trial, 2),
          lost(trial),
          { type: 'ended', trial, attempt: 1, atMs: 4, outcome: { state: 'skipped', reason: 'no parent' } },
          { type: 'voided', atMs: 5 },
          { type: 'opened', format: 1, sweep: 's', planHash: 'h', codeVersion: 'v', atMs: 1 },
        ),
      )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), fc.nat(3), (events, again) => {
        const state = new SweepState(trials)
        for (const one of events) state.apply(one)
        const open = (): number => state.counts().missing + state.counts().running
        expect(state.ended).toBe(trials.length - open())
        const left = [...state.trials.values()].slice(0, again)
        const before = left.map((trial) => ({ ...trial }))
        for (const trial of left) state.planAgain(trial)
        expect(state.ended).toBe(trials.length - open())
        left.forEach((trial, i) => state.putBack(trial, before[i]!))
        expect(state.ended).toBe(trials.length - open())
      }),
    )
  })

  it('passes over events of trials it does not plan', () => {
    const state = new SweepState(trials)
    state.apply(ended('gone'))
    expect(state.counts()).toMatchObject({ finished: 0, planned: 2 })
  })
})

describe('results that are void', () => {
  const voided: JournalEvent = { type: 'voided', atMs: 5 }
  const events = [started('a'), report('a', 1, 9), ended('a'), started('b'), ended('b'), voided]

  it('count for nothing, while attempts go on being counted', () => {
    const state = new SweepState(trials)
    for (const event of events) state.apply(event)
    expect(state.counts()).toMatchObject({ finished: 0, unique: 0, missing: 2 })
    for (const event of [started('a', 2), ended('a', 2)]) state.apply(event)
    expect(state.counts()).toMatchObject({ finished: 1, unique: 1, missing: 1 })
    expect(state.trials.get('b')).toMatchObject({ attempts: 1, state: 'planned' })
  })

  it('are in no record', () => {
    const [a, b] = buildRecords(trials, [...events, started('a', 2)])
    expect(a).toMatchObject({ state: 'running', attempts: 2, metrics: {}, series: {} })
    expect(b).toMatchObject({ state: 'planned', attempts: 1, metrics: {}, series: {} })
    expect(b).not.toHaveProperty('outcome')
  })
})

describe('a trial that diverged', () => {
  const opened = (format: number): JournalEvent => ({
    ...{ type: 'opened', format, sweep: 's', planHash: 'h', codeVersion: '0', atMs: 0 },
  })
  const diverged = (trial: string, attempt = 1): JournalEvent => ({
    ...{ type: 'ended', trial, attempt, atMs: 3 },
    outcome: { state: 'diverged', metric: 'loss', step: 2, metrics: { loss: NaN }, artifacts: {} },
  })
  const countsOf = (planned: readonly Trial[], events: readonly JournalEvent[]) => {
    const state = new SweepState(planned)
    for (const event of events) state.apply(event)
    return state.counts()
  }

  it('has ended: the sweep is complete', () => {
    const counts = countsOf(trials, [opened(2), started('a'), ended('a'), started('b'), diverged('b')])
    expect(counts).toMatchObject({ planned: 2, finished: 2, unique: 2, diverged: 1, failed: 0, missing: 0 })
    expect(isComplete(counts)).toBe(true)
  })

  it('must not have run twice, but for journals of the time when a resume ran it again', () => {
    const twice = [started('a'), ended('a'), started('b'), diverged('b'), started('b', 2), diverged('b', 2)]
    expect(isComplete(countsOf(trials, [opened(2), ...twice]))).toBe(false)
    expect(countsOf(trials, [opened(1), ...twice])).toMatchObject({ finished: 2, unique: 2, diverged: 1 })
    const recovered = [...twice.slice(0, -1), ended('b', 2)]
    expect(countsOf(trials, [opened(1), ...recovered])).toMatchObject({ finished: 2, unique: 2, diverged: 0 })
  })

  it('leaves nothing to run of what derives from it, over any number of stages', () => {
    const child = (id: string, parents: readonly string[]): Trial => ({ ...trials[0]!, id, parents })
    const planned = [...trials, child('c', ['a', 'b']), child('d', ['c']), child('e', ['a'])]
    const skipped = (trial: string): JournalEvent => ({
      ...{ type: 'ended', trial, attempt: 0, atMs: 4 },
      outcome: { state: 'skipped', reason: 'its parent diverged' },
    })
    const events = [started('a'), ended('a'), started('b'), diverged('b'), skipped('c'), skipped('d')]
    expect(isComplete(countsOf(planned, [...events, started('e'), ended('e')]))).toBe(true)
    const unlucky = countsOf(planned, [...events, skipped('e')])
    expect(unlucky).toMatchObject({ skipped: 3, skippedForGood: 2 })
    expect(isComplete(unlucky)).toBe(false)
  })
})

describe('records', () => {
  it('keep the series of the attempt that counts, in plan order', () => {
    const events = [
      started('b'),
      report('b', 1, 5),
      started('b', 2),
      report('b', 1, 4, 2),
      report('b', 2, 3, 2),
      ended('b', 2),
    ]
    const [a, b] = buildRecords(trials, events)
    expect(a).toMatchObject({ state: 'planned', attempts: 0, series: {}, metrics: {} })
    expect(b).toMatchObject({
      state: 'finished',
      attempts: 2,
      metrics: { loss: 0 },
      series: { loss: { steps: [1, 2], values: [4, 3] } },
    })
  })
})
