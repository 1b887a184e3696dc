import { afterEach, describe, expect, it } from 'vitest'
import type { Assignment, Outcome, ParentResult, Trial, TrialEvent } from '../../src/core/trial.js'
import type { Backend } from '../../src/worker/backend.js'
import { toyCustom } from '../helpers/custom-modules.js'

let serial = 0
export function toyAssignment(
  params: Record<string, string | number>,
  options: { init?: number; interactive?: boolean; attempt?: number; parents?: ParentResult[]; reads?: string[] } = {},
): Assignment {
  const trial: Trial = {
    id: (serial++).toString(16).padStart(16, '0'),
    index: 0,
    experiment: toyCustom.name,
    version: 1,
    stage: 'main',
    params: { steps: 3, behaviour: 'count', ...params },
    seeds: { data: 0, init: options.init ?? 0, shuffle: 0, corruption: 0 },
    parents: (options.parents ?? []).map((parent) => parent.trial.id),
    cost: 1,
  }
  return {
    sweep: 'toy-sweep',
    trial,
    attempt: options.attempt ?? 1,
    parents: options.parents ?? [],
    reads: options.reads ?? [],
    engine: 'cpu',
    interactive: options.interactive ?? false,
  }
}

function outcomeOf(listener: Listener, trial: string): Outcome {
  const end = listener.of(trial).at(-1)
  if (end?.type !== 'ended') throw new Error(`trial ${trial} has not ended`)
  return end.outcome
}

/** Reads events until `done` says so; fails rather than hang when the stream ends first. */
export class Listener {
  readonly seen: TrialEvent[] = []
  readonly #iterator: AsyncIterator<TrialEvent>

  constructor(backend: Backend) {
    this.#iterator = backend.events()[Symbol.asyncIterator]()
  }

  async until(done: (event: TrialEvent) => boolean): Promise<TrialEvent> {
    for (;;) {
      const next = await this.#iterator.next()
      if (next.done === true) throw new Error('the events ended before what was waited for')
      this.seen.push(next.value)
      if (done(next.value)) return next.value
    }
  }

  async untilEnded(trials: readonly string[]): Promise<void> {
    const open = new Set(trials)
    while (open.size > 0) {
      const event = await this.until((e) => e.type === 'ended' || e.type === 'lost')
      open.delete(event.trial)
    }
  }

  of(trial: string): TrialEvent[] {
    return this.seen.filter((event) => event.trial === trial)
  }
}

export interface BackendAbilities {
  /** What it lacks may come with a worker that comes later, so a trial that nothing here can run waits. */
  readonly waitsForWorkers?: true
  /** A trial may take its thread or process down without taking the test with it. */
  readonly survivesCrashes: boolean
  /** Default: it does. */
  readonly keepsCheckpoints?: false
  /** For trials that run elsewhere: cuts the backend off from there for good. */
  readonly loseFarSide?: (backend: Backend) => Promise<void>
}

/** What every backend promises (src/worker/backend.ts). */
export function backendSuite(
  name: string,
  open: (capacity: number) => Promise<Backend>,
  abilities: BackendAbilities,
): void {
  describe(`the ${name} backend`, () => {
    const opened: Backend[] = []
    const start = async (capacity = 2): Promise<{ backend: Backend; listener: Listener }> => {
      const backend = await open(capacity)
      opened.push(backend)
      return { backend, listener: new Listener(backend) }
    }
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((backend) => backend.close()))
    })

    it('tells each attempt from its start through its reports, in step order, to one end', async () => {
      const { backend, listener } = await start()
      const assignments = [toyAssignment({ steps: 600 }), toyAssignment({ steps: 2 })]
      for (const assignment of assignments) await backend.start(assignment)
      await listener.untilEnded(assignments.map((a) => a.trial.id))
      for (const { trial } of assignments) {
        const events = listener.of(trial.id)
        expect(events[0]).toMatchObject({ type: 'started', attempt: 1 })
        expect(events.at(-1)).toMatchObject({ type: 'ended', outcome: { state: 'finished' } })
        const steps = events.flatMap((event) => (event.type === 'report' ? [event.step] : []))
        expect(steps).toEqual(Array.from({ length: Number(trial.params['steps']) }, (_, i) => i + 1))
        expect(events).toHaveLength(steps.length + 2)
      }
    })

    it('gives numbers that depend on the parameters and seeds alone', async () => {
      const { backend, listener } = await start()
      const twins = [toyAssignment({ steps: 5 }, { init: 11 }), toyAssignment({ steps: 5 }, { init: 11 })]
      for (const twin of twins) await backend.start(twin)
      await listener.untilEnded(twins.map((t) => t.trial.id))
      const results = twins
        .map(({ trial }) => listener.of(trial.id).at(-1))
        .map((event) =>
          event?.type === 'ended' && event.outcome.state === 'finished' ? event.outcome.metrics : undefined,
        )
      expect(results[0]).toEqual(results[1])
      // Worked by hand: five steps of the linear congruence from 11.
      let value = 11
      for (let i = 0; i < 5; i++) value = (value * 1103515245 + 12345) % 2147483648
      expect(results[0]).toEqual({ loss: value / 2147483648 })
    })

    it('makes what a trial throws its outcome, and goes on', async () => {
      const { backend, listener } = await start()
      const [bad, good] = [toyAssignment({ behaviour: 'fail' }), toyAssignment({})]
      await backend.start(bad)
      await backend.start(good)
      await listener.untilEnded([bad.trial.id, good.trial.id])
      expect(listener.of(bad.trial.id).at(-1)).toMatchObject({
        outcome: { state: 'failed', error: { message: 'it was asked to fail' } },
      })
      expect(listener.of(good.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
    })

    it('ends a trial whose loss is not a number as diverged, with its step and what it has', async () => {
      const { backend, listener } = await start()
      const assignment = toyAssignment({ behaviour: 'diverge' })
      await backend.start(assignment)
      await listener.untilEnded([assignment.trial.id])
      expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({
        outcome: { state: 'diverged', metric: 'loss', step: 2, metrics: { loss: NaN }, artifacts: {} },
      })
      expect(listener.of(assignment.trial.id).filter((event) => event.type === 'report')).toHaveLength(2)
    })

    it('ends a trial as diverged whose final loss is infinite, or that goes on after a loss that was not a number', async () => {
      const { backend, listener } = await start()
      const [late, catching] = [toyAssignment({ behaviour: 'diverge-at-end' }), toyAssignment({ behaviour: 'catch' })]
      for (const assignment of [late, catching]) await backend.start(assignment)
      await listener.untilEnded([late.trial.id, catching.trial.id])
      const end = outcomeOf(listener, late.trial.id)
      expect(end).toMatchObject({ state: 'diverged', metric: 'loss', metrics: { loss: -Infinity, sum: 1 } })
      expect(end).not.toHaveProperty('step')
      expect(Object.keys(end.state === 'diverged' ? end.artifacts : {})).toEqual(['numbers'])
      expect(outcomeOf(listener, catching.trial.id)).toMatchObject({ state: 'diverged', metric: 'loss', step: 1 })
    })

    it('watches the metrics that the assignment names, and no others but losses', async () => {
      const { backend, listener } = await start()
      const free = toyAssignment({ behaviour: 'unscored' })
      const watched = { ...toyAssignment({ behaviour: 'unscored' }), watch: ['score'] }
      for (const assignment of [free, watched]) await backend.start(assignment)
      await listener.untilEnded([free.trial.id, watched.trial.id])
      expect(outcomeOf(listener, free.trial.id)).toMatchObject({ state: 'finished' })
      expect(outcomeOf(listener, watched.trial.id)).toMatchObject({ state: 'diverged', metric: 'score', step: 1 })
    })

    it.skipIf(abilities.waitsForWorkers)(
      'fails a trial of an unknown experiment or version with a sentence',
      async () => {
        const { backend, listener } = await start()
        const [unknown, newer] = [toyAssignment({}), toyAssignment({})]
        await backend.start({ ...unknown, trial: { ...unknown.trial, experiment: 'nothing' } })
        await backend.start({ ...newer, trial: { ...newer.trial, version: 2 } })
        await listener.untilEnded([unknown.trial.id, newer.trial.id])
        expect(listener.of(unknown.trial.id).at(-1)).toMatchObject({
          outcome: { state: 'failed', error: { message: 'unknown experiment: nothing' } },
        })
        expect(listener.of(newer.trial.id).at(-1)).toMatchObject({
          outcome: { state: 'failed', error: { message: expect.stringContaining('another version') as string } },
        })
      },
    )

    it('honours a stop by the next report, and the trial keeps what it had', async () => {
      const { backend, listener } = await start()
      const assignment = toyAssignment({ behaviour: 'wait' })
      await backend.start(assignment)
      await listener.until((event) => event.type === 'report')
      await backend.stop(assignment.trial.id, 'enough')
      await listener.untilEnded([assignment.trial.id])
      const last = listener.of(assignment.trial.id).at(-1)
      expect(last).toMatchObject({ type: 'ended', outcome: { state: 'stopped', reason: 'enough' } })
      expect(last?.type === 'ended' && last.outcome.state === 'stopped' && Object.keys(last.outcome.metrics)).toEqual([
        'loss',
      ])
    })

    it('lets an interactive attempt report again only after an answer', async () => {
      const { backend, listener } = await start()
      const assignment = toyAssignment({ steps: 3 }, { interactive: true })
      await backend.start(assignment)
      for (let step = 1; step <= 3; step++) {
        expect(await listener.until((event) => event.type === 'report')).toMatchObject({ step })
        backend.proceed(assignment.trial.id)
      }
      await listener.untilEnded([assignment.trial.id])
      expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
    })

    it('stops an interactive attempt that waits for its answer', async () => {
      const { backend, listener } = await start()
      const assignment = toyAssignment({ steps: 3 }, { interactive: true })
      await backend.start(assignment)
      await listener.until((event) => event.type === 'report')
      await backend.stop(assignment.trial.id, 'not good enough')
      await listener.untilEnded([assignment.trial.id])
      expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({
        outcome: { state: 'stopped', reason: 'not good enough' },
      })
    })

    it.each(['keep', 'count'])(
      'ends an attempt that is to be gone on from with what it had at that report, and the next goes on there where it keeps checkpoints: %s',
      async (behaviour) => {
        const { backend, listener } = await start()
        const assignment = toyAssignment({ behaviour, steps: 4 }, { init: 7, interactive: true })
        const { id } = assignment.trial
        await backend.start(assignment)
        await listener.until((event) => event.type === 'report')
        backend.proceed(id)
        const report = await listener.until((event) => event.type === 'report')
        await backend.stop(id, 'it waits', { keep: true })
        await listener.untilEnded([id])
        const [end, ...before] = listener.of(id).toReversed()
        const metrics = report.type === 'report' ? report.metrics : {}
        expect(end).toMatchObject({ outcome: { state: 'stopped', reason: 'it waits', metrics, artifacts: {} } })
        expect(before.filter(({ type }) => type === 'report')).toHaveLength(2)

        await backend.start({ ...assignment, attempt: 2, pausedAfter: 2 })
        for (let step = 1; step <= 4; step++) {
          await listener.until((event) => event.type === 'report')
          backend.proceed(id)
        }
        await listener.untilEnded([id])
        const second = listener.of(id).filter(({ attempt }) => attempt === 2)
        const reports = second.flatMap((event) => (event.type === 'report' ? [event] : []))
        const isCarried = behaviour === 'keep' && abilities.keepsCheckpoints !== false
        expect(reports.map(({ step, carried = false }) => [step, carried])).toEqual([
          [1, isCarried],
          [2, isCarried],
          [3, false],
          [4, false],
        ])
        expect(second.at(-1)).toMatchObject({ outcome: { state: 'finished' } })
      },
    )

    it('ignores a stop for a trial it does not run', async () => {
      const { backend } = await start()
      await expect(backend.stop('ffffffffffffffff', 'why not')).resolves.toBeUndefined()
    })

    it("hands a parent's artifacts to its child", async () => {
      const { backend, listener } = await start()
      const parent = toyAssignment({ behaviour: 'save', steps: 7 })
      await backend.start(parent)
      await listener.untilEnded([parent.trial.id])
      const ended = listener.of(parent.trial.id).at(-1)
      if (ended?.type !== 'ended' || ended.outcome.state !== 'finished') throw new Error('the parent did not finish')
      expect(ended.outcome.artifacts['numbers']).toMatchObject({ sizeBytes: 3 })
      const child = toyAssignment(
        { behaviour: 'load' },
        { parents: [{ trial: parent.trial, metrics: ended.outcome.metrics, artifacts: ended.outcome.artifacts }] },
      )
      await backend.start(child)
      await listener.untilEnded([child.trial.id])
      expect(listener.of(child.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished', metrics: { sum: 10 } } })
    })

    it("lets a derived trial read the data that its parent's stage names", async () => {
      const { backend, listener } = await start()
      const reads = ['glyphs-20']
      const parent = toyAssignment({ behaviour: 'glyphs' }, { reads })
      const parents = [{ trial: parent.trial, metrics: {}, artifacts: {} }]
      const child = toyAssignment({ behaviour: 'inherited-glyphs' }, { reads, parents })
      for (const assignment of [parent, child]) await backend.start(assignment)
      await listener.untilEnded([parent.trial.id, child.trial.id])
      for (const { trial } of [parent, child])
        expect(listener.of(trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished', metrics: { rows: 20 } } })
    })

    it('fails a trial that asks for data which neither its stage nor an earlier one names', async () => {
      const { backend, listener } = await start()
      const assignment = toyAssignment({ behaviour: 'inherited-glyphs' })
      await backend.start(assignment)
      await listener.untilEnded([assignment.trial.id])
      expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({
        outcome: {
          state: 'failed',
          error: {
            message: 'the trial asks for a data set that neither its stage nor an earlier one names: glyphs-20',
          },
        },
      })
    })

    it.each(abilities.survivesCrashes ? ['die', 'hog'] : [])(
      'loses only the trial that makes its thread %s, and goes on',
      async (behaviour) => {
        const { backend, listener } = await start(2)
        const [crash, calm] = [toyAssignment({ behaviour }), toyAssignment({ steps: 20 })]
        await backend.start(crash)
        await backend.start(calm)
        // A backend that tries again by itself ends the trial; elsewhere that is for the sweep to decide.
        const last = backend.retries ? 'ended' : 'lost'
        const ends = new Set([`${crash.trial.id} ${last}`, `${calm.trial.id} ended`])
        while (ends.size > 0)
          await listener.until((event) => {
            ends.delete(`${event.trial} ${event.type}`)
            return event.type === 'ended' || event.type === 'lost'
          })
        const after = [toyAssignment({}), toyAssignment({}), toyAssignment({})]
        for (const assignment of after.slice(0, 2)) await backend.start(assignment)
        await listener.untilEnded(after.slice(0, 2).map((a) => a.trial.id))
        await backend.start(after[2]!)
        await listener.untilEnded([after[2]!.trial.id])
        const attempts = backend.retries ? 3 : 1
        const course = listener.of(crash.trial.id).map(({ type, attempt }) => `${type} ${attempt}`)
        expect(course).toEqual([
          ...Array.from({ length: attempts }, (_, i) => [`started ${i + 1}`, `lost ${i + 1}`]).flat(),
          ...(backend.retries ? [`ended ${attempts}`] : []),
        ])
        if (backend.retries) expect(listener.of(crash.trial.id).at(-1)).toMatchObject({ outcome: { state: 'dead' } })
        for (const { trial } of [calm, ...after])
          expect(listener.of(trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
      },
    )

    it('ends its events and what runs when it is closed, twice if need be', async () => {
      const { backend, listener } = await start()
      const assignment = toyAssignment({ behaviour: 'wait' })
      await backend.start(assignment)
      await listener.until((event) => event.type === 'report')
      await Promise.all([backend.close(), backend.close()])
      await expect(listener.until((event) => event.type === 'ended')).rejects.toThrow('events ended')
    })

    it.runIf(abilities.loseFarSide !== undefined)('tells of a far side that is gone for good', async () => {
      const { backend, listener } = await start()
      await backend.start(toyAssignment({ behaviour: 'wait' }))
      await listener.until((event) => event.type === 'report')
      await abilities.loseFarSide!(backend)
      await expect(listener.until((event) => event.type === 'ended')).rejects.toMatchObject({
        message: expect.stringContaining('for good') as string,
        hint: expect.stringContaining('mlds resume toy-sweep') as string,
        exitCode: 3,
      })
      await expect(backend.start(toyAssignment({}))).rejects.toThrow('for good')
      await backend.close()
    })
  })
}

/** What a backend promises that runs two attempts at a trial at once; `open` gives it room for two, where two can run. */
export function copiesSuite(name: string, open: () => Promise<Backend>): void {
  describe(`a copy on the ${name} backend`, () => {
    it.each([1, 2])(
      'runs beside the first attempt, of which either is given up: attempt %d, then the other',
      async (first) => {
        const backend = await open()
        try {
          const listener = new Listener(backend)
          const assignment = toyAssignment({ behaviour: 'wait' })
          const { id } = assignment.trial
          const isStart = (event: TrialEvent): boolean => event.type === 'started' && event.trial === id
          await backend.start(assignment)
          await listener.until(isStart)
          await expect.poll(() => backend.mayCopy!(id)).toBe(true)
          await backend.start({ ...assignment, attempt: 2, copy: true })
          expect(await listener.until(isStart)).toMatchObject({ attempt: 2 })
          expect(backend.mayCopy!(id)).toBe(false)
          await backend.giveUp!(id, first)
          await backend.giveUp!(id, 3 - first)
          // Both have left their places, and nothing more is told of them.
          const others = [toyAssignment({}), toyAssignment({})]
          for (const other of others) await backend.start(other)
          await listener.untilEnded(others.map(({ trial }) => trial.id))
          expect(listener.of(id).filter(({ type }) => type !== 'report')).toMatchObject([
            { type: 'started', attempt: 1 },
            { type: 'started', attempt: 2 },
          ])
        } finally {
          await backend.close()
        }
      },
    )
  })
}
