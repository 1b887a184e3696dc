import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../core/clock.js'
import { codeVersion } from '../../core/version.js'
import { dataReadBy } from '../../experiments/trial-data.js'
import { DamageTally } from '../../sweeps/journal/damage.js'
import { formatFor, Journal, mendTail, type JournalEvent } from '../../sweeps/journal/journal.js'
import { timeUsed } from '../../sweeps/journal/time-used.js'
import type { SweepState } from '../../sweeps/journal/state.js'
import type { RunSweepOptions } from '../../sweeps/run-sweep.js'
import { GridScheduler } from '../../sweeps/scheduling/grid.js'
import type { Scheduler } from '../../sweeps/scheduling/scheduler.js'
import type { Judge } from '../../sweeps/scheduling/metric-watch.js'
import { goalsOf } from '../../core/objective.js'
import { createScheduler, judgedBy, pausesTrials, replay } from '../../sweeps/scheduling/stopping.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import { LogKeeper } from '../../sweeps/trial-logs.js'
import { lockSweep, type SweepLock } from '../../system/lock.js'
import type { TrialId } from '../../core/trial.js'
import type { SuggestionKeeper } from '../../worker/backend.js'
import { checkpointName } from '../../worker/checkpoints/trial-checkpoint.js'
import type { SweepInfo, Tracker } from '../../tracking/tracker.js'
import { openBackend } from '../backends/open-backend.js'
import { startOrder, type StartOrder } from '../planning/start-order.js'
import { describeSweep, type StoredSweep } from '../stored-sweep.js'
import { openTracker } from '../tracking.js'
import type { DecidedChoices, RunObserver } from './choices.js'
import { keepOwnCode } from './own-code.js'
import { describeSource } from './source.js'
import { openSearch } from './open-search.js'
import { openSeeds } from './open-seeds.js'
import { takeLeft, type LeftToRun } from './left-to-run.js'
import { takeOver } from './take-over.js'

/** A sweep that is to run. */
export interface SweepToRun extends StoredSweep {
  /** Called when something refuses before a trial has begun, so that nothing is left of a sweep that never was one. */
  readonly takeBack?: () => Promise<void>
}

/** What a run works with. */
export interface Parts {
  readonly lock: SweepLock
  readonly tracker: Tracker
  readonly info: SweepInfo
  readonly state: SweepState
  readonly left: LeftToRun
  readonly judges: readonly Judge[]
  /** What the loop needs beside these; `undefined` where no trial is left. */
  readonly loop: LoopParts | undefined
}

type LoopParts = Pick<
  RunSweepOptions,
  | 'wanted'
  | 'dataReadBy'
  | 'timeLimitMs'
  | 'memoryGb'
  | 'isolate'
  | 'loggingOf'
  | 'journal'
  | 'keepLog'
  | 'dropCheckpoint'
  | 'scheduler'
  | 'growth'
  | 'judges'
  | 'copies'
  | 'expectedMs'
  | 'budget'
  | 'backend'
>

/** Closes a part; told whether the run failed. */
export type Closer = (failed: boolean) => Promise<void> | void

/**
 * Opens all that a run needs. What closes a part goes into `closing` as soon as the part is open: whoever calls this closes
 * in reverse order, also when it throws.
 */
export async function openParts(
  sweepToRun: SweepToRun,
  choices: DecidedChoices,
  observer: RunObserver,
  closing: Closer[],
): Promise<Parts> {
  const { sweep, experiment, takeBack } = sweepToRun
  const say = (message: string): void => observer.say(message)

  const lock = lockSweep(sweep.lockFile, sweep.id)
  closing.push(() => lock.release())
  let mayHaveBegun = false
  closing.push(async (failed) => {
    if (failed && !mayHaveBegun) await takeBack?.()
  })
  const { tracker, loggingOf } = await openTracker(sweepToRun, choices.track, say, closing)
  if (loggingOf !== undefined && 'nats' in choices.where)
    say('Programs log to MLflow on workers of this host alone: the address for it is no other host’s.')

  const { state, warnings } = await restore(sweep)
  const isBegun = hasBegun(state)
  const voided = choices.fresh ? declareVoid(state) : undefined
  if (voided !== undefined) sweep.forgetAdded()
  const info = describeSweep(sweepToRun)
  observer.opened?.(info, state)
  warnings.forEach(say)
  const left = takeLeft(state, choices.only)
  const judges = rulesOf(sweep).flatMap((rule) =>
    goalsOf(judgedBy(rule, info.objective)).map(({ metric }) => ({ rule: rule.rule, metric })),
  )
  const openGrowth = async (events: Iterable<JournalEvent>, keeper?: SuggestionKeeper) =>
    openSeeds(sweepToRun) ?? (await openSearch(sweepToRun, [...events], systemClock, say, closing, keeper))
  let growth = left.trials.size === 0 && choices.only.has('missing') ? await openGrowth(sweep.events()) : undefined
  if (left.trials.size === 0 && !(await growth?.hasNext(state)))
    return { lock, tracker, info, state, left, judges, loop: undefined }

  const { usedMs, budgetMs: givenMs } = timeUsed(sweep.events())
  const budgetMs = choices.budgetMs ?? givenMs
  const budget = budgetMs === undefined ? {} : { budget: { limitMs: budgetMs, usedMs: choices.fresh ? 0 : usedMs } }
  const journal = Journal.open(sweep.journalFile, () => lock.assertHeld())
  closing.push(() => journal.close())
  const logs = new LogKeeper(sweep.logsFolder, () => lock.assertHeld())
  closing.push(() => logs.close())
  const { id, plan } = sweep
  const isOfNow = await keepOwnCode(sweep, !choices.fresh && hasResults(state), say)
  const source = isOfNow ? await describeSource(plan.spec, choices.sweepFile) : undefined
  const opened = { sweep: id, planHash: plan.hash, codeVersion, engine: choices.engine, atMs: systemClock.now() }
  journal.append({
    type: 'opened',
    format: formatFor({
      copies: choices.copies > 0,
      pauses: pausesTrials(rulesOf(sweep)),
      told: 'nats' in choices.where && plan.spec.search?.learning?.order === 'arrival',
    }),
    ...opened,
    ...(source && { source }),
    ...(budgetMs && { budgetMs }),
  })
  // Where nothing can be lost, at once: it tells a resume that this is a fresh start.
  if (voided !== undefined && !isBegun) journal.append(voided)
  // Whoever wanted every trial to run does not mean results from elsewhere when the rest is resumed either.
  if (!choices.fresh && state.voids === 0) await takeOver(sweepToRun, left.trials, state, journal, say)
  const order = await orderOf(sweepToRun, state, left)
  const times = order.by === 'time' ? order.times : undefined
  const scheduler = openScheduler(sweep, info, state, { isVoid: voided !== undefined, times })
  const backend = await openBackend(sweepToRun, { ...choices, voids: state.voids }, say)
  // A server may hold trials of which no event has come yet.
  mayHaveBegun = true
  closing.push(() => backend.close())
  const { suggestions } = backend
  if (choices.only.has('missing') && (growth === undefined || suggestions !== undefined))
    growth = await openGrowth(voided === undefined ? sweep.events() : [], suggestions)
  // Not before the backend can begin: a server that does not answer costs no result.
  if (voided !== undefined && isBegun) {
    journal.append(voided)
    rmSync(sweep.checkpointsFolder, { recursive: true, force: true })
    say(`Earlier results of ${id} are void: every trial runs again.`)
  }
  const loop: LoopParts = {
    wanted: left.trials,
    dataReadBy: (trial) => dataReadBy(experiment, trial, (parent) => state.trials.get(parent)?.trial),
    timeLimitMs: plan.spec.timeLimitMs,
    memoryGb: plan.spec.resources?.memoryGb,
    isolate: plan.spec.resources?.isolate,
    ...(loggingOf && { loggingOf }),
    journal,
    keepLog: (trial, attempt, text) => logs.keep(trial, attempt, text),
    dropCheckpoint: (trial) => {
      for (const isCopy of [false, true])
        rmSync(join(sweep.checkpointsFolder, checkpointName(trial, isCopy)), { recursive: true, force: true })
    },
    scheduler,
    ...(growth === undefined ? {} : { growth }),
    judges,
    copies: choices.copies,
    ...(times && { expectedMs: times }),
    ...budget,
    backend,
  }
  return { lock, tracker, info, state, left, judges, loop }
}

const hasResults = ({ trials }: SweepState): boolean =>
  [...trials.values()].some(({ state }) => state === 'finished' || state === 'stopped' || state === 'diverged')

/** The newest part first. What can't be closed keeps no other part open. @throws what closing threw, unless the run failed before. */
export async function closeParts(closing: readonly Closer[], failed: boolean): Promise<void> {
  const troubles: unknown[] = []
  for (const close of closing.toReversed()) {
    try {
      await close(failed)
    } catch (error) {
      troubles.push(error)
    }
  }
  if (!failed && troubles.length > 0) throw troubles[0]
}

/** Where every trial stands according to the journal, whose torn end is mended first. */
async function restore(sweep: SweepFolder): Promise<{ state: SweepState; warnings: string[] }> {
  const warnings: string[] = []
  if (existsSync(sweep.journalFile)) {
    const torn = await mendTail(sweep.journalFile)
    if (torn > 0)
      warnings.push(
        `the journal's last line was torn (${torn} bytes): moved to ${sweep.journalFile}.torn; its trial runs again`,
      )
  }
  const damage = new DamageTally()
  const state = sweep.restore(damage.add)
  if (damage.lines > 0)
    warnings.push(
      `${damage.toString()} of ${sweep.journalFile}${damage.unreadable > 0 ? ': trials whose results were lost with that run again' : ''} (mlds verify ${sweep.id} --repair makes it whole)`,
    )
  return { state, warnings }
}

/** Takes all results for void, if there are any; the line is yet to be written. */
function declareVoid(state: SweepState): JournalEvent {
  const voided: JournalEvent = { type: 'voided', atMs: systemClock.now() }
  state.apply(voided)
  return voided
}

/** Whether there is anything that a fresh start makes void. */
const hasBegun = ({ trials }: SweepState): boolean =>
  [...trials.values()].some(({ attempts, outcome }) => attempts > 0 || outcome !== undefined)

const rulesOf = ({ plan }: SweepFolder) => plan.spec.scheduler ?? []

/** The scheduler, told of all that happened since results were last declared void. */
function openScheduler(
  sweep: SweepFolder,
  info: SweepInfo,
  state: SweepState,
  { isVoid, times }: { readonly isVoid: boolean; readonly times: ReadonlyMap<TrialId, number> | undefined },
): Scheduler {
  const trials = [...state.trials.values()].map(({ trial }) => trial)
  const scheduler =
    times === undefined
      ? createScheduler(trials, rulesOf(sweep), info.objective, { planned: sweep.frozen.trials })
      : new GridScheduler(trials, times)
  if (scheduler.interactive) replay(scheduler, isVoid ? [] : sinceVoided(sweep.events()))
  for (const { trial, outcome } of state.trials.values()) if (outcome !== undefined) scheduler.recordEnd(trial, outcome)
  return scheduler
}

/** In which order what is left is started; by measured times only where nothing that the sweep decides depends on it. */
async function orderOf({ store, sweep }: StoredSweep, state: SweepState, left: LeftToRun): Promise<StartOrder> {
  const trials = [...state.trials.values()].flatMap(({ trial }) => (left.trials.has(trial.id) ? trial : []))
  return startOrder(store, sweep, trials)
}

/** The events of after all results were last declared void. */
function sinceVoided(events: Iterable<JournalEvent>): JournalEvent[] {
  const all = [...events]
  return all.slice(all.findLastIndex(({ type }) => type === 'voided') + 1)
}
