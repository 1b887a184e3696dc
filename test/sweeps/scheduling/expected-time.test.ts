import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectTimes, timesOf, type MeasuredTime } from '../../../src/sweeps/scheduling/expected-time.js'
import { GridScheduler } from '../../../src/sweeps/scheduling/grid.js'
import type { Params, Trial } from '../../../src/core/trial.js'

const trialOf = (params: Params, index = 0, stage = 'main'): Trial => ({
  id: `${stage} ${index}`,
  index,
  experiment: 'toy',
  version: 1,
  stage,
  params,
  seeds: { data: 0, init: 0, shuffle: 0, corruption: 0 },
  parents: [],
  cost: 1,
})
/** Everything that can stand for a parameter's value. */
const anyValue = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.integer()),
)
const anyParams = fc.dictionary(
  fc.oneof(fc.constantFrom('width', 'lr', '__proto__', 'constructor'), fc.string()),
  anyValue,
)
const anyTimes = fc.array(
  fc.record({ params: anyParams, stage: fc.constantFrom('main', 'line'), durationMs: fc.nat(1e9) }),
)
const measuredOf = (times: readonly { params: Params; stage: string; durationMs: number }[]): MeasuredTime[] =>
  times.map(({ params, stage, durationMs }, index) => ({ trial: trialOf(params, index, stage), durationMs }))

const widths = [8, 16, 32, 64]
const modes = ['fast', 'slow', 'slower']
const grid = modes.flatMap((mode) => widths.map((width) => ({ mode, width })))
/** Time as a power of the width, times something for the mode. */
const timeOf = ({ mode, width }: { mode: string; width: number }): number =>
  3 * width ** 1.5 * [1, 2.5, 6][modes.indexOf(mode)]!

describe('the time that a trial is expected to take', () => {
  it('orders trials that were not measured as they would take, where an axis each makes them longer', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(grid, { minLength: 9 }), (known) => {
        const expected = expectTimes(
          known.map((params, index) => ({ trial: trialOf(params, index), durationMs: timeOf(params) })),
        )!
        const rest = [...grid.filter((point) => !known.includes(point)), ...modes.map((mode) => ({ mode, width: 256 }))]
        for (const a of rest)
          for (const b of rest)
            if (timeOf(a) > 4 * timeOf(b))
              expect(expected(trialOf(a, 1, 'main')) > 0 && expected(trialOf(a, 99)) > expected(trialOf(b, 98))).toBe(
                true,
              )
      }),
    )
  })

  it('is what the very trial took where it was measured: the median of several times', () => {
    const known = grid.map((params, index) => ({ trial: trialOf(params, index), durationMs: timeOf(params) }))
    const again = [50, 70, 1_000].map((durationMs) => ({ trial: trialOf(grid[0]!, 77), durationMs }))
    const expected = expectTimes([...known, ...again])!
    expect(expected(trialOf(grid[5]!, 5))).toBe(timeOf(grid[5]!))
    expect(expected(trialOf(grid[0]!, 77))).toBe(70)
  })

  it('goes on beyond what was measured, as a power of the axis', () => {
    const points = [1, 2, 4, 8, 16, 32].map((epochs) => ({ epochs }))
    const expected = expectTimes(
      points.map((params, index) => ({ trial: trialOf(params, index), durationMs: 1_000 * params.epochs })),
    )!
    const [next, far] = [64, 1024].map((epochs, i) => expected(trialOf({ epochs }, 100 + i)))
    // The line is drawn towards the mean by one point in seven.
    expect(next! / 64_000).toBeGreaterThan(0.5)
    expect(next! / 64_000).toBeLessThan(1.5)
    expect(far! / next!).toBeGreaterThan(8)
  })

  it('is unknown where fewer points were measured than two and one for each axis, seeds not being points', () => {
    const five = [
      { width: 1, mode: 'fast' },
      { width: 2, mode: 'fast' },
      { width: 1, mode: 'slow' },
    ]
    const times = (of: readonly Params[]): MeasuredTime[] =>
      of.map((params, index) => ({ trial: trialOf(params, index), durationMs: index }))
    expect(expectTimes([])).toBeUndefined()
    expect(expectTimes(times(five))).toBeUndefined()
    expect(expectTimes(times([...five, ...five, ...five]))).toBeUndefined()
    expect(expectTimes(times([...five, { width: 2, mode: 'slow' }]))).toBeDefined()
  })

  it('is a positive number whatever was measured, and whatever the trial is', () => {
    fc.assert(
      fc.property(anyTimes, fc.array(anyParams, { minLength: 1 }), (times, asked) => {
        const expected = expectTimes(measuredOf(times))
        for (const params of asked) {
          const time = expected?.(trialOf(params, 1_000)) ?? 1
          expect(time > 0 && Number.isFinite(time)).toBe(true)
        }
      }),
    )
  })

  it('orders alike on a host that is slower by a factor', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 12, maxLength: 12 }), (times) => {
        const [here, there] = [1, 1_000].map((factor) =>
          expectTimes(
            grid.map((params, index) => ({ trial: trialOf(params, index), durationMs: factor * times[index]! })),
          )!,
        )
        for (const width of [4, 12, 100]) {
          const trial = trialOf({ width, mode: 'slow' }, 500)
          expect(there!(trial) / here!(trial)).toBeCloseTo(1_000, 3)
        }
      }),
    )
  })
})

describe('an order by expected time', () => {
  it('is none where it would tell no trial from another', () => {
    const trials = grid.map((params, index) => trialOf(params, index))
    const nearlyAlike = trials.map((trial, index) => ({ trial, durationMs: 1_000 + index }))
    expect(timesOf(trials, expectTimes(nearlyAlike))).toBeUndefined()
    expect(timesOf(trials, undefined)).toBeUndefined()
    // Twice as long, and half a second longer.
    expect(timesOf(trials, ({ id }) => (id === trials[0]!.id ? 1_000 : 500))).toBeUndefined()
    expect(timesOf(trials, ({ id }) => (id === trials[0]!.id ? 2_000 : 500))).toBeDefined()
  })

  it('starts every trial once, the longest first, whatever the times are', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (durations) => {
        const trials = durations.map((_, index) => trialOf({ index }, index))
        const times = new Map(trials.map(({ id }, index) => [id, durations[index]!]))
        const scheduler = new GridScheduler(trials, times)
        const order = trials.map(() => (scheduler.suggest() as { trial: Trial }).trial)
        expect(scheduler.suggest()).toBeUndefined()
        expect(order).toEqual(
          [...trials].sort((a, b) => durations[b.index]! - durations[a.index]! || a.index - b.index),
        )
      }),
    )
  })
})
