import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { listAttempts } from '../../src/sweeps/journal/list-attempts.js'
import type { JournalEvent } from '../../src/sweeps/journal/journal.js'
import { buildRecords } from '../../src/sweeps/journal/records.js'
import { isComplete, SweepState } from '../../src/sweeps/journal/state.js'
import { untwined } from '../../src/sweeps/journal/untwine.js'
import { attemptsOf, type HistoryEvent } from '../../src/tracking/mlflow/projection/attempts.js'
import type { Assignment, Outcome, Trial } from '../../src/core/trial.js'
import type { SimulatedAttempt } from '../../src/worker/simulated.js'
import { plainExperiment } from '../helpers/experiments.js'
import { openLab, type Lab } from '../helpers/sweep-lab.js'

const spec = (count: number) => ({
  axes: { width: [1], rate: Array.from({ length: count }, (_, i) => i + 1) },
  seeds: [0],
})

/** What a trial comes to follows from the trial alone; how long that takes, and whether it is told, from the attempt. */
const attemptOf = (
  { trial: { index } }: Assignment,
  { durationMs, end = 'finished' }: { durationMs: number; end?: 'finished' | 'failed' | 'lost' },
): SimulatedAttempt => ({
  reports: [1, 2, 3].map((step) => ({ afterMs: durationMs / 4, step, metrics: { 'train/loss': index / step } })),
  endAfterMs: durationMs / 4,
  end:
    end === 'lost'
      ? 'lost'
      : end === 'failed'
        ? { state: 'failed', error: { name: 'Error', message: 'no room' } }
        : ({ state: 'finished', metrics: { 'train/loss': index }, artifacts: {} } satisfies Outcome),
})
const usualMs = 10_000
/** The last trial hangs for a day, when it is run for the first time. */
const hanging = (count: number) => (assignment: Assignment) =>
  attemptOf(assignment, {
    durationMs: assignment.trial.index === count - 1 && assignment.attempt === 1 ? 86_400_000 : usualMs,
  })

const of = (lab: Lab, { id }: Trial): JournalEvent[] =>
  lab.journal().filter((event) => 'trial' in event && event.trial === id)
const plainRecords = (lab: Lab) =>
  buildRecords(lab.trials, lab.journal()).map(({ trial, state, metrics, series }) => ({
    ...{ trial: trial.id, state, metrics, series },
  }))

describe('a copy of a straggler', () => {
  it('ends the sweep when it finishes first, and the other attempt is lost', async () => {
    const lab = openLab(plainExperiment(), spec(4))
    expect(await lab.run({ model: hanging(4), copies: 1 })).toEqual({})
    const last = lab.trials[3]!
    expect(of(lab, last).filter(({ type }) => type !== 'report')).toMatchObject([
      { type: 'started', attempt: 1 },
      { type: 'started', attempt: 2, copy: true },
      { type: 'lost', attempt: 1, reason: 'attempt 2 finished first' },
      { type: 'ended', attempt: 2, outcome: { state: 'finished' } },
    ])
    expect(lab.journal().at(-1)!.atMs).toBeLessThan(20 * usualMs)
    expect(lab.state.counts()).toMatchObject({ planned: 4, finished: 4, unique: 4, failed: 0, running: 0 })
    expect(lab.state.trials.get(last.id)).toMatchObject({ state: 'finished', attempts: 2, lastAttempt: 2, reports: 3 })
    const plain = openLab(plainExperiment(), spec(4))
    await plain.run({ model: (assignment) => attemptOf(assignment, { durationMs: usualMs }) })
    expect(plainRecords(lab)).toEqual(plainRecords(plain))
  })

  it('is lost where the first attempt finishes first, and counts for nothing', async () => {
    const lab = openLab(plainExperiment(), spec(4))
    const model = (assignment: Assignment): SimulatedAttempt =>
      attemptOf(assignment, {
        durationMs: assignment.attempt > 1 ? 80_000 : assignment.trial.index === 3 ? 40_000 : usualMs,
      })
    await lab.run({ model, copies: 1 })
    const last = lab.trials[3]!
    expect(of(lab, last).filter(({ type }) => type !== 'report')).toMatchObject([
      { type: 'started', attempt: 1 },
      { type: 'started', attempt: 2, copy: true },
      { type: 'lost', attempt: 2, reason: 'attempt 1 finished first' },
      { type: 'ended', attempt: 1, outcome: { state: 'finished' } },
    ])
    const [record] = buildRecords(lab.trials, lab.journal()).filter(({ trial }) => trial.id === last.id)
    expect(record).toMatchObject({ state: 'finished', attempts: 1 })
    expect(record!.series['train/loss']!.steps).toEqual([1, 2, 3])
    expect(listAttempts(lab.journal(), last.id)).toMatchObject([
      { attempt: 1, ended: 'finished' },
      { attempt: 2, ended: 'lost' },
    ])
  })

  it.each(['failed', 'lost'] as const)(
    'is not held against the trial when it is %s, and there is no second one',
    async (end) => {
      const lab = openLab(plainExperiment(), spec(4))
      const model = (assignment: Assignment): SimulatedAttempt =>
        assignment.attempt > 1
          ? attemptOf(assignment, { durationMs: usualMs, end })
          : attemptOf(assignment, { durationMs: assignment.trial.index === 3 ? 900_000 : usualMs })
      expect(await lab.run({ model, copies: 2, limits: { ...limits, maxFailures: 1 } })).toEqual({})
      expect(lab.state.counts()).toMatchObject({ finished: 4, failed: 0, dead: 0 })
      expect(listAttempts(lab.journal(), lab.trials[3]!.id).map(({ ended }) => ended)).toEqual(['finished', 'lost'])
    },
  )

  it('goes on alone where the first attempt is lost, and is told of from then on', async () => {
    const lab = openLab(plainExperiment(), spec(4))
    const model = (assignment: Assignment): SimulatedAttempt =>
      assignment.trial.index === 3 && assignment.attempt === 1
        ? attemptOf(assignment, { durationMs: 40_000, end: 'lost' })
        : attemptOf(assignment, { durationMs: assignment.attempt > 1 ? 90_000 : usualMs })
    await lab.run({ model, copies: 1 })
    expect(listAttempts(lab.journal(), lab.trials[3]!.id).map(({ ended }) => ended)).toEqual(['lost', 'finished'])
    expect(lab.state.counts()).toMatchObject({ finished: 4, unique: 4 })
  })

  it('is not begun unless asked for', async () => {
    const lab = openLab(plainExperiment(), spec(4))
    await lab.run({ model: hanging(4) })
    expect(lab.journal().some((event) => event.type === 'started' && event.attempt > 1)).toBe(false)
  })

  it('changes no result, whatever becomes of which attempt, and wherever mlds is killed and resumed', async () => {
    const attempts = fc.array(
      fc.record({
        durationMs: fc.constantFrom(4_000, 12_000, 60_000, 400_000),
        end: fc.constantFrom('finished', 'finished', 'finished', 'lost' as const),
      }),
      { minLength: 8, maxLength: 8 },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.record({ attempts, count: fc.integer({ min: 1, max: 5 }), copies: fc.integer({ min: 1, max: 3 }) }),
        fc.integer({ min: 1, max: 5 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async ({ attempts: told, count, copies }, workers, share) => {
          const model = (assignment: Assignment): SimulatedAttempt => {
            const { durationMs, end } = told[(3 * assignment.trial.index + assignment.attempt) % told.length]!
            // The third attempt is never lost: no trial is dead.
            return attemptOf(assignment, { durationMs, end: assignment.attempt > 2 ? 'finished' : end })
          }
          const options = { model, copies, workers, limits: { ...limits, maxAttempts: 9 } }
          const lab = openLab(plainExperiment(), spec(count))
          await lab.run(options)
          requireOrder(lab, { copies, workers })
          const kept = Math.max(1, Math.floor(share * (lab.journal().length - 1)))
          lab.keep(kept)
          requireOneAtATime(lab.journal(), lab.trials)
          await lab.run(options)
          requireOrder(lab, { copies, workers, killedAt: kept })
          expect(isComplete(lab.state.counts())).toBe(true)
          const plain = openLab(plainExperiment(), spec(count))
          await plain.run({ model: (assignment) => attemptOf(assignment, { durationMs: usualMs }) })
          expect(plainRecords(lab)).toEqual(plainRecords(plain))
        },
      ),
      { numRuns: 150 },
    )
  })
})

const limits = { maxAttempts: 3, retries: 0, maxFailures: Infinity, failingAlike: 3 }

/** No number is used twice, no more runs at once than may, and copies come when nothing else is left to start. */
function requireOrder(
  lab: Lab,
  { copies, workers, killedAt }: { copies: number; workers: number; killedAt?: number },
): void {
  const running = new Map<string, boolean>()
  const numbers = new Set<string>()
  const begun = new Set<string>()
  for (const [place, event] of lab.journal().entries()) {
    if (place === killedAt) running.clear()
    if (event.type !== 'started' && event.type !== 'ended' && event.type !== 'lost') continue
    const key = `${event.trial} ${event.attempt}`
    if (event.type !== 'started') {
      expect(running.delete(key)).toBe(true)
      // The other attempt, if there is one, is no copy any more.
      for (const other of running.keys()) if (other.startsWith(`${event.trial} `)) running.set(other, false)
      continue
    }
    expect(numbers.has(key)).toBe(false)
    numbers.add(key)
    begun.add(event.trial)
    running.set(key, event.copy === true)
    if (event.copy === true) expect(begun.size).toBe(lab.trials.length)
    expect(running.size).toBeLessThanOrEqual(workers)
    expect([...running.values()].filter(Boolean).length).toBeLessThanOrEqual(copies)
  }
  requireOneAtATime(lab.journal(), lab.trials)
}

/** Laid out one after the other, attempts never overlap, and every reader that folds the journal agrees. */
function requireOneAtATime(journal: readonly JournalEvent[], trials: readonly Trial[]): void {
  const straight = untwined(journal)
  const current = new Map<string, number>()
  for (const event of straight) {
    if (event.type === 'started') current.set(event.trial, event.attempt)
    else if (event.type === 'report' || event.type === 'ended') expect(current.get(event.trial)).toBe(event.attempt)
  }
  const [state, again] = [new SweepState(trials), new SweepState(trials)]
  for (const event of journal) state.apply(event)
  for (const event of straight) again.apply(event)
  const without = ({ trials: all }: SweepState) => [...all.values()].map(({ lastAttempt: _, ...rest }) => rest)
  expect(without(again)).toEqual(without(state))
  const finished = new Set(
    [...state.trials.values()].flatMap(({ trial, state: is, attempts }) =>
      is === 'finished' ? `${trial.id} ${attempts}` : [],
    ),
  )
  const projected = attemptsOf(trials, journal as readonly HistoryEvent[])
  expect(
    new Set(
      projected.flatMap(({ trial, attempt, end }) =>
        end!.outcome.state === 'finished' ? `${trial.id} ${attempt}` : [],
      ),
    ),
  ).toEqual(finished)
  expect(new Set(projected.map(({ trial, attempt }) => `${trial.id} ${attempt}`)).size).toBe(projected.length)
}
