import { formatCount } from '../core/format.js'
import { existsSync } from 'node:fs'
import { systemClock } from '../core/clock.js'
import { StoreError } from '../core/errors.js'
import type { Experiment } from '../experiments/experiment.js'
import { dataReadBy } from '../experiments/trial-data.js'
import type { ReadArtifact } from '../figures/figure.js'
import { lookUp } from '../core/names.js'
import { rankingOf, type Standing } from '../core/ranking.js'
import type { Store } from '../system/store.js'
import { basisOf, noteConclusion, recallConclusion } from '../sweeps/conclusion.js'
import { judge, readRecords, storeVerdicts, type ClaimVerdict } from '../sweeps/conclude.js'
import { DamageTally } from '../sweeps/journal/damage.js'
import { MetricWatch } from '../sweeps/scheduling/metric-watch.js'
import { Journal, journalFormat, mendTail, type JournalEvent } from '../sweeps/journal/journal.js'
import { lockSweep, type SweepLock } from '../system/lock.js'
import { sweepIdOf, type Plan } from '../sweeps/plan.js'
import { defaultLimits, runSweep, type SweepEnd, type SweepLimits } from '../sweeps/run-sweep.js'
import { createScheduler, judgedBy, replay } from '../sweeps/scheduling/stopping.js'
import { isResult, type SweepCounts, type SweepState, type TrialState } from '../sweeps/journal/state.js'
import { SweepFolder } from '../sweeps/sweep-folder.js'
import { LogKeeper } from '../sweeps/trial-logs.js'
import { noTracker, type SweepInfo, type Tracked, type Tracker } from '../tracking/tracker.js'
import {
  isTerminal,
  type EngineName,
  type Objective,
  type OutcomeState,
  type TrialEvent,
  type TrialId,
} from '../core/trial.js'
import { codeVersion } from '../core/version.js'
import type { Backend } from '../worker/backend.js'
import type { Conclusion } from './mlflow/story.js'

/** Which trials without a result to run: `missing` ones never ended, the others ended without a result. */
export type Rerun = 'missing' | Exclude<OutcomeState, 'finished' | 'stopped' | 'diverged'>
export const rerunnable: readonly Rerun[] = ['missing', 'failed', 'dead', 'cancelled', 'skipped']

/** Who watches a sweep run. */
export interface SweepObserver {
  /** A sentence for a person: a warning, something that was decided. */
  say(message: string): void
  /** Once, when the journal has been read and nothing has been started yet; the state is kept up to date from here on. */
  opened?(info: SweepInfo, state: SweepState): void
  /** After each event was written down. */
  onEvent?(event: TrialEvent): void
  /** Nothing runs any more; figures come next. */
  ended?(): void
}

export interface ExecuteOptions {
  readonly store: Store
  readonly sweep: SweepFolder
  readonly experiment: Experiment
  /** Threads, for whoever shows them; `undefined` when the trials run elsewhere. */
  readonly workers: number | undefined
  readonly engine: EngineName
  readonly limits: SweepLimits
  readonly rerun: ReadonlySet<Rerun>
  /** Run every trial again: earlier results of this sweep are void, and no other sweep's are taken over. Default false. */
  readonly fresh?: boolean
  /** An MLflow server to show the sweep in, while it runs and afterwards. */
  readonly trackUrl?: string | undefined
  /** Bring checkpoints there too. Default false. */
  readonly trackCheckpoints?: boolean | undefined
  /** `say` is for what the backend has to tell a person. */
  readonly openBackend: (say: (message: string) => void) => Promise<Backend>
  readonly observer: SweepObserver
  /** Called when something refuses before a trial has begun, so that nothing is left of a sweep that never was one. */
  readonly takeBack?: () => Promise<void>
  /** Start nothing more, let what runs end. */
  readonly drain: AbortSignal
  /** Give up what runs; a resume runs it again. */
  readonly abort: AbortSignal
  /** Start what can be started and leave it to the backend. Default false. */
  readonly detach?: boolean
}

export interface SweepSummary extends Pick<
  SweepCounts,
  | 'planned'
  | 'finished'
  | 'unique'
  | 'failed'
  | 'missing'
  | 'stopped'
  | 'diverged'
  | 'dead'
  | 'skipped'
  | 'skippedForGood'
  | 'cancelled'
> {
  readonly sweep: string
  readonly experiment: string
  readonly profile: string
  /** The best point, by the mean over its seeds, and how many others are exactly as good. */
  readonly best?: { readonly standing: Standing; readonly tied: number }
  /** Why it ended before its plan did. */
  readonly cutShort?: string
  /** It ended since its first trials all failed alike, as a resume would again. */
  readonly failedAlike?: true
  /** What lets the rest run, where a resume would end alike. */
  readonly advice?: string
  /** The rest was left to remote workers. */
  readonly detached?: true
  readonly durationMs: number
  /** The most memory the process held at any time, all its threads included. */
  readonly peakMemoryMb: number
  readonly verdicts: readonly ClaimVerdict[]
  readonly figures: readonly string[]
  /** The sweep's runs in MLflow, when it was tracked. */
  readonly link?: string
  /** The run that carries its note and figures. */
  readonly storyLink?: string
}

/** Runs what a sweep still lacks, then judges it and draws its figures. */
export async function executeSweep(options: ExecuteOptions): Promise<SweepSummary> {
  const { sweep, experiment, observer } = options
  const clock = systemClock
  const startedAtMs = clock.now()
  const lock = lockSweep(sweep.lockFile, sweep.id)
  const closing: (() => Promise<void> | void)[] = [() => lock.release()]
  let wasRefused = false
  closing.push(async () => {
    if (wasRefused) await options.takeBack?.()
  })
  try {
    const tracker = await openTracker(options)
    closing.push(() => tracker.close())
    const warnings: string[] = []
    const state = await restore(sweep, (warning) => warnings.push(warning))
    const voided = options.fresh === true ? declareVoid(state) : undefined
    const info = describeSweep(sweep, experiment)
    observer.opened?.(info, state)
    warnings.forEach((warning) => observer.say(warning))
    let end: SweepEnd = {}
    try {
      end = await runWhatIsMissing(options, lock, tracker, info, state, voided)
    } finally {
      observer.ended?.()
    }
    lock.assertHeld()
    const { verdicts, figures } = options.detach === true ? { verdicts: [], figures: [] } : await concludeOnce(options)
    const best = rankingOf(state.trials.values(), info.objective).best()
    const tracked = await finishTracking(tracker, options, { verdicts, figures })
    return {
      ...summarise(sweep, state.counts()),
      ...end,
      ...(best === undefined ? {} : { best }),
      ...(options.detach === true ? { detached: true as const } : {}),
      durationMs: clock.now() - startedAtMs,
      peakMemoryMb: Math.round(process.resourceUsage().maxRSS / 1024),
      verdicts,
      figures,
      ...(tracked === undefined ? {} : { link: tracked.link, storyLink: tracked.parentLink }),
    }
  } catch (error) {
    wasRefused = true
    throw error
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

/** How long a finished sweep waits for MLflow to take the rest; what it has not got by then is left to `mlds sync`. */
const trackingPatience = { answeredMs: 30_000, silentMs: 5_000 }

async function openTracker({
  store,
  sweep,
  experiment,
  trackUrl,
  trackCheckpoints = false,
  observer,
}: ExecuteOptions): Promise<Tracker> {
  if (trackUrl === undefined) return noTracker
  const { openTracking } = await import('./mlflow/open-tracking.js')
  const say = (message: string): void => observer.say(message)
  return openTracking({
    ...{ store, sweep, experiment, url: trackUrl, checkpoints: trackCheckpoints, warn: say },
    patience: trackingPatience,
    onOpen: ({ link }) => say(`In MLflow while it runs: ${link}`),
  })
}

/** What keeps a tracker from beginning keeps no sweep from running. */
async function openTo(tracker: Tracker, info: SweepInfo, observer: SweepObserver): Promise<void> {
  await tracker.open(info).catch((error: Error) => observer.say(`tracking has trouble: ${error.message}`))
}

/** What the sweep has come to, for its tracker; none of its failures is the sweep's. */
async function finishTracking(
  tracker: Tracker,
  options: ExecuteOptions,
  conclusion: Conclusion,
): Promise<Tracked | undefined> {
  const { sweep, trackUrl = '', observer } = options
  try {
    return await tracker.finish(async () => (await import('./mlflow/story.js')).storyOf(options, conclusion))
  } catch (error) {
    const { message, hint } = error as Error & { hint?: string }
    observer.say(
      `MLflow has not got all of it: ${message}${hint === undefined ? '' : ` (${hint})`}\nBring the rest with: mlds sync ${sweep.id} --track ${trackUrl.replace(/\/\/[^@/]*@/, '//')}`,
    )
    return undefined
  }
}

async function restore(sweep: SweepFolder, warn: (message: string) => void): Promise<SweepState> {
  if (existsSync(sweep.journalFile)) {
    const torn = await mendTail(sweep.journalFile)
    if (torn > 0)
      warn(`the journal's last line was torn (${torn} bytes): moved to ${sweep.journalFile}.torn; its trial runs again`)
  }
  const damage = new DamageTally()
  const state = sweep.restore(damage.add)
  if (damage.lines > 0)
    warn(
      `${damage.toString()} of ${sweep.journalFile}${damage.unreadable > 0 ? ': trials whose results were lost with that run again' : ''} (mlds verify ${sweep.id} --repair makes it whole)`,
    )
  return state
}

/** Takes all results for void; the line is yet to be written. `undefined` where there are none. */
function declareVoid(state: SweepState): JournalEvent | undefined {
  const begun = [...state.trials.values()].some(({ attempts, outcome }) => attempts > 0 || outcome !== undefined)
  if (!begun) return undefined
  const voided: JournalEvent = { type: 'voided', atMs: systemClock.now() }
  state.apply(voided)
  return voided
}

async function runWhatIsMissing(
  options: ExecuteOptions,
  lock: SweepLock,
  tracker: Tracker,
  info: SweepInfo,
  state: SweepState,
  voided: JournalEvent | undefined,
): Promise<SweepEnd> {
  const { sweep, observer } = options
  const before = new Map<TrialId, TrialState>()
  const left = new Set<TrialId>()
  const forGood = state.skippedForGood()
  for (const trial of state.trials.values()) {
    const standing = isTerminal(trial.state) ? trial.state : 'missing'
    if (isResult(trial.outcome) || forGood.has(trial.trial.id) || !options.rerun.has(standing as Rerun)) continue
    left.add(trial.trial.id)
    if (trial.outcome !== undefined) before.set(trial.trial.id, { ...trial })
    trial.state = 'planned'
    delete trial.outcome
  }
  if (left.size === 0) {
    observer.say(sayNothingLeft(options.rerun, state))
    const lacking = new MetricWatch(state, info.objective, []).atStart()
    if (lacking !== undefined) observer.say(lacking)
    await openTo(tracker, info, observer)
    return {}
  }

  const journal = Journal.open(sweep.journalFile, () => lock.assertHeld())
  const logs = new LogKeeper(sweep.logsFolder, () => lock.assertHeld())
  try {
    journal.append({
      type: 'opened',
      format: journalFormat,
      sweep: sweep.id,
      planHash: sweep.plan.hash,
      codeVersion,
      engine: options.engine,
      atMs: systemClock.now(),
    })
    // Whoever wanted every trial to run does not mean results from elsewhere when the rest is resumed either.
    if (options.fresh !== true && state.voids === 0) await takeOver(options, left, state, journal)
    const rules = sweep.plan.spec.scheduler ?? []
    const scheduler = createScheduler(sweep.plan.trials, rules, info.objective)
    if (scheduler.interactive) replay(scheduler, voided === undefined ? sinceVoided(sweep.events()) : [])
    for (const { trial, outcome } of state.trials.values())
      if (outcome !== undefined) scheduler.conclude(trial, outcome)
    const backend = await options.openBackend((message) => observer.say(message))
    // Not before it can begin: a server that does not answer costs no result.
    if (voided !== undefined) {
      journal.append(voided)
      observer.say(`Earlier results of ${sweep.id} are void: every trial runs again.`)
    }
    // After what was taken over and what is void: its history holds both.
    await openTo(tracker, info, observer)
    const end = await runSweep({
      info,
      engine: options.engine,
      state,
      wanted: left,
      dataReadBy: (trial) => dataReadBy(options.experiment, trial, (id) => state.trials.get(id)?.trial),
      journal,
      keepLog: (trial, attempt, text) => logs.keep(trial, attempt, text),
      scheduler,
      backend,
      tracker,
      clock: systemClock,
      limits: options.limits,
      judges: rules.map((rule) => ({ rule: rule.rule, metric: judgedBy(rule, info.objective).metric })),
      drain: options.drain,
      abort: options.abort,
      detach: options.detach ?? false,
      onEvent: (event) => observer.onEvent?.(event),
      warn: (message) => observer.say(message),
    })
    // What was not begun again ended as it had before.
    for (const [id, { attempts, ...earlier }] of before) {
      const trial = state.trials.get(id)!
      if (trial.state === 'planned' && trial.attempts === attempts) Object.assign(trial, earlier)
    }
    return end
  } finally {
    logs.close()
    journal.close()
  }
}

/** Of some states alone, others may be left. */
function sayNothingLeft(rerun: ReadonlySet<Rerun>, state: SweepState): string {
  const { missing, failed, dead } = state.counts()
  if (rerunnable.every((standing) => rerun.has(standing)) || missing + failed + dead === 0)
    return 'Nothing is left to run.'
  return `Nothing is run: no trial that can run is ${[...rerun].join(' or ')} (${missing} missing, ${failed} failed, ${dead} dead).`
}

/** The events of after all results were last declared void. */
function sinceVoided(events: Iterable<JournalEvent>): JournalEvent[] {
  const all = [...events]
  return all.slice(all.findLastIndex(({ type }) => type === 'voided') + 1)
}

/** Writes down what other sweeps found for the very same trials, instead of running those again. */
async function takeOver(
  { store, sweep, observer }: ExecuteOptions,
  wanted: ReadonlySet<TrialId>,
  state: SweepState,
  journal: Journal,
): Promise<void> {
  const { findEarlierResults } = await import('../sweeps/reuse.js')
  const earlier = await findEarlierResults(store, sweep, wanted)
  for (const [trial, { from, events }] of earlier) {
    const taken: JournalEvent = { type: 'reused', trial, from, atMs: systemClock.now() }
    for (const event of [taken, ...events]) {
      journal.append(event)
      state.apply(event)
    }
  }
  const sources = [...new Set([...earlier.values()].map(({ from }) => from))]
  if (earlier.size > 0)
    observer.say(
      `${earlier.size} of ${formatCount(wanted.size, 'trial')} ${earlier.size === 1 ? 'has its result' : 'have results'} already, in ${sources.join(', ')}: taken over`,
    )
}

export interface FrozenPlan {
  readonly sweep: SweepFolder
  /** Makes it as if the plan had never been frozen, unless a trial that came with it is in the journal. */
  readonly takeBack: () => Promise<void>
}

/**
 * The sweep of this plan, new or known. With `extend`, a sweep of the same name grows by what the plan adds. Another
 * objective is taken where no stopping rule goes by it, and `say` is told.
 * @throws PlanDiffersError when the name is taken by another plan, StoreError when by one with other rules or objective.
 */
export async function freezePlan(
  store: Store,
  plan: Plan,
  experiment: Pick<Experiment, 'objective'>,
  {
    extend = false,
    fresh = false,
    say = () => {},
  }: { extend?: boolean; fresh?: boolean; say?: (message: string) => void } = {},
): Promise<FrozenPlan> {
  const facts = { codeVersion, createdAtMs: systemClock.now() }
  const id = sweepIdOf(plan)
  if (!(await store.sweepIds()).includes(id)) {
    const sweep = await SweepFolder.create(store, plan, facts)
    return { sweep, takeBack: () => sweep.takeBack(undefined) }
  }
  const existing = extend ? await SweepFolder.open(store, id) : await SweepFolder.create(store, plan, facts, { fresh })
  const [before, after] = [existing.plan, plan].map(({ spec }) => spec.objective ?? experiment.objective)
  const isNew = describeObjective(before!) !== describeObjective(after!)
  if (!extend && !isNew) return { sweep: existing, takeBack: async () => {} }
  if (isNew) requireNoRuleBy(before!, after!, existing)
  const lock = lockSweep(existing.lockFile, id)
  try {
    const sweep = await existing.extend(plan)
    if (isNew) say(`The objective is now ${describeObjective(after!)} (it was ${describeObjective(before!)}).`)
    return { sweep, takeBack: () => sweep.takeBack(existing.plan) }
  } finally {
    lock.release()
  }
}

const describeObjective = ({ metric, direction }: Objective): string => `${direction} ${metric}`

/** @throws StoreError when a rule would judge otherwise than it has. */
function requireNoRuleBy(before: Objective, after: Objective, { id, plan }: SweepFolder): void {
  const changed = (plan.spec.scheduler ?? []).find(
    (rule) => describeObjective(judgedBy(rule, before)) !== describeObjective(judgedBy(rule, after)),
  )
  if (changed !== undefined)
    throw new StoreError(
      `sweep ${id} exists with another objective, by which its rule ${changed.rule} stops trials: ${describeObjective(before)} (now ${describeObjective(after)})`,
      { hint: 'give this one another --name: trials that finished are taken over', exitCode: 2 },
    )
}

export function limitsFrom(flags: {
  'fail-fast': boolean
  'max-failures'?: number | undefined
  retries: number
  'failing-alike': number
}): SweepLimits {
  const maxFailures = flags['fail-fast'] ? 1 : (flags['max-failures'] ?? Infinity)
  return { ...defaultLimits, maxFailures, retries: flags.retries, failingAlike: flags['failing-alike'] }
}

export function describeSweep(sweep: SweepFolder, experiment: Experiment): SweepInfo {
  const { plan } = sweep
  return {
    sweep: sweep.id,
    name: plan.spec.name ?? plan.experiment,
    experiment: plan.experiment,
    question: experiment.question,
    objective: plan.spec.objective ?? experiment.objective,
    spec: plan.spec,
    planHash: plan.hash,
    codeVersion: plan.codeVersion,
    openedAtMs: plan.createdAtMs,
    trials: plan.trials,
  }
}

export function summarise(sweep: SweepFolder, counts: SweepCounts) {
  const { planned, finished, unique, failed, missing, stopped, diverged, dead, skipped, skippedForGood, cancelled } =
    counts
  return {
    sweep: sweep.id,
    experiment: sweep.plan.experiment,
    profile: sweep.plan.profile,
    planned,
    finished,
    unique,
    failed,
    // A trial that was running when its process died has no result: it is missing like any other.
    missing: missing + counts.running,
    stopped,
    diverged,
    dead,
    skipped,
    skippedForGood,
    cancelled,
  }
}

/** As `concludeAndDraw`, but what has been concluded from the very same already, and is whole on disk, is taken as it is. */
async function concludeOnce(options: ExecuteOptions): Promise<Conclusion> {
  const { sweep, observer } = options
  const basis = await basisOf(sweep)
  const known = basis === undefined ? undefined : await recallConclusion(sweep, basis)
  if (known !== undefined) return known
  let wasTroubled = false
  const conclusion = await concludeAndDraw(options, (message) => {
    wasTroubled = true
    observer.say(message)
  })
  // Trouble is told again by the next run: what caused it may be gone by then.
  if (basis !== undefined && !wasTroubled) await noteConclusion(sweep, basis, conclusion)
  return conclusion
}

/**
 * Verdicts and figures of whatever has finished: into the sweep's folder, or the figures alone into another. A figure that
 * can't be drawn is told to `warn`.
 */
export async function concludeAndDraw(
  { store, sweep, experiment }: Pick<ExecuteOptions, 'store' | 'sweep' | 'experiment'>,
  warn: (message: string) => void,
  elsewhere?: string,
): Promise<{ verdicts: ClaimVerdict[]; figures: string[] }> {
  const records = readRecords(sweep)
  const verdicts = judge(experiment.claims, records)
  if (elsewhere === undefined) await storeVerdicts(sweep, verdicts)
  if (!records.some((record) => isResult(record.outcome))) return { verdicts, figures: [] }
  const { drawFigures } = await import('../figures/draw.js')
  const read = artifactReader(store)
  const folder = elsewhere ?? sweep.figuresFolder
  return { verdicts, figures: await drawFigures(experiment.figures, records, read, folder, warn) }
}

/** Reads what trials saved from the store. */
export function artifactReader(store: Store): ReadArtifact {
  return async (record, name) => {
    const artifact = lookUp(record.artifacts, name)
    if (artifact === undefined) throw new Error(`trial ${record.trial.id} saved nothing called ${name}`)
    return store.readObject(artifact)
  }
}
