import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asFailure, describeDivergence, divergedMetric, readOutcome } from '../../src/core/divergence.js'
import type { Outcome } from '../../src/core/trial.js'

type Diverged = Extract<Outcome, { state: 'diverged' }>

const divergence = fc
  .record(
    {
      metric: fc.constantFrom('loss', 'train/loss', 'my score', 'at step 3', 'is not a finite number'),
      value: fc.constantFrom(NaN, Infinity, -Infinity),
      step: fc.integer(),
    },
    { requiredKeys: ['metric', 'value'] },
  )
  .map(({ metric, value, step }): Diverged => {
    const where = step === undefined ? {} : { step }
    return { state: 'diverged', metric, ...where, metrics: { [metric]: value }, artifacts: {} }
  })

describe('a divergence', () => {
  it('is read from what earlier versions wrote, with its metric, value and step', () => {
    fc.assert(
      fc.property(divergence, (outcome) => {
        expect(readOutcome(asFailure(outcome))).toEqual(outcome)
      }),
    )
  })

  it('is read from its error’s name alone, and other failures stay failures', () => {
    const failed = (name: string, message: string) => ({ state: 'failed' as const, error: { name, message } })
    expect(readOutcome(failed('DivergedError', 'train/loss is not a finite number'))).toMatchObject({
      state: 'diverged',
      metric: 'train/loss',
    })
    expect(readOutcome(failed('DivergedError', 'words of another version'))).toMatchObject({ state: 'diverged' })
    const other = failed('Error', 'loss is not a finite number: NaN at step 1')
    expect(readOutcome(other)).toBe(other)
  })

  it('is said in a sentence, without a step where it has none', () => {
    const outcome = { metric: 'loss', metrics: { loss: NaN } }
    expect(describeDivergence({ ...outcome, step: 3 })).toBe('loss became NaN at step 3')
    expect(describeDivergence(outcome)).toBe('its final loss is NaN')
    expect(describeDivergence({ ...outcome, metrics: { loss: -Infinity } })).toBe('its final loss is -Infinity')
  })

  it('is looked for in losses and in what is watched besides', () => {
    expect(divergedMetric({ accuracy: NaN, lossy: NaN, loss: 1 })).toBeUndefined()
    expect(divergedMetric({ loss: Infinity })).toBe('loss')
    expect(divergedMetric({ 'a/b/loss': -Infinity })).toBe('a/b/loss')
    expect(divergedMetric({ accuracy: NaN }, ['accuracy'])).toBe('accuracy')
    expect(divergedMetric({ loss: -0, 'train/loss': 5e-324 })).toBeUndefined()
  })
})
