import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { planTarget } from '../../src/app/planning/plan.js'
import { systemClock } from '../../src/core/clock.js'
import type { Trial, TrialEvent } from '../../src/core/trial.js'
import { openData } from '../../src/data/catalog.js'
import { CompiledEngine } from '../../src/engines/compiled/compiled.js'
import { createEngine } from '../../src/engines/create-engine.js'
import type { Engine } from '../../src/engines/engine.js'
import type { Experiment } from '../../src/experiments/experiment.js'
import { experimentNames } from '../../src/experiments/registry.js'
import { dataReadBy } from '../../src/experiments/trial-data.js'
import { openStore } from '../../src/system/store.js'
import { runTrial } from '../../src/worker/run-trial.js'

const root = mkdtempSync(join(tmpdir(), 'mlds-go-on-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const store = openStore(join(root, 'store'))
const catalog = openData(store)

/** Sizes at which a training takes a moment, of the axes that an experiment has. */
const small: Readonly<Record<string, number>> = {
  ...{ epochs: 12, trainRows: 60, testRows: 20, validationRows: 20, rows: 60, batch: 25 },
  ...{ finderSteps: 6, fineSteps: 2, snapshotEvery: 3 },
}

async function smallTrial(
  name: string,
  settings: readonly string[],
): Promise<{ experiment: Experiment; trial: Trial }> {
  const { experiment } = await planTarget(name, { set: [], profile: 'smoke' }, store)
  const { space } = experiment.stages[0]
  const set = Object.entries(small).flatMap(([axis, value]) => (axis in space ? [`${axis}=${value}`] : []))
  const { plan } = await planTarget(name, { set: [...set, ...settings], profile: 'smoke' }, store)
  return { experiment, trial: plan.trials.find(({ parents }) => parents.length === 0)! }
}

interface Attempt {
  readonly reports: readonly unknown[]
  /** Reports that it did not make itself. */
  readonly carried: number
  readonly end: TrialEvent | undefined
}

/** When an attempt dies: at so many reports of its own, before it is let go on (and so before it keeps a checkpoint), or after. */
interface Kill {
  readonly reports: number
  readonly before: boolean
}

async function attemptAt(
  { experiment, trial }: { experiment: Experiment; trial: Trial },
  { engine, attempt, kill, folder }: { engine: Engine; attempt: number; kill?: Kill; folder: string },
): Promise<Attempt> {
  const events: TrialEvent[] = []
  const controller = new AbortController()
  let own = 0
  const isOver = (): boolean => kill !== undefined && own >= kill.reports
  await runTrial(
    {
      ...{ sweep: 'kept', trial, attempt, parents: [], engine: 'compiled', interactive: true },
      reads: dataReadBy(experiment, trial, () => undefined),
    },
    {
      findExperiment: async () => experiment,
      engine: async () => engine,
      data: (name) => catalog.load(name),
      putObject: (bytes) => store.putObject(bytes),
      readObject: (ref) => store.readObject(ref),
      log: () => {},
      emit(event) {
        events.push(event)
        if (event.type === 'report' && event.carried === undefined) own++
        if (isOver() && kill?.before === false) controller.abort(new Error('killed'))
      },
      mayProceed: async () => {
        if (!isOver() || kill?.before === false) return
        controller.abort(new Error('killed'))
        throw controller.signal.reason
      },
      checkpoints: { folder, everyMs: 0, leave: new AbortController().signal, bring: async () => {} },
      ...{ worker: 'here', clock: systemClock, signal: controller.signal },
    },
  )
  const reports = events.filter((event) => event.type === 'report')
  return {
    reports: reports.map(({ step, metrics }) => ({ step, metrics })),
    carried: reports.filter(({ carried }) => carried).length,
    end: events.find(({ type }) => type === 'ended'),
  }
}

const outcomeOf = ({ end }: Attempt): unknown => (end?.type === 'ended' ? end.outcome : end)

describe.each([
  ['compiled', () => createEngine('compiled')],
  ['compiled, stepwise', async () => new CompiledEngine(0)],
] as const)('on the %s engine a trial that is killed at ten moments', (_, open) => {
  const cases = experimentNames.map((name) => [name, [] as string[]] as const)
  const more = [['min-ratio', ['finder=gradient-norm']]] as const

  it.each([...cases, ...more])('goes on bit for bit as if undisturbed: %s %j', async (name, settings) => {
    const engine = await open()
    try {
      const small = await smallTrial(name, settings)
      const at = (attempt: number, folder: string, kill?: Kill) =>
        attemptAt(small, { engine, attempt, folder: join(root, folder), ...(kill === undefined ? {} : { kill }) })
      const whole = await at(1, `${name}-whole`)
      expect(outcomeOf(whole)).toMatchObject({ state: 'finished' })

      const folder = `${name}-${settings.length}-${_}`
      let last: Attempt | undefined
      for (let attempt = 1; attempt <= 10; attempt++) {
        last = await at(attempt, folder, { reports: 2, before: attempt % 2 === 0 })
        if (last.end !== undefined) break
        // From the second on each stands on what the one before had come to.
        expect(last.carried).toBe(attempt === 1 ? 0 : last.reports.length - 2)
        expect(last.reports).toEqual(whole.reports.slice(0, last.reports.length))
      }
      if (last?.end === undefined) last = await at(11, folder)
      expect(last.carried).toBeGreaterThanOrEqual(5)
      expect(last.reports).toEqual(whole.reports)
      expect(outcomeOf(last)).toEqual(outcomeOf(whole))
    } finally {
      await engine.dispose()
    }
  })
})
