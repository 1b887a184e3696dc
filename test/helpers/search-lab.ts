import { mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { SimulatedClock } from '../../src/core/clock.js'
import { sweepObjective } from '../../src/core/objective.js'
import { textHash } from '../../src/core/seed.js'
import type { Assignment, Trial } from '../../src/core/trial.js'
import type { Experiment } from '../../src/experiments/experiment.js'
import { Journal, readJournal, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import { SweepState } from '../../src/sweeps/journal/state.js'
import { defaultLimits, runSweep, type RunSweepOptions, type SweepEnd } from '../../src/sweeps/run-sweep.js'
import { createScheduler, replay } from '../../src/sweeps/scheduling/stopping.js'
import { courseOf, newBasis, planSearch, samplerOf, searchParts } from '../../src/sweeps/searching/plan-search.js'
import { confirmerOf, ConfirmedGrowth } from '../../src/sweeps/searching/confirmation.js'
import { replayCourse } from '../../src/sweeps/searching/replay.js'
import { reconcile } from '../../src/sweeps/searching/kept.js'
import { SearchGrowth } from '../../src/sweeps/searching/search-growth.js'
import type { Learnt } from '../../src/sweeps/searching/learnt.js'
import type { Learning } from '../../src/sweeps/spec/learning.js'
import type { SweepSpec } from '../../src/sweeps/spec/spec.js'
import { noTracker } from '../../src/tracking/tracker.js'
import type { SuggestionKeeper } from '../../src/worker/backend.js'
import { SimulatedBackend, type SimulatedAttempt } from '../../src/worker/simulated.js'

export const learning: Learning = { parallel: 4, order: 'fixed', failed: 'worst', enqueue: [] }

/** A search of the toy's width, by the sampler that needs no result unless another is named. */
export function searchSpec(
  search: Partial<NonNullable<SweepSpec['search']>>,
  rest: Partial<SweepSpec> = {},
): SweepSpec {
  const axes = { width: { kind: 'log-int' as const, low: 1, high: 1000 } }
  return {
    experiment: 'toy',
    axes: {},
    search: { sampler: 'random', count: 20, seed: 0, axes, learning, ...search },
    ...rest,
  }
}

export const fingerprint = (): string => 'none'

export interface SearchLab {
  /** Its journal. */
  readonly file: string
  state: SweepState
  readonly said: string[]
  journal(): JournalEvent[]
  /** Leaves so many events of the journal, as a process that was killed then would have. */
  keep(count: number): void
  /** Makes these its journal, as another process would have left it. */
  write(events: readonly JournalEvent[]): void
  /** A hash of every trial with its outcome, in the order of all tables. */
  table(): string
  run(options: {
    readonly model: (assignment: Assignment) => SimulatedAttempt
    readonly workers: number
    /** Keeps what is suggested for labs without the journal. Default: nobody does. */
    readonly keeper?: SuggestionKeeper
    readonly more?: Partial<RunSweepOptions>
  }): Promise<SweepEnd>
}

/** A search on a simulated clock with a real journal, its own or a `former` one's: `run` again to resume it. */
export async function openSearchLab(
  experiment: Experiment,
  spec: SweepSpec,
  { former, learnt = [] }: { readonly former?: string; readonly learnt?: readonly Learnt[] } = {},
): Promise<SearchLab> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-search-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = former ?? join(folder, 'journal.jsonl')
  const plan = await planSearch(experiment, spec, fingerprint, { ...newBasis(spec), learnt })
  const { trials, suggested = [] } = plan
  const said: string[] = []
  const clock = new SimulatedClock()
  const row = ({ trial, outcome }: { trial: Trial; outcome?: unknown }): unknown => [trial, outcome]
  const lab: SearchLab = {
    file,
    state: new SweepState(trials),
    said,
    journal: () => [...readJournal(file)].map(({ event }) => event),
    keep: (count) => truncateSync(file, [...readJournal(file)][count]?.offset),
    write(events) {
      rmSync(file, { force: true })
      const journal = Journal.open(file)
      for (const event of events) journal.append(event)
      journal.close()
    },
    table: () => textHash(JSON.stringify([...lab.state.trials.values()].map(row))),
    async run({ model, workers, keeper, more = {} }) {
      const journal = Journal.open(file)
      lab.state = new SweepState(trials)
      const before = lab.journal()
      for (const event of before) lab.state.apply(event)
      lab.state.forgetRunning()
      const objective = sweepObjective(spec, experiment)
      const known = [...lab.state.trials.values()]
      const scheduler = createScheduler(
        known.map(({ trial }) => trial),
        spec.scheduler ?? [],
        objective,
      )
      if (scheduler.interactive) replay(scheduler, before)
      for (const { trial, outcome } of known) if (outcome !== undefined) scheduler.recordEnd(trial, outcome)
      const parts = searchParts(experiment, spec, fingerprint, { ...newBasis(spec), learnt })
      const { space, planSetting, search } = parts
      const course = courseOf(parts, { trials, suggested })
      const source = samplerOf(parts)
      const replayed = replayCourse(course, before)
      source.observe(replayed.told)
      const options = { space, planSetting, learning: search.learning, source, learnt: parts.learnt.length }
      const kept = keeper && { keeper, ahead: await reconcile(keeper, suggested.length, replayed.suggested) }
      const growing = new SearchGrowth(course, options, clock, (line) => said.push(line), kept)
      const confirmer = confirmerOf({ suggested, spec }, objective, experiment, fingerprint)
      for (const event of before) confirmer?.apply(event)
      const growth = confirmer === undefined ? growing : new ConfirmedGrowth(growing, confirmer)
      const { question } = experiment
      const facts = { sweep: 'lab', name: 'lab', experiment: 'toy', question, objective, spec, openedAtMs: 0 }
      try {
        return await runSweep({
          info: { ...facts, planHash: plan.hash, codeVersion: '0', trials },
          ...{ engine: 'compiled', state: lab.state, journal, scheduler, growth, clock, limits: defaultLimits },
          backend: new SimulatedBackend(workers, clock, model),
          tracker: noTracker,
          drain: new AbortController().signal,
          abort: new AbortController().signal,
          onEvent: () => {},
          warn: (line) => said.push(line),
          ...more,
        })
      } finally {
        journal.close()
      }
    },
  }
  return lab
}
