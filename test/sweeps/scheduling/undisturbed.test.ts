import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/core/seed.js'
import { defaultLimits } from '../../../src/sweeps/run-sweep.js'
import { createScheduler, parseStopping } from '../../../src/sweeps/scheduling/stopping.js'
import type { Assignment } from '../../../src/core/trial.js'
import type { SimulatedAttempt } from '../../../src/worker/simulated.js'
import { plainExperiment } from '../../helpers/experiments.js'
import { openLab, type Lab } from '../../helpers/sweep-lab.js'

const objective = { metric: 'train/loss', direction: 'minimize' } as const
const [count, steps] = [8, 8]

/** Curves that fall, cross, halt and rise again, so that each rule stops some trials early, some late and some never. */
const curves = Array.from({ length: count }, (_, trial) => {
  const random = new Random(trial, 'curves')
  const [level, halt] = [1.5 * random.uniform(), 3 + random.below(steps)]
  return Array.from({ length: steps }, (_, s) => level + 1 / Math.min(s + 1, halt) + 0.05 * random.uniform())
})

const alone = {
  plateau: { plateau: { patience: 2 } },
  target: { target: { value: 0.9 } },
  'target, plateau': [{ target: { value: 0.7 } }, { plateau: { patience: 3, minDelta: 0.01 } }],
}
/** Trials wait for each other, so that none is judged by what has come so far. */
const together = {
  'successive-halving': { 'successive-halving': { maxSteps: steps, reduction: 2 } },
  'plateau, successive-halving': [
    { plateau: { patience: 2 } },
    { 'successive-halving': { maxSteps: steps, reduction: 2 } },
  ],
}
const compared = {
  asha: { asha: { maxSteps: steps, reduction: 2 } },
  median: { median: { minTrials: 2 } },
  'plateau, asha': [{ plateau: { patience: 2 } }, { asha: { maxSteps: steps, reduction: 2 } }],
  'median, target': [{ median: { minTrials: 2 } }, { target: { value: 0.7 } }],
}

/** What becomes of an attempt, instead of running whole. */
type Fate = { readonly after: number; readonly end: 'lost' | 'failed' } | undefined
const undisturbed = (): Fate => undefined

function modelOf(fateOf: (assignment: Assignment) => Fate) {
  return (assignment: Assignment): SimulatedAttempt => {
    const curve = curves[assignment.trial.index]!
    const fate = fateOf(assignment)
    const error = { name: 'Error', message: 'flaky' }
    return {
      reports: curve
        .slice(0, fate?.after)
        .map((value, s) => ({ afterMs: 1, step: s + 1, metrics: { 'train/loss': value } })),
      endAfterMs: 1,
      end:
        fate === undefined
          ? { state: 'finished', metrics: { 'train/loss': curve.at(-1)! }, artifacts: {} }
          : fate.end === 'lost'
            ? 'lost'
            : { state: 'failed', error },
    }
  }
}

function openRuled(rules: unknown): Lab {
  const axes = { width: Array.from({ length: count }, (_, i) => i + 1) }
  const lab = openLab(plainExperiment(), { axes, seeds: [0] }, () =>
    createScheduler(lab.trials, parseStopping(rules), objective),
  )
  return lab
}

/** Reports that the trial's last attempt had made, and been let go on after, when it saved its checkpoint. */
function carriedBy(lab: Lab, { trial }: Assignment, share: number): number {
  const events = lab.journal().filter((event) => 'trial' in event && event.trial === trial.id)
  const made = events.slice(events.findLastIndex(({ type }) => type === 'started') + 1)
  const reports = made.filter(({ type }) => type === 'report').length
  // Killed at a report, nobody knows whether the rule had let it go on.
  const isKnown = made.some(({ type }) => type === 'paused')
  return Math.floor(share * Math.max(0, isKnown ? reports : reports - 1))
}

/** As another model, but each attempt goes on from a checkpoint: its first reports are carried on. */
const resuming =
  (lab: () => Lab, model: (assignment: Assignment) => SimulatedAttempt, share: number) =>
  (assignment: Assignment): SimulatedAttempt => {
    const carried = carriedBy(lab(), assignment, share)
    const { reports, ...rest } = model(assignment)
    return { ...rest, reports: reports.map((one, i) => (i < carried ? { ...one, carried: true } : one)) }
  }

const limits = { ...defaultLimits, maxAttempts: 4, retries: 3 }
const outcomes = (lab: Lab) => [...lab.state.trials.values()].map(({ outcome }) => outcome)

async function outcomesUndisturbed(rules: unknown) {
  const lab = openRuled(rules)
  await lab.run({ model: modelOf(undisturbed), workers: 1 })
  return outcomes(lab)
}

describe.each([
  ...Object.entries(alone).flatMap(([name, rules]) => [1, 3].map((workers) => ({ name, rules, workers }))),
  ...Object.entries(together).flatMap(([name, rules]) => [1, 8].map((workers) => ({ name, rules, workers }))),
  ...Object.entries(compared).map(([name, rules]) => ({ name, rules, workers: 1 })),
])('$name, $workers workers: a sweep ends as an undisturbed one', ({ rules, workers }) => {
  it('stops some trials and not all', async () => {
    const states = new Set((await outcomesUndisturbed(rules)).map((outcome) => outcome?.state))
    expect(states).toEqual(new Set(['finished', 'stopped']))
  })

  it('when it is killed after any event', async () => {
    const expected = await outcomesUndisturbed(rules)
    const whole = openRuled(rules)
    await whole.run({ model: modelOf(undisturbed), workers })
    const events = whole.journal().length
    for (let kept = events - 1; kept >= 0; kept--) {
      whole.keep(kept)
      await whole.run({ model: modelOf(undisturbed), workers })
      expect(outcomes(whole), `killed after ${kept} events`).toEqual(expected)
    }
  })

  it.each([0.5, 1])(
    'when it is killed after any event, and attempts go on from checkpoints of a share of %f',
    async (share) => {
      const expected = await outcomesUndisturbed(rules)
      const whole = openRuled(rules)
      const model = resuming(() => whole, modelOf(undisturbed), share)
      await whole.run({ model, workers })
      const events = whole.journal().length
      for (let kept = events - 1; kept >= 0; kept--) {
        whole.keep(kept)
        await whole.run({ model, workers })
        expect(outcomes(whole), `killed after ${kept} events`).toEqual(expected)
      }
      expect(whole.events.some((event) => event.type === 'report' && event.carried)).toBe(true)
    },
  )

  it('when attempts are lost or fail and are retried, and it is killed again and again', async () => {
    const expected = await outcomesUndisturbed(rules)
    const fates = fc.array(
      fc.record({ after: fc.integer({ min: 0, max: steps }), end: fc.constantFrom('lost', 'failed') } as const),
      { maxLength: 3 },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fates, { minLength: count, maxLength: count }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
        fc.constantFrom(0, 0.5, 1),
        async (fatesOfTrials, kills, share) => {
          const lab = openRuled(rules)
          const fated = modelOf(({ trial, attempt }) => fatesOfTrials[trial.index]![attempt - 1])
          const model = resuming(() => lab, fated, share)
          await lab.run({ model, workers, limits })
          for (const kill of kills) {
            lab.keep(Math.floor(kill * (lab.journal().length - 1)))
            await lab.run({ model, workers, limits })
          }
          expect(outcomes(lab)).toEqual(expected)
        },
      ),
      { numRuns: 30 },
    )
  })
})
