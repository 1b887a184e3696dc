import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/core/seed.js'
import { createScheduler, parseStopping, parseStoppingFlag } from '../../../src/sweeps/scheduling/stopping.js'
import { plainExperiment, toyExperiment } from '../../helpers/experiments.js'
import { openLab } from '../../helpers/sweep-lab.js'
import type { Assignment } from '../../../src/core/trial.js'
import type { SimulatedAttempt } from '../../../src/worker/simulated.js'
import { trialsOf } from '../../conformance/scheduler.js'

const objective = { metric: 'train/loss', direction: 'minimize' } as const
const steps = 81

/** Learning curves that fall from 1 towards a level of their own; now and then they cross. */
function curve(level: number, random: Random): number[] {
  return Array.from(
    { length: steps },
    (_, s) => level + (1 - level) * Math.exp(-(s + 1) / 12) + 0.002 * random.normal(),
  )
}

function modelOf(curves: readonly (readonly number[])[]) {
  return ({ trial }: Assignment): SimulatedAttempt => ({
    reports: curves[trial.index]!.map((value, s) => ({ afterMs: 1, step: s + 1, metrics: { 'train/loss': value } })),
    endAfterMs: 1,
    end: { state: 'finished', metrics: { 'train/loss': curves[trial.index]!.at(-1)! }, artifacts: {} },
  })
}

const asha = parseStopping({ asha: { maxSteps: steps } })

async function search(seed: number): Promise<{ kept: boolean; share: number }> {
  const random = new Random(seed, 'curves')
  const levels = Array.from({ length: 60 }, () => 0.8 * random.uniform())
  const lab = openLab(plainExperiment(), { axes: { width: levels.map((_, i) => i + 1) }, seeds: [0] }, () =>
    createScheduler(lab.trials, asha, objective),
  )
  await lab.run({ model: modelOf(levels.map((level) => curve(level, random))), workers: 4 })
  const best = levels.indexOf(Math.min(...levels))
  const reports = lab.events.filter(({ type }) => type === 'report').length
  return { kept: lab.state.trials.get(lab.trials[best]!.id)!.state === 'finished', share: reports / (60 * steps) }
}

describe('ASHA in a sweep', () => {
  it('keeps the best of 60 curves in at least 95 of 100 seeds, at a third of the work or less', async () => {
    const results = []
    for (let seed = 0; seed < 100; seed++) results.push(await search(seed))
    expect(results.filter(({ kept }) => kept).length).toBeGreaterThanOrEqual(95)
    expect(results.reduce((sum, { share }) => sum + share, 0) / results.length).toBeLessThanOrEqual(1 / 3)
  })

  it('decides after a resume as it would have decided undisturbed', async () => {
    const random = new Random(7, 'curves')
    const curves = Array.from({ length: 30 }, () => curve(random.uniform(), random))
    const axes = { width: curves.map((_, i) => i + 1) }
    const ends = async (drainAfter: number) => {
      const lab = openLab(plainExperiment(), { axes, seeds: [0] }, () => createScheduler(lab.trials, asha, objective))
      const drain = new AbortController()
      let ended = 0
      // One worker: the order of reports, on which the rule depends, is the plan's.
      await lab.run({
        model: modelOf(curves),
        workers: 1,
        drain: drain.signal,
        onEvent: (event) => {
          if (event.type === 'ended' && ++ended === drainAfter) drain.abort()
        },
      })
      if (drain.signal.aborted) await lab.run({ model: modelOf(curves), workers: 1 })
      return [...lab.state.trials.values()].map(({ state }) => state)
    }
    const undisturbed = await ends(Infinity)
    expect(undisturbed).toContain('stopped')
    for (const after of [1, 7, 20]) expect(await ends(after)).toEqual(undisturbed)
  })
})

describe('stopping rules', () => {
  it('never judge trials of a later stage', () => {
    const lab = openLab(toyExperiment(), { profile: 'reduced' })
    const scheduler = createScheduler(lab.trials, parseStopping({ target: { value: 1 } }), objective)
    const of = (stage: string) => lab.trials.find((trial) => trial.stage === stage)!.id
    const report = { step: 1, metrics: { 'train/loss': 0 } }
    expect(scheduler.observe({ trial: of('main'), ...report })).toBe('stop')
    expect(scheduler.observe({ trial: of('line'), ...report })).toBe('continue')
  })

  it('skip the children of a trial that was stopped: it saved nothing at its end', () => {
    const lab = openLab(toyExperiment(), { profile: 'smoke' })
    const scheduler = createScheduler(lab.trials, [], objective)
    const mains = lab.trials.filter(({ stage }) => stage === 'main')
    for (const trial of mains) scheduler.recordEnd(trial, { state: 'stopped', metrics: {}, artifacts: {}, reason: 'x' })
    expect(scheduler.suggest()?.skip).toMatch(/did not finish \(stopped\)/)
  })

  it('are read from a flag as from a file', () => {
    expect(parseStoppingFlag('asha:maxSteps=81,reduction=4')).toEqual(
      parseStopping({ asha: { maxSteps: 81, reduction: 4 } })[0],
    )
    expect(parseStoppingFlag('median')).toEqual(parseStopping('median')[0])
    expect(parseStoppingFlag('target:value=0.9,metric=test/accuracy,direction=maximize')).toMatchObject({
      metric: 'test/accuracy',
      direction: 'maximize',
      options: { value: 0.9 },
    })
  })

  it('say what ASHA must know when no axis tells', () => {
    expect(() => createScheduler(trialsOf(3), parseStopping('asha'), objective)).toThrow('asha needs maxSteps here')
  })
})
