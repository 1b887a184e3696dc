import { describe, expect, it } from 'vitest'
import { parseDuration, writeDuration } from '../../src/core/duration.js'
import { timeUsed } from '../../src/sweeps/journal/time-used.js'
import type { JournalEvent } from '../../src/sweeps/journal/journal.js'
import type { Assignment } from '../../src/core/trial.js'
import type { SimulatedAttempt } from '../../src/worker/simulated.js'
import { plainExperiment } from '../helpers/experiments.js'
import { openSearchLab, searchSpec } from '../helpers/search-lab.js'
import { openLab } from '../helpers/sweep-lab.js'

const six = { axes: { width: [1, 2, 3, 4, 5, 6] }, seeds: [0] }

describe('a sweep with a budget of time', () => {
  it('begins no trial after it, lets what runs end, and says how to give it more', async () => {
    const lab = openLab(plainExperiment(), six)
    const end = await lab.run({ workers: 2, budget: { limitMs: 15, usedMs: 0 } })
    expect(end).toEqual({
      cutShort: 'the budget of 15 ms is used up',
      advice: 'Give it more time with: mlds resume lab --budget 1s',
    })
    expect(lab.state.counts()).toMatchObject({ finished: 4, running: 0, missing: 2 })
    expect(lab.journal().at(-1)).toMatchObject({ type: 'closed', reason: 'the budget of 15 ms is used up' })
    const long = { limitMs: 15_000, usedMs: 3_600_000 }
    expect(await lab.run({ budget: long })).toMatchObject({
      advice: expect.stringContaining('--budget 3615s') as string,
    })
    expect(await lab.run({ budget: { limitMs: 15, usedMs: 20 } })).toMatchObject({
      cutShort: expect.stringContaining('used up') as string,
    })
    expect(lab.state.counts()).toMatchObject({ finished: 4, missing: 2 })
    expect(await lab.run({ budget: { limitMs: 1000, usedMs: 20 } })).toEqual({})
    expect(lab.state.counts()).toMatchObject({ finished: 6 })
  })

  it('has ended as any other where the last trial ends after it', async () => {
    const lab = openLab(plainExperiment(), six)
    expect(await lab.run({ workers: 6, budget: { limitMs: 5, usedMs: 0 } })).toEqual({})
  })

  it('has a search go on where it stopped, to the same table, and says that it would', async () => {
    const model = ({ trial }: Assignment): SimulatedAttempt => ({
      ...{ reports: [], endAfterMs: 10 },
      end: { state: 'finished', metrics: { 'train/loss': Math.abs(Number(trial.params['width']) - 9) }, artifacts: {} },
    })
    const spec = searchSpec({ sampler: 'tpe', count: 20 }, { seeds: [0] })
    const whole = await openSearchLab(plainExperiment(), spec)
    await whole.run({ model, workers: 4 })
    const lab = await openSearchLab(plainExperiment(), spec)
    const more = { budget: { limitMs: 25, usedMs: 0 } }
    expect(await lab.run({ model, workers: 4, more })).toMatchObject({
      cutShort: expect.stringContaining('used up') as string,
      mayGoOn: true,
    })
    expect(lab.state.counts().missing).toBe(0)
    expect(lab.state.counts().finished).toBeLessThan(20)
    expect(await lab.run({ model, workers: 2 })).toEqual({})
    expect(lab.table()).toBe(whole.table())
  })
})

describe('the time that a sweep has used', () => {
  const opened = (atMs: number, budgetMs?: number): JournalEvent => ({
    ...{ type: 'opened', format: 2, sweep: 's', planHash: '', codeVersion: '', atMs },
    ...(budgetMs === undefined ? {} : { budgetMs }),
  })
  const lost = (atMs: number): JournalEvent => ({ type: 'lost', trial: 't', attempt: 1, reason: '', atMs })

  it('is that of every process from its first event to its last, killed or not, since results were void', () => {
    expect(timeUsed([])).toEqual({ usedMs: 0, budgetMs: undefined })
    const twice = [
      opened(100, 9),
      lost(50),
      lost(130),
      opened(1000, 7),
      { type: 'closed', reason: '', atMs: 1005 },
    ] as const
    expect(timeUsed(twice)).toEqual({ usedMs: 35, budgetMs: 7 })
    expect(timeUsed([...twice, opened(2000), { type: 'voided', atMs: 2001 }, lost(2004)])).toEqual({
      usedMs: 3,
      budgetMs: undefined,
    })
  })

  it('is written as a flag reads it', () => {
    for (const durationMs of [1000, 45_000, 60_000, 5_400_000, 7_200_000, 86_400_000])
      expect(parseDuration(writeDuration(durationMs))).toBe(durationMs)
    expect([1, 3_600_000 * 4, 90_000].map(writeDuration)).toEqual(['1s', '4h', '90s'])
  })
})
