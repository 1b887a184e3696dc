import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/core/seed.js'
import { Journal, type JournalEvent } from '../../../src/sweeps/journal/journal.js'
import { recomputeStops } from '../../../src/sweeps/scheduling/recompute-stops.js'
import { createScheduler, parseStopping } from '../../../src/sweeps/scheduling/stopping.js'
import type { Assignment } from '../../../src/core/trial.js'
import type { SimulatedAttempt } from '../../../src/worker/simulated.js'
import { plainExperiment } from '../../helpers/experiments.js'
import { openLab, type Lab } from '../../helpers/sweep-lab.js'

const objective = { metric: 'train/loss', direction: 'minimize' } as const
const [count, steps] = [9, 9]

const kinds: Record<string, unknown> = {
  asha: { asha: { maxSteps: steps, reduction: 2 } },
  hyperband: { hyperband: { maxSteps: steps, reduction: 3 } },
  median: { median: { minTrials: 2 } },
  plateau: { plateau: { patience: 2 } },
  target: { target: { value: 0.9 } },
  'successive-halving': { 'successive-halving': { maxSteps: steps, reduction: 2 } },
  'plateau, successive-halving': [
    { plateau: { patience: 2 } },
    { 'successive-halving': { maxSteps: steps, reduction: 2 } },
  ],
  'median, target': [{ median: { minTrials: 2 } }, { target: { value: 0.7 } }],
}

/** Curves that fall, cross and halt; some attempts are lost, one trial fails. */
function curve({ trial, attempt }: Assignment): SimulatedAttempt {
  const random = new Random(trial.index, 'curves')
  const [level, halt] = [1.5 * random.uniform(), 3 + random.below(steps)]
  const values = Array.from({ length: steps }, (_, s) => level + 1 / Math.min(s + 1, halt) + 0.05 * random.uniform())
  const isLost = attempt === 1 && trial.index % 4 === 1
  const error = { name: 'Error', message: 'odd' }
  const end = { state: 'finished' as const, metrics: { 'train/loss': values.at(-1)! }, artifacts: {} }
  return {
    reports: values
      .slice(0, isLost ? 2 : trial.index === 4 ? 3 : undefined)
      .map((value, s) => ({ afterMs: 1 + random.below(5), step: s + 1, metrics: { 'train/loss': value } })),
    endAfterMs: 1,
    end: isLost ? 'lost' : trial.index === 4 ? { state: 'failed', error } : end,
  }
}

const opened = (planHash = 'now'): JournalEvent => ({
  ...({ type: 'opened', format: 4, sweep: 'lab', codeVersion: '0', atMs: 0 } as const),
  planHash,
})

async function runRuled(rules: unknown, workers: number, kept?: number): Promise<Lab> {
  const lab = openLab(
    plainExperiment(),
    { axes: { width: Array.from({ length: count }, (_, i) => i + 1) }, seeds: [0] },
    () => createScheduler(lab.trials, parseStopping(rules), objective),
  )
  const begin = (): void => {
    const journal = Journal.open(lab.file)
    journal.append(opened())
    journal.close()
  }
  begin()
  await lab.run({ model: curve, workers })
  if (kept === undefined) return lab
  lab.keep(kept)
  begin()
  await lab.run({ model: curve, workers })
  return lab
}

const recomputed = (lab: Lab, rules: unknown, events: readonly JournalEvent[] = lab.journal()) =>
  recomputeStops({ trials: lab.trials, hash: 'now' }, events, parseStopping(rules), objective)

/** Every way in which a line that tells of a decision can be other than it was. */
function* forgeries(
  events: readonly JournalEvent[],
): Generator<{ what: string; trial: string; forged: JournalEvent[] }> {
  const put = (at: number, ...lines: JournalEvent[]): JournalEvent[] => [
    ...events.slice(0, at),
    ...lines,
    ...events.slice(at + 1),
  ]
  for (const [at, event] of events.entries()) {
    if (!('trial' in event)) continue
    const { trial } = event
    if (event.type === 'stopping') {
      yield { what: 'a stop left out', trial, forged: put(at) }
      yield { what: 'a stop after another report', trial, forged: put(at, { ...event, reports: event.reports + 1 }) }
      yield { what: 'a stop at another step', trial, forged: put(at, { ...event, step: event.step + 1 }) }
      yield { what: 'a stop told twice', trial, forged: put(at, event, event) }
    }
    if (event.type === 'report' && events[at + 1]?.type !== 'stopping' && 'attempt' in event) {
      const { attempt, step, atMs } = event
      const begun = events.slice(0, at).findLastIndex((one) => one.type === 'started' && one.trial === trial)
      const isDecided = events.slice(0, at).some((one) => one.type === 'stopping' && one.trial === trial)
      const reports = events.slice(begun, at + 1).filter((one) => one.type === 'report' && one.trial === trial).length
      if (!isDecided)
        yield {
          what: 'a stop made up',
          trial,
          forged: put(at, event, { type: 'stopping', trial, attempt, reports, step, atMs }),
        }
    }
    if (event.type === 'paused')
      yield { what: 'another step', trial, forged: put(at, { ...event, step: event.step + 1 }) }
    if (event.type === 'ended' && event.outcome.state === 'finished') {
      const { metrics, artifacts } = event.outcome
      const outcome = { state: 'stopped' as const, metrics, artifacts, reason: 'stopped by the scheduler' }
      if (!events.slice(0, at).some((one) => one.type === 'stopping' && one.trial === trial))
        yield { what: 'an end as stopped', trial, forged: put(at, { ...event, outcome }) }
    }
    if (event.type === 'ended' && event.outcome.state === 'stopped' && events[at - 1]?.type !== 'report') {
      const isPaused = events.slice(0, at).some((one) => one.type === 'paused' && one.trial === trial)
      const isDecided = events.slice(0, at).some((one) => one.type === 'stopping' && one.trial === trial)
      if (isPaused && !isDecided) {
        const outcome = { ...event.outcome, reason: 'not among the best 1 of 2 trials at step 1' }
        yield { what: 'another reason', trial, forged: put(at, { ...event, outcome }) }
        const { attempt, atMs } = event
        yield {
          what: 'one goes on that was to stop',
          trial,
          forged: put(at, { type: 'started', trial, attempt: attempt + 1, atMs, worker: 'w0' }),
        }
      }
    }
  }
}

describe.each(Object.entries(kinds))('what %s decided', (_, rules) => {
  it('comes out again from the journal, whatever the number of workers', async () => {
    for (const workers of [1, 3, 8]) {
      const whole = await runRuled(rules, workers)
      const { decisions, ...rest } = recomputed(whole, rules)
      expect(rest).toEqual({ others: [], untold: [], unknown: 0 })
      expect(decisions).toBeGreaterThan(0)
    }
  })

  it('comes out again from the journal of a sweep that was killed and resumed', async () => {
    const events = (await runRuled(rules, 3)).journal().length
    for (let kept = 2; kept < events; kept += 13) {
      const lab = await runRuled(rules, 3, kept)
      expect(recomputed(lab, rules).others, `killed after ${kept} events`).toEqual([])
    }
  })

  it('is told by the name of its trial wherever a line is forged', async () => {
    const lab = await runRuled(rules, 3)
    const seen = new Set<string>()
    for (const { what, trial, forged } of forgeries(lab.journal())) {
      seen.add(what)
      const { others, untold } = recomputed(lab, rules, forged)
      expect([...others, ...untold].join('\n'), `${what} of ${trial}`).toContain(`trial ${trial} `)
    }
    expect(seen.size).toBeGreaterThanOrEqual(5)
    expect(seen).toContain(
      JSON.stringify(rules).includes('halving') ? 'one goes on that was to stop' : 'a stop left out',
    )
  })

  it('comes out otherwise from other reports', async () => {
    const lab = await runRuled(rules, 3)
    const events = lab.journal()
    const best = events.map((event) =>
      event.type === 'report' ? { ...event, metrics: { 'train/loss': -event.step } } : event,
    )
    expect(recomputed(lab, rules, best).others).not.toEqual([])
  })

  it('is not held against a plan of another extent', async () => {
    const lab = await runRuled(rules, 3)
    const events = lab.journal().map((event) => (event.type === 'opened' ? opened('before') : event))
    const { decisions, others, untold, unknown } = recomputed(lab, rules, events)
    expect({ decisions, others, untold }).toEqual({ decisions: 0, others: [], untold: [] })
    expect(unknown).toBeGreaterThan(0)
  })
})
