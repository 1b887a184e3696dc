import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { systemClock, type Clock } from '../../core/clock.js'
import type { Experiment } from '../../experiments/experiment.js'
import { dataReadBy } from '../../experiments/trial-data.js'
import { formatCount, formatDuration } from '../../core/format.js'
import { openStore, type Store } from '../../system/store.js'
import type { JournalEvent } from '../../sweeps/journal/journal.js'
import { hashTrials, mayGrow, sweepIdOf, type Plan } from '../../sweeps/plan.js'
import { isResult } from '../../sweeps/journal/state.js'
import type { PlanFacts } from '../../sweeps/stored-plan.js'
import { SweepFolder } from '../../sweeps/sweep-folder.js'
import type { EngineName, Trial } from '../../core/trial.js'
import { codeVersion } from '../../core/version.js'
import { openBackend } from '../backends/open-backend.js'
import { decide } from '../running/choices.js'
import { samplesFromStore, samplesOf, type Sample } from './samples.js'

export interface Estimate {
  /** From the first start to the last end. */
  readonly durationMs: number
  readonly workers: number
  /** Metric points that the trials will report, for whoever keeps them. */
  readonly points: number
  /** What it rests on, for a person. */
  readonly basis: string
}

/** The trials of a plan that its sweep, if there is one, has no result for. */
export async function missingTrials(store: Store, plan: Plan): Promise<Trial[]> {
  const id = sweepIdOf(plan)
  const state = (await store.sweepIds()).includes(id) ? (await SweepFolder.open(store, id)).restore() : undefined
  return plan.trials.filter((trial) => !isResult(state?.trials.get(trial.id)?.outcome))
}

/** Whether a sweep may have something to run: one whose plan grows always may. */
export const mayLack = async (store: Store, plan: Plan): Promise<boolean> =>
  mayGrow(plan.spec) || (await missingTrials(store, plan)).length > 0

/**
 * How long these trials will take, by what ran here before, else by a pilot if one is wanted. `undefined` when neither
 * says anything, or nothing is to be run.
 */
export async function estimate(
  options: Omit<PilotOptions, 'clock'> & { readonly pilot: boolean },
): Promise<Estimate | undefined> {
  const { store, plan, trials, workers, pilot } = options
  if (trials.length === 0) return undefined
  const fits = ({ experiment, version }: PlanFacts): boolean =>
    experiment === plan.experiment && version === plan.version
  const earlier = await samplesFromStore(store, { fits })
  const alike = comparable(earlier, trials).length > 0
  const tried = pilot && !alike ? await samplesFromPilot({ ...options, clock: systemClock }) : []
  const samples = tried.length > 0 ? tried : earlier
  if (samples.length === 0) return undefined
  const [{ share, durationMs }] = samples as [Sample]
  const basis =
    samples === tried
      ? `${share < 1 ? `the first ${formatDuration(durationMs)} of ` : ''}one trial that was run as a pilot`
      : `${formatCount(samples.length, alike ? 'trial' : 'much smaller trial')} that ran here before`
  // Trials that compute get no faster by sharing a core; programs may well be waiting for something else.
  const atOnce = plan.spec.own?.kind === 'command' ? workers : Math.min(workers, availableParallelism())
  return { ...extrapolate(samples, trials, atOnce), workers, basis }
}

interface PilotOptions {
  readonly store: Store
  readonly plan: Plan
  readonly experiment: Experiment
  /** The trials to be estimated; the first stage's middle one by cost is the pilot. */
  readonly trials: readonly Trial[]
  readonly workers: number
  readonly engine: EngineName
  readonly clock: Clock
  /** The pilot is cut off here, and judged by how far it came. Default 10 s. */
  readonly limitMs?: number
  readonly signal?: AbortSignal
}

/** One trial, run for a while in a folder of its own that is deleted afterwards; empty when it failed or told nothing. */
async function samplesFromPilot(options: PilotOptions): Promise<Sample[]> {
  const { store, plan, experiment, trials, engine, clock, limitMs = 10_000, signal } = options
  const pilot = middleByCost(trials.filter(({ parents }) => parents.length === 0))
  if (pilot === undefined) return []
  const folder = mkdtempSync(join(tmpdir(), 'mlds-pilot-'))
  try {
    const own = openStore(folder)
    // Data sets are read from where they are; what the pilot saves is not kept.
    for (const shared of [store.cacheFolder, store.dataFolder]) {
      if (existsSync(shared)) symlinkSync(shared, join(folder, basename(shared)))
    }
    const alone = { ...plan, spec: { ...plan.spec, name: 'pilot' }, trials: [pilot], hash: hashTrials([pilot]) }
    const sweep = await SweepFolder.create(own, alone, { codeVersion, createdAtMs: clock.now() })
    const run = decide({ where: { threads: 1 }, engine })
    const backend = await openBackend({ store: own, sweep, experiment }, { ...run, voids: 0 }, () => {})
    const close = (): void => void backend.close()
    const cancel = clock.after(limitMs, close)
    signal?.addEventListener('abort', close, { once: true })
    const events: JournalEvent[] = []
    try {
      const reads = dataReadBy(experiment, pilot, () => undefined)
      await backend.start({ sweep: sweep.id, trial: pilot, attempt: 1, parents: [], reads, engine, interactive: false })
      for await (const event of backend.events()) {
        events.push(event)
        if (event.type === 'ended' || event.type === 'lost') break
      }
    } finally {
      cancel()
      signal?.removeEventListener('abort', close)
      await backend.close()
    }
    return [...samplesOf([pilot], events)]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function middleByCost(trials: readonly Trial[]): Trial | undefined {
  return [...trials].sort((a, b) => a.cost - b.cost)[trials.length >> 1]
}

/** Time and points by stage where the stage has run, else by all: costs of one experiment are in one unit. */
function extrapolate(
  samples: readonly Sample[],
  trials: readonly Trial[],
  atOnce: number,
): Pick<Estimate, 'durationMs' | 'points'> {
  const rates = (of: readonly Sample[]) => ({
    msPerCost: sum(of.map(({ durationMs }) => durationMs)) / sum(of.map(({ trial, share }) => work(trial) * share)),
    pointsPerStep: sum(of.map(({ points }) => points)) / sum(of.map(({ trial, share }) => steps(trial) * share)),
  })
  const overall = rates(samples)
  const byStage = new Map<string, typeof overall>()
  for (const { stage } of trials) {
    if (byStage.has(stage)) continue
    const own = samples.filter(({ trial }) => trial.stage === stage)
    const near = comparable(
      own,
      trials.filter((trial) => trial.stage === stage),
    )
    byStage.set(stage, near.length > 0 ? rates(near) : own.length > 0 ? rates(own) : overall)
  }
  const each = trials.map((trial) => work(trial) * byStage.get(trial.stage)!.msPerCost)
  return {
    durationMs: Math.max(sum(each) / atOnce, largest(each)),
    points: Math.round(sum(trials.map((trial) => steps(trial) * byStage.get(trial.stage)!.pointsPerStep))),
  }
}

/** Small nets are mostly overhead: what they took says little of nets many times their size. */
function comparable(samples: readonly Sample[], trials: readonly Trial[]): Sample[] {
  const least = middleByCost(trials)!.cost / 4
  return samples.filter(({ trial }) => trial.cost >= least)
}

const work = (trial: Trial): number => Math.max(1, trial.cost)
/** Reports grow with epochs where there are any. */
const steps = ({ params }: Trial): number => (typeof params['epochs'] === 'number' ? params['epochs'] : 1)
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0)

/** `about 12 min on 2 workers, by 87 trials that ran here before`. */
export function describeEstimate({ durationMs, workers, basis }: Estimate): string {
  return `about ${formatDuration(durationMs)} on ${formatCount(workers, 'worker')}, by ${basis}`
}
