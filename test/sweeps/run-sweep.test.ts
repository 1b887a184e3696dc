import { describe, expect, it } from 'vitest'
import { Random } from '../../src/core/seed.js'
import { AshaScheduler } from '../../src/sweeps/scheduling/asha.js'
import { TargetScheduler } from '../../src/sweeps/scheduling/target.js'
import { defaultLimits } from '../../src/sweeps/run-sweep.js'
import type { Scheduler } from '../../src/sweeps/scheduling/scheduler.js'
import { isComplete } from '../../src/sweeps/journal/state.js'
import type { Backend } from '../../src/worker/backend.js'
import { EventQueue } from '../../src/worker/event-queue.js'
import type { Assignment, TrialEvent } from '../../src/core/trial.js'
import { plainExperiment, toyExperiment } from '../helpers/experiments.js'
import { diverging, failing, finishes, openLab, vanishing } from '../helpers/sweep-lab.js'

const widths = (count: number): unknown[] => Array.from({ length: count }, (_, i) => i + 1)

/** A backend with a queue of its own, from which nothing is taken. */
function queueingBackend(): Backend & { readonly queued: string[] } {
  const queued: string[] = []
  const events = new EventQueue<TrialEvent>()
  return {
    capacity: 100,
    retries: true,
    queued,
    start: async ({ trial }) => void queued.push(trial.id),
    stop: async () => {},
    proceed: () => {},
    recall: async () => queued.splice(0),
    events: () => events,
    close: async () => events.end(),
  }
}

describe('a sweep', () => {
  it('runs every planned trial once, stages in order, and says it is done', async () => {
    const lab = openLab(toyExperiment())
    expect(await lab.run()).toEqual({})
    expect(lab.state.counts()).toMatchObject({
      planned: lab.trials.length,
      finished: lab.trials.length,
      unique: lab.trials.length,
    })
    const ends = lab.journal().flatMap((event) => (event.type === 'ended' ? [event.trial] : []))
    for (const trial of lab.trials)
      for (const parent of trial.parents) expect(ends.indexOf(parent)).toBeLessThan(ends.indexOf(trial.id))
    expect(lab.journal().at(-1)).toMatchObject({ type: 'closed', reason: 'done' })
  })

  it('writes each event down before anyone is told of it', async () => {
    const lab = openLab(plainExperiment())
    const journalled: number[] = []
    await lab.run({ onEvent: () => journalled.push(lab.journal().length) })
    expect(journalled).toEqual(journalled.map((_, i) => i + 1))
  })

  it('gives its tracker every event with the offset it has in the journal', async () => {
    const lab = openLab(plainExperiment())
    const told: number[] = []
    await lab.run({
      tracker: { record: async (_event, offset) => void told.push(offset) },
    })
    expect(told).toHaveLength(lab.events.length)
    expect(new Set(told).size).toBe(told.length)
  })

  it('is not disturbed by a tracker that fails: one warning, every trial finished', async () => {
    const lab = openLab(plainExperiment())
    const fail = () => Promise.reject(new Error('server gone'))
    await lab.run({ tracker: { record: fail } })
    expect(lab.warnings).toHaveLength(1)
    expect(lab.warnings[0]).toContain('server gone')
    expect(isComplete(lab.state.counts())).toBe(true)
  })

  it('goes on after a failure and can be resumed without touching what finished', async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(6) }, seeds: [0] })
    const bad = lab.trials[3]!.id
    await lab.run({ model: ({ trial }) => (trial.id === bad ? failing('odd') : finishes) })
    expect(lab.state.counts()).toMatchObject({ finished: 5, failed: 1 })
    const startsBefore = lab.journal().filter((event) => event.type === 'started').length
    await lab.run()
    expect(lab.journal().filter((event) => event.type === 'started')).toHaveLength(startsBefore)
  })

  it('tries a trial whose worker vanished again, three times in all, then calls it dead', async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(3) }, seeds: [0] })
    const [poison, unlucky] = [lab.trials[0]!.id, lab.trials[1]!.id]
    await lab.run({
      model: ({ trial, attempt }) =>
        trial.id === poison || (trial.id === unlucky && attempt === 1) ? vanishing : finishes,
    })
    expect(lab.state.counts()).toMatchObject({ finished: 2, dead: 1 })
    expect(lab.state.trials.get(poison)).toMatchObject({
      attempts: 3,
      outcome: { state: 'dead', reason: expect.stringContaining('3 attempts vanished') as string },
    })
    expect(lab.state.trials.get(unlucky)).toMatchObject({ attempts: 2, state: 'finished' })
  })

  it('retries a failed trial as often as asked to', async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(2) }, seeds: [0] })
    await lab.run({
      limits: { ...defaultLimits, retries: 2 },
      model: ({ attempt }) => (attempt < 3 ? failing('flaky') : finishes),
    })
    expect(lab.state.counts()).toMatchObject({ finished: 2, failed: 0 })
  })

  it('stops after the failures allowed, and what was running still counts', async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(50) }, seeds: [0] })
    const end = await lab.run({
      limits: { ...defaultLimits, maxFailures: 1 },
      model: ({ trial }) => failing(`own ${trial.id}`),
      workers: 4,
    })
    expect(end.cutShort).toContain('1 trial failed, the most allowed')
    expect(lab.state.counts().failed).toBe(4)
  })

  it('stops when the first trials all fail alike, with one message', async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(100) }, seeds: [0] })
    const end = await lab.run({ model: () => failing('no such file'), workers: 1 })
    expect(end.cutShort).toBe('the first 3 trials all failed alike: no such file')
    expect(lab.state.counts()).toMatchObject({ failed: 3, missing: 97 })
  })

  it('does not stop when failures differ, or come after a success', async () => {
    const differing = openLab(plainExperiment(), { axes: { width: widths(10) }, seeds: [0] })
    expect(await differing.run({ model: ({ trial }) => failing(trial.id), workers: 1 })).toEqual({})
    const late = openLab(plainExperiment(), { axes: { width: widths(10) }, seeds: [0] })
    expect(
      await late.run({ model: ({ trial }) => (trial.params['width'] === 10 ? finishes : failing('same')), workers: 1 }),
    ).toEqual({})
  })

  it('goes on when trials diverge, whatever is allowed of failures, and has nothing of them left to run', async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(9) } })
    const model = ({ trial }: Assignment) => (Number(trial.params['width']) > 3 ? diverging : finishes)
    const limits = { ...defaultLimits, maxFailures: 1, failingAlike: 1, retries: 5 }
    expect(await lab.run({ model, limits })).toEqual({})
    expect(lab.events.filter(({ type }) => type === 'started')).toHaveLength(18)
    expect(lab.state.counts()).toMatchObject({ finished: 18, unique: 18, diverged: 12, failed: 0, missing: 0 })
    expect(isComplete(lab.state.counts())).toBe(true)
    await lab.run({ model })
    expect(lab.events.filter(({ type }) => type === 'started')).toHaveLength(18)
  })

  it('ends a trial whose report diverges as diverged, though the scheduler would stop it', async () => {
    const lab = openLab(
      plainExperiment(),
      { axes: { width: [1] } },
      (inner) => new TargetScheduler(inner, { metric: 'train/loss', direction: 'minimize', value: Infinity }),
    )
    const reports = [{ afterMs: 1, step: 1, metrics: { 'train/loss': Infinity } }]
    await lab.run({ model: () => ({ ...diverging, reports }) })
    expect(lab.state.counts()).toMatchObject({ diverged: 2, stopped: 0 })
  })

  it('skips what derives from a trial that diverged, for good, and is complete', async () => {
    const lab = openLab(toyExperiment())
    await lab.run({ model: ({ trial }) => (trial.index === 0 ? diverging : finishes) })
    const [first] = lab.trials
    const children = lab.trials.filter(({ parents }) => parents.includes(first!.id))
    expect(children.length).toBeGreaterThan(0)
    for (const { id } of children)
      expect(lab.state.trials.get(id)?.outcome).toMatchObject({
        state: 'skipped',
        reason: `its parent ${first!.id} diverged: train/loss became NaN at step 2`,
      })
    const counts = lab.state.counts()
    expect(counts).toMatchObject({ skipped: counts.skippedForGood, missing: 0, diverged: 1 })
    expect(isComplete(counts)).toBe(true)
  })

  it('skips the children of a failed parent and says why', async () => {
    const lab = openLab(toyExperiment(), { seeds: [0] })
    const parents = lab.trials.filter((trial) => trial.stage === 'main')
    await lab.run({ model: ({ trial }) => (trial.id === parents[0]!.id ? failing('bad parent') : finishes) })
    const skipped = [...lab.state.trials.values()].filter(({ state }) => state === 'skipped')
    expect(skipped.map(({ trial }) => trial.id)).toEqual(
      lab.trials.filter((trial) => trial.parents.includes(parents[0]!.id)).map((trial) => trial.id),
    )
    expect(skipped[0]!.outcome).toMatchObject({ reason: expect.stringContaining(parents[0]!.id) as string })
  })

  it('drains at the first request and gives up at the second; what is missing runs on resume', async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(20) }, seeds: [0] })
    const [drain, abort] = [new AbortController(), new AbortController()]
    let ended = 0
    const end = await lab.run({
      drain: drain.signal,
      abort: abort.signal,
      onEvent: (event) => {
        if (event.type === 'ended' && ++ended === 5) drain.abort()
      },
    })
    expect(end.cutShort).toBe('interrupted')
    expect(lab.state.counts()).toMatchObject({ finished: 6, missing: 14 })

    const second = new AbortController()
    await lab.run({
      drain: second.signal,
      abort: second.signal,
      onEvent: (event) => void (event.type === 'started' && second.abort()),
    })
    await lab.run()
    expect(isComplete(lab.state.counts())).toBe(true)
  })

  it("takes back what waits in a backend's queue when it drains, instead of waiting for it", async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(3) }, seeds: [0] })
    const backend = queueingBackend()
    const drain = new AbortController()
    const run = lab.run({ backend, drain: drain.signal })
    await expect.poll(() => backend.queued.length).toBe(3)
    drain.abort()
    expect(await run).toEqual({ cutShort: 'interrupted' })
    expect(backend.queued).toEqual([])
    expect(lab.state.counts()).toMatchObject({ planned: 3, missing: 3 })
  })

  it("takes back what waits in a backend's queue when it ends early", async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(3) }, seeds: [0] })
    const backend = queueingBackend()
    const events = backend.events() as EventQueue<TrialEvent>
    const run = lab.run({ backend, limits: { ...defaultLimits, maxFailures: 1 } })
    await expect.poll(() => backend.queued.length).toBe(3)
    const trial = backend.queued.shift()!
    const facts = { trial, attempt: 1, atMs: 1 }
    events.push({ type: 'started', ...facts, worker: 'w' })
    events.push({ type: 'ended', ...facts, outcome: { state: 'failed', error: { name: 'Error', message: 'odd' } } })
    expect((await run).cutShort).toContain('1 trial failed, the most allowed')
    expect(backend.queued).toEqual([])
    expect(lab.state.counts()).toMatchObject({ planned: 3, failed: 1, missing: 2 })
  })

  it('leaves as soon as all is started when it is detached', async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(3) }, seeds: [0] })
    const backend = queueingBackend()
    expect(await lab.run({ backend, detach: true })).toEqual({})
    expect(backend.queued).toHaveLength(3)
    expect(lab.journal().at(-1)).toMatchObject({ type: 'closed', reason: 'detached' })
  })

  it('keeps planned = finished = unique at 22,500 trials on 32 workers that vanish at random', async () => {
    const lab = openLab(plainExperiment(), {
      axes: { width: widths(1500), rate: Array.from({ length: 15 }, (_, i) => (i + 1) / 10) },
      seeds: [0],
    })
    expect(lab.trials).toHaveLength(22_500)
    const random = new Random(1)
    await lab.run({
      workers: 32,
      limits: { ...defaultLimits, maxAttempts: 1000 },
      model: () => (random.uniform() < 0.2 ? vanishing : { ...finishes, endAfterMs: 1 + random.below(1000) }),
    })
    expect(lab.state.counts()).toMatchObject({ planned: 22_500, finished: 22_500, unique: 22_500, missing: 0 })
  })

  it('never starts more than the backend can hold, nor leaves a worker idle while work is queued', async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(40) }, seeds: [0] })
    let running = 0
    const after: number[] = []
    await lab.run({
      workers: 5,
      onEvent: (event) => {
        if (event.type === 'started') running++
        if (event.type === 'ended') {
          running--
          after.push(running)
        }
      },
    })
    // Between an end and the next event the slot is filled again, until fewer than five are left.
    expect(after.slice(0, -5).every((count) => count === 4)).toBe(true)
  })
})

describe('a sweep on a full disk', () => {
  it('ends with a sentence about the disk and leaves nothing running', async () => {
    const lab = openLab(plainExperiment(), { seeds: [0] })
    const { Journal } = await import('../../src/sweeps/journal/journal.js')
    const full = Journal.open('/dev/full')
    await expect(lab.run({ journal: full })).rejects.toThrow('the disk is full')
    full.close()
  })
})

describe('a sweep with early stopping', () => {
  /** Losses fall with the step towards a floor of the trial's own. */
  const curve = (floor: number) => ({
    reports: Array.from({ length: 27 }, (_, i) => ({
      afterMs: 10,
      step: i + 1,
      metrics: { 'train/loss': floor + 1 / (i + 1) },
    })),
    endAfterMs: 1,
    end: { state: 'finished', metrics: { 'train/loss': floor + 1 / 27 }, artifacts: {} } as const,
  })
  const asha = (inner: ConstructorParameters<typeof AshaScheduler>[0]) =>
    new AshaScheduler(inner, { metric: 'train/loss', direction: 'minimize', minSteps: 1, maxSteps: 27 })

  it('writes a decision to stop down before the attempt is told of it', async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(27) }, seeds: [0] }, asha)
    await lab.run({ model: ({ trial }) => curve(1000 - Number(trial.params['width'])), workers: 4 })
    const journal = lab.journal()
    const stopped = journal.flatMap((event) =>
      event.type === 'ended' && event.outcome.state === 'stopped' ? [event.trial] : [],
    )
    expect(stopped.length).toBeGreaterThan(9)
    const decided = journal.flatMap((event) => (event.type === 'stopping' ? [event.trial] : []))
    expect(decided.sort()).toEqual(stopped.sort())
    for (const [at, event] of journal.entries()) {
      if (event.type !== 'stopping') continue
      expect(journal[at - 1]).toMatchObject({ type: 'report', trial: event.trial, step: event.step })
      expect(event.reports).toBe(event.step)
    }
  })

  it('stops a trial where it was decided once, whatever its rule thinks after a resume', async () => {
    let rule: (inner: Scheduler) => Scheduler = asha
    const lab = openLab(plainExperiment(), { axes: { width: widths(27) }, seeds: [0] }, (inner) => rule(inner))
    const run = () => lab.run({ model: ({ trial }) => curve(1000 - Number(trial.params['width'])), workers: 1 })
    await run()
    const at = lab.journal().findLastIndex(({ type }) => type === 'stopping')
    const { trial, step } = lab.journal()[at] as { trial: string; step: number }
    const outcome = lab.state.trials.get(trial)!.outcome
    rule = (inner) => inner
    lab.keep(at + 1)
    await run()
    expect(lab.state.trials.get(trial)!.outcome).toEqual(outcome)
    expect(lab.state.trials.get(trial)!.step).toBe(step)
  })

  it('records a stop as an outcome and is complete', async () => {
    const lab = openLab(plainExperiment(), { axes: { width: widths(27) }, seeds: [0] }, asha)
    // The largest runs first, and here it is the best: those that follow fall short of it.
    await lab.run({ model: ({ trial }) => curve(1000 - Number(trial.params['width'])), workers: 4 })
    const counts = lab.state.counts()
    expect(counts.stopped).toBeGreaterThan(9)
    expect(isComplete(counts)).toBe(true)
  })

  it('keeps the best of 27 in at least 95 of 100 random orders, at about a third of the budget', async () => {
    let [kept, steps] = [0, 0]
    for (let seed = 0; seed < 100; seed++) {
      const random = new Random(seed)
      const floors = random.permutation(27)
      const lab = openLab(plainExperiment(), { axes: { width: widths(27) }, seeds: [0] }, asha)
      await lab.run({ model: ({ trial }) => curve(floors[trial.index]!), workers: 4 })
      const best = [...lab.state.trials.values()].find(({ trial }) => floors[trial.index] === 0)!
      if (best.state === 'finished') kept++
      steps += lab.events.filter((event) => event.type === 'report').length
    }
    expect(kept).toBeGreaterThanOrEqual(95)
    expect(steps / (100 * 27 * 27)).toBeLessThan(0.4)
  })
})
