import type {
  Assignment,
  ProgramLogging,
  EngineName,
  Metrics,
  Outcome,
  ParentResult,
  SweepEvent,
  Trial,
  TrialEvent,
  TrialId,
} from '../core/trial.js'
import { formatCount, formatDuration } from '../core/format.js'
import { writeDuration } from '../core/duration.js'
import type { Clock } from '../core/clock.js'
import { divergedMetric } from '../core/divergence.js'
import { goalsOf } from '../core/objective.js'
import type { SweepInfo, Tracker } from '../tracking/tracker.js'
import { wasToldToGo } from '../core/told-to-go.js'
import type { Backend } from '../worker/backend.js'
import type { Journal, JournalEvent } from './journal/journal.js'
import { MetricWatch, type Judge } from './scheduling/metric-watch.js'
import type { Growth } from './scheduling/growth.js'
import type { Scheduler } from './scheduling/scheduler.js'
import { Stragglers } from './scheduling/stragglers.js'
import { RunningTrials, type RunningAttempt, type RunningTrial } from './running-trials.js'
import { isComplete, isLoss, isResult, type SweepState, type TrialState } from './journal/state.js'

export interface SweepLimits {
  /** Attempts per trial when workers vanish; then it is dead. Default 3. */
  readonly maxAttempts: number
  /** Further attempts for a trial that failed by itself. Default 0: the same numbers would fail alike. */
  readonly retries: number
  /** Failed or dead trials after which no more are started. Default: no limit; 1 is `--fail-fast`. */
  readonly maxFailures: number
  /** Stop when this many first trials all fail with the same message. Default 3; 0 never. */
  readonly failingAlike: number
}
export const defaultLimits: SweepLimits = { maxAttempts: 3, retries: 0, maxFailures: Infinity, failingAlike: 3 }

export interface RunSweepOptions {
  readonly info: SweepInfo
  readonly engine: EngineName
  /** Restored from the journal; kept up to date. */
  readonly state: SweepState
  /** The trials to run; the others stay as they are. Default: all. */
  readonly wanted?: ReadonlySet<TrialId>
  /** Names of the data sets that a trial may read. Default: none. */
  readonly dataReadBy?: (trial: Trial) => readonly string[]
  /** After so long a trial is ended and has failed. Default: never. */
  readonly timeLimitMs?: number | undefined
  /** What a trial's programs, or its own process, may have in memory together, in GB of 10^9 bytes. Default: any. */
  readonly memoryGb?: number | undefined
  /** Each trial runs in a process of its own. Default: with others. */
  readonly isolate?: true | undefined
  /** Where a trial's program may log to its own run. Default: nowhere. */
  readonly loggingOf?: (trial: TrialId) => ProgramLogging
  readonly journal: Journal
  /** Keeps the log that came with an attempt's end: it is no part of the journal. Default: it is dropped. */
  readonly keepLog?: (trial: TrialId, attempt: number, text: string) => void
  /** The trial goes on from no checkpoint any more: it has ended, or begins anew. */
  readonly dropCheckpoint?: (trial: TrialId) => void
  /** Already told of every restored outcome. */
  readonly scheduler: Scheduler
  /** What the plan grows by when nothing planned is left to start. Default: it does not grow. */
  readonly growth?: Growth
  readonly backend: Backend
  /** Open, and closed by whoever opened it. */
  readonly tracker: Pick<Tracker, 'record'>
  readonly clock: Clock
  readonly limits: SweepLimits
  /** How those trials ended before that run again without a result. Default: none ran. */
  readonly earlier?: ReadonlyMap<TrialId, Pick<TrialState, 'outcome'>>
  /** The rules that stop trials: one whose metric no trial reports would stop nothing, and ends the sweep. Default: none. */
  readonly judges?: readonly Judge[]
  /** So many copies of stragglers at most run at once, when nothing else is left to start. Not under a rule. Default 0. */
  readonly copies?: number
  /** How long trials are expected to take, in ms; they are stragglers after half as long again. Default: by those that ended. */
  readonly expectedMs?: ReadonlyMap<TrialId, number>
  /** After so much time of running, of which so much is used, no trial is begun. Default: never. */
  readonly budget?: { readonly limitMs: number; readonly usedMs: number }
  /** First Ctrl-C: start nothing more, let what runs end. */
  readonly drain: AbortSignal
  /** Told to end soon: what runs keeps a checkpoint where it can, and ends there. Default: never. */
  readonly leave?: AbortSignal
  /** Second Ctrl-C: give up what runs; it is missing, and a resume runs it. */
  readonly abort: AbortSignal
  /** Leave as soon as all that can be started has been; the backend goes on without us. Default false. */
  readonly detach?: boolean
  /** Told of every event after it was written down; for live views. */
  readonly onEvent: (event: SweepEvent) => void
  readonly warn: (message: string) => void
}

export interface SweepEnd {
  /** Why the sweep ended before its plan did; `undefined` when the plan is done. */
  readonly cutShort?: string
  /** That was since the first trials all failed alike, as they would in a resume. */
  readonly failedAlike?: true
  /** What lets the rest run, where a resume would end alike. */
  readonly advice?: string
  /** Every trial that is planned has ended, and the plan would have grown. */
  readonly mayGoOn?: true
}

/** A straggler of which no copy could begin is looked at again after so long. */
const lookAgainMs = 1_000

/**
 * The story of a sweep. Start reading here.
 *
 * One loop introduces what to try (scheduler) to where it runs (backend), and writes down what happened (journal)
 * before anyone acts on it. The loop moves when an event comes, and polls for one thing alone: room for a copy (`--copies`).
 */
export async function runSweep(options: RunSweepOptions): Promise<SweepEnd> {
  const { info, state, journal, scheduler, backend, tracker, clock, limits, copies = 0 } = options
  const running = new RunningTrials()
  const again: Trial[] = []
  // Counted in this process alone: an attempt that an earlier one left behind is no fault of the trial's.
  const vanishings = new Map<TrialId, number>()
  const retries = new Map<TrialId, number>()
  const watch = goalsOf(info.objective).map(({ metric }) => metric)
  const failures = new FailureWatch(limits, state.counts().unique > 0 ? options.earlier : undefined)
  const stragglers = new Stragglers(options.expectedMs)
  const metrics = new MetricWatch(state, info.objective, options.judges ?? [])
  let cutShort: string | undefined
  let advice: string | undefined

  const lacking = metrics.atStart()
  if (lacking !== undefined) options.warn(lacking)

  const tell = createTeller(options.warn)

  // Write it down first; then tell whoever listens.
  const record = (event: SweepEvent): void => {
    const offset = journal.append(event)
    state.apply(event)
    options.growth?.apply?.(event)
    void tell(() => tracker.record(event, offset))
    options.onEvent(event)
  }

  const recordEnd = (trial: Trial, outcome: Outcome): void => {
    running.delete(trial.id)
    options.dropCheckpoint?.(trial.id)
    if (isLoss(outcome)) scheduler.forget(trial.id)
    scheduler.recordEnd(trial, outcome)
    const went = cutShort === undefined
    if (outcome.state !== 'skipped') cutShort ??= failures.after(trial.id, outcome)
    const { objective, rule } = metrics.after(trial, outcome)
    if (objective !== undefined) options.warn(objective)
    if (rule !== undefined && cutShort === undefined) {
      options.warn(`Nothing more is started: ${rule}.`)
      cutShort = rule
      advice =
        'Name a metric that is reported at a step, or leave the rule out; then sweep again with another --name: what has finished is taken over.'
    }
    if (went && cutShort !== undefined) takeBack()
  }

  /** Trials that were told to pause, and have not ended yet. */
  const pausing = new Set<TrialId>()

  // Whether the attempt ends with this report: as was decided once, or as the scheduler decides now.
  const decide = (report: Extract<TrialEvent, { type: 'report' }>): 'go on' | 'stop' | 'pause' => {
    // What was judged at an earlier attempt stands.
    const isJudged = report.carried === true
    if (isJudged) scheduler.restore(report)
    const decision = isJudged ? 'continue' : scheduler.observe(report)
    // One that diverged ends by itself, and as that.
    if (divergedMetric(report.metrics, watch) !== undefined) return 'go on'
    const { reports, stopAfter } = state.trials.get(report.trial)!
    if (stopAfter !== undefined) return reports >= stopAfter ? 'stop' : 'go on'
    const { trial, attempt, step } = report
    if (decision === 'continue') return scheduler.mustPause?.(trial) === true ? 'pause' : 'go on'
    const stopping: JournalEvent = { type: 'stopping', trial, attempt, reports, step, atMs: clock.now() }
    journal.append(stopping)
    state.apply(stopping)
    return 'stop'
  }

  const obey = async ({ trial }: TrialEvent, decision: ReturnType<typeof decide>): Promise<void> => {
    // It may report more before it hears of the first.
    if (pausing.has(trial)) return
    if (decision === 'stop') return backend.stop(trial, 'stopped by the scheduler')
    if (decision === 'go on') return scheduler.interactive ? backend.proceed(trial) : undefined
    pausing.add(trial)
    await backend.stop(trial, 'it waits for the others at its rung', { keep: true })
  }

  /** An attempt has ended as it was told, at a rung: its trial waits there. */
  const pause = (
    { trial, attempt, atMs }: TrialEvent,
    { metrics, artifacts }: Extract<Outcome, { metrics: Metrics }>,
  ): void => {
    running.delete(trial)
    const { step = 0 } = state.trials.get(trial)!
    record({ type: 'paused', trial, attempt, atMs, step, metrics, artifacts })
    scheduler.recordPause?.(trial)
  }

  const journalEnd = (trial: Trial, attempt: number, outcome: Outcome): void => {
    record({ type: 'ended', trial: trial.id, attempt, atMs: clock.now(), outcome })
    recordEnd(trial, outcome)
  }

  const nextAttempt = ({ id }: Trial): number => state.trials.get(id)!.lastAttempt + 1
  const start = async (trial: Trial): Promise<void> => {
    const attempt = nextAttempt(trial)
    running.begin(trial, attempt)
    await backend.start(assign(trial, attempt))
  }
  const assign = (trial: Trial, attempt: number): Assignment => ({
    ...pausedAfter(state.trials.get(trial.id)!),
    ...(options.growth?.isTaughtBy?.(trial.id) === true ? { hasTaught: true } : {}),
    sweep: info.sweep,
    trial,
    attempt,
    parents: trial.parents.map((id) => parentResult(state, id)),
    reads: options.dataReadBy?.(trial) ?? [],
    ...(options.loggingOf && { logging: options.loggingOf(trial.id) }),
    engine: options.engine,
    interactive: scheduler.interactive,
    watch,
    ...(options.timeLimitMs === undefined ? {} : { timeLimitMs: options.timeLimitMs }),
    ...(options.memoryGb === undefined ? {} : { memoryGb: options.memoryGb }),
    ...(options.isolate === undefined ? {} : { isolate: options.isolate }),
  })

  const tryAgain = (trial: Trial): void => {
    running.delete(trial.id)
    again.push(trial)
  }

  const added = new Set<TrialId>()
  const grow = async (): Promise<boolean> => {
    const addition = await options.growth?.next(state)
    if (addition === undefined) return false
    await options.growth?.keep?.(addition)
    record({ type: 'trials-added', ...addition, atMs: clock.now() })
    const trials = addition.trials.map(({ id }) => state.trials.get(id)!.trial)
    for (const { id } of trials) added.add(id)
    scheduler.add(trials, (id) => state.trials.get(id)?.outcome)
    return true
  }

  let wake = (): void => {}
  // Where nothing else is left to start, what runs for too long is started once more, the latest first.
  let cancelLook = (): void => {}
  const copyStragglers = async (): Promise<void> => {
    cancelLook()
    if (copies === 0) return
    const nowMs = clock.monotonic()
    const late = running.all().flatMap((one) => {
      const afterMs = one.hasHadCopy ? undefined : stragglers.lateAfterMs(one.trial)
      return afterMs === undefined || one.begunMs === undefined ? [] : { one, leftMs: one.begunMs + afterMs - nowMs }
    })
    let lookAfterMs = Infinity
    for (const { one, leftMs } of late.sort((a, b) => a.leftMs - b.leftMs)) {
      if (running.copies >= copies) return
      if (leftMs > 0 || backend.mayCopy?.(one.trial.id) !== true) {
        lookAfterMs = Math.min(lookAfterMs, Math.max(leftMs, lookAgainMs))
        continue
      }
      const attempt = nextAttempt(one.trial)
      running.beginCopy(one, attempt)
      await backend.start({ ...assign(one.trial, attempt), copy: true })
    }
    if (lookAfterMs < Infinity) cancelLook = clock.after(lookAfterMs, () => wake())
  }

  // Fill the backend while there are trials to try again, the scheduler has ideas, or the plan grows.
  const fill = async (): Promise<void> => {
    while (cutShort === undefined && !options.drain.aborted && running.attempts < backend.capacity) {
      const suggestion = again.length > 0 ? { trial: again.shift()! } : scheduler.suggest()
      if (suggestion === undefined) {
        if (await grow()) continue
        return copyStragglers()
      }
      if (options.wanted?.has(suggestion.trial.id) === false && !added.has(suggestion.trial.id)) continue
      const { trial } = suggestion
      const { attempts, paused } = state.trials.get(trial.id)!
      if (suggestion.skip !== undefined) journalEnd(trial, 0, { state: 'skipped', reason: suggestion.skip })
      else if (suggestion.stop === undefined || paused === undefined) await start(trial)
      else {
        const { metrics, artifacts } = paused
        journalEnd(trial, attempts, { state: 'stopped', metrics, artifacts, reason: suggestion.stop })
      }
    }
  }

  /** An attempt ended without a result, beside another that goes on. One that never began is not told of. */
  const leave = (current: RunningTrial, { attempt, begunMs }: RunningAttempt, atMs: number, reason: string): void => {
    const trial = current.trial.id
    if (begunMs !== undefined) record({ type: 'lost', trial, attempt, atMs, reason })
    running.leave(current, attempt)
  }

  // Take one event: write it down, then obey what the scheduler makes of it.
  const take = async (event: TrialEvent): Promise<void> => {
    const current = running.get(event.trial)
    if (current === undefined) return
    const copy = current.copy?.attempt === event.attempt ? current.copy : undefined
    const isRetry = backend.retries && !current.hasHadCopy && event.attempt > current.attempt
    // A late word from an attempt that was given up already; its successor's result is the one that counts.
    if (copy === undefined && event.attempt !== current.attempt && !isRetry) return
    const own = copy ?? current
    own.attempt = event.attempt
    // Of two attempts, the one that this is not about.
    const other = copy === undefined ? current.copy : current
    switch (event.type) {
      case 'started':
        own.begunMs = clock.monotonic()
        if (copy !== undefined) return record({ ...event, copy: true })
        record(event)
        return scheduler.forget(event.trial)
      case 'report':
        record(event)
        if (copy !== undefined) return
        return obey(event, decide(event))
      case 'lost': {
        pausing.delete(event.trial)
        if (other !== undefined) return leave(current, own, event.atMs, event.reason)
        record(event)
        scheduler.forget(event.trial)
        if (backend.retries && !current.hasHadCopy) return
        if (event.handedBack === true) return backend.retries ? tryAgain(current.trial) : running.delete(event.trial)
        const vanished = countUp(vanishings, event.trial)
        if (vanished < limits.maxAttempts) return tryAgain(current.trial)
        const reason = `${formatCount(vanished, 'attempt')} vanished; the last: ${event.reason}`
        return journalEnd(current.trial, event.attempt, { state: 'dead', reason })
      }
      case 'ended': {
        const { log, ...ended } = event
        const { outcome, trial, attempt, atMs } = ended
        const wasPausing = pausing.delete(trial)
        // Before the end is told of, so that whoever hears of it can read the log.
        if (log !== undefined) options.keepLog?.(trial, attempt, log)
        if (other !== undefined && !isResult(outcome)) return leave(current, own, atMs, endingOf(outcome))
        if (other !== undefined) {
          const left = other.attempt
          leave(current, { ...other }, atMs, `attempt ${attempt} finished first`)
          await backend.giveUp?.(trial, left)
        }
        if (wasPausing && outcome.state === 'stopped') return pause(ended, outcome)
        if (options.drain.aborted && wasToldToGo(outcome)) {
          record({ type: 'lost', trial, attempt, atMs, reason: 'its program was told to go together with mlds' })
          scheduler.forget(trial)
          return running.delete(trial)
        }
        if (outcome.state === 'failed' && countUp(retries, trial) <= limits.retries) {
          record({ type: 'lost', trial, attempt, atMs, reason: outcome.error.message })
          scheduler.forget(trial)
          // What it threw may follow from what it kept.
          options.dropCheckpoint?.(trial)
          return tryAgain(current.trial)
        }
        if (current.begunMs !== undefined && isResult(outcome))
          stragglers.learn(current.trial, clock.monotonic() - current.begunMs)
        record(ended)
        return recordEnd(current.trial, outcome)
      }
    }
  }

  // What waits in the backend's queue has not begun: a sweep that ends early takes it back instead of waiting for it.
  const recall = async (): Promise<void> => {
    for (const trial of (await backend.recall?.()) ?? []) running.delete(trial)
    wake()
  }
  const takeBack = (): void =>
    void recall().catch((error: Error) => options.warn(`what waits could not be taken back: ${error.message}`))
  const giveUp = (): void => {
    void backend.close()
    wake()
  }
  // What the plan grows by is waited for as long as it could be started.
  const growing = (): Promise<undefined> | undefined => {
    const isOver = cutShort !== undefined || options.drain.aborted || options.abort.aborted
    if (isOver || running.attempts >= backend.capacity) return undefined
    const grown = options.growth?.working?.then(() => undefined)
    // Where it is only asked whether there is something to wait for, nobody else hears of what it threw.
    grown?.catch(() => {})
    return grown
  }
  const goSoon = (): void => backend.leave?.()
  const startedAtMs = clock.now()
  let isSpent = false
  const spend = (): void => {
    if (cutShort !== undefined) return
    const { limitMs } = options.budget!
    cutShort = `the budget of ${formatDuration(limitMs)} is used up`
    isSpent = true
    takeBack()
  }
  const { limitMs = Infinity, usedMs = 0 } = options.budget ?? {}
  if (usedMs >= limitMs) spend()
  const cancelBudget = limitMs === Infinity ? () => {} : clock.after(limitMs - usedMs, spend)
  options.leave?.addEventListener('abort', goSoon, { once: true })
  options.abort.addEventListener('abort', giveUp, { once: true })
  options.drain.addEventListener('abort', takeBack, { once: true })
  try {
    const events = backend.events()[Symbol.asyncIterator]()
    if (!options.abort.aborted) await fill()
    let next: Promise<IteratorResult<TrialEvent>> | undefined
    while (options.detach !== true && (running.size > 0 || growing() !== undefined)) {
      const woken = new Promise<undefined>((resolve) => (wake = () => resolve(undefined)))
      // A backend in which nothing runs has nothing to tell.
      if (running.size > 0) next ??= events.next()
      const event = await Promise.race([next ?? woken, growing() ?? woken, woken])
      if (event !== undefined) {
        if (event.done === true) break
        next = undefined
        await take(event.value)
      }
      await fill()
    }
  } catch (error) {
    cutShort ??= (error as Error).message
    throw error
  } finally {
    options.leave?.removeEventListener('abort', goSoon)
    options.abort.removeEventListener('abort', giveUp)
    options.drain.removeEventListener('abort', takeBack)
    cancelBudget()
    cancelLook()
    await backend.close(state.ended === state.trials.size)
    journal.append({
      type: 'closed',
      reason: cutShort ?? closingWord(options),
      atMs: clock.now(),
    } satisfies JournalEvent)
    journal.sync()
  }
  // What ran by then was all there was.
  const isAll = cutShort !== undefined && isComplete(state.counts())
  const mayGoOn = isAll && (await wouldGrow(options))
  if (isAll && !mayGoOn) cutShort = undefined
  if (options.drain.aborted || options.abort.aborted) cutShort ??= 'interrupted'
  if (cutShort === undefined) return {}
  // What ran on after the budget counts too.
  const moreMs = limitMs + usedMs + clock.now() - startedAtMs
  if (isSpent) advice = `Give it more time with: mlds resume ${info.sweep} --budget ${writeDuration(moreMs)}`
  return {
    cutShort,
    ...(failures.alike ? { failedAlike: true as const } : {}),
    ...(advice === undefined ? {} : { advice }),
    ...(mayGoOn ? { mayGoOn } : {}),
  }
}

async function wouldGrow({ growth, state }: RunSweepOptions): Promise<boolean> {
  await growth?.working
  return (await growth?.next(state)) !== undefined
}

/** Why an attempt has no result, where another goes on. */
const hasFailed = ({ state }: Outcome): boolean => state === 'failed' || state === 'dead'

function endingOf(outcome: Outcome): string {
  return outcome.state === 'failed' ? outcome.error.message : 'reason' in outcome ? outcome.reason : outcome.state
}

function closingWord({ drain, abort, detach = false }: RunSweepOptions): string {
  return abort.aborted ? 'aborted' : drain.aborted ? 'drained' : detach ? 'detached' : 'done'
}

function parentResult(state: SweepState, id: TrialId): ParentResult {
  const parent = state.trials.get(id)
  if (!isResult(parent?.outcome)) throw new Error(`trial ${id} was to be a parent but has no result`)
  return { trial: parent.trial, metrics: parent.outcome.metrics, artifacts: parent.outcome.artifacts }
}

const pausedAfter = ({ paused }: TrialState): Pick<Assignment, 'pausedAfter'> =>
  paused === undefined ? {} : { pausedAfter: paused.step }

function countUp(counts: Map<TrialId, number>, trial: TrialId): number {
  const count = (counts.get(trial) ?? 0) + 1
  counts.set(trial, count)
  return count
}

/** A tracker can never fail a sweep: its first failure is said once, the rest is left to a later sync. */
function createTeller(warn: (message: string) => void): (act: () => Promise<void>) => Promise<void> {
  let complained = false
  return async (act) => {
    try {
      await act()
    } catch (error) {
      if (!complained)
        warn(
          `tracking has trouble: ${(error as Error).message} (the journal keeps everything; mlds sync brings it later)`,
        )
      complained = true
    }
  }
}

/** Decides when failures mean that going on is pointless. */
class FailureWatch {
  #failed = 0
  /** Of these, as they had failed in an earlier process. */
  #asBefore = 0
  #alike = 0
  #message: string | undefined
  #succeeded = false
  /** Whether the last sentence was that the first trials all failed alike. */
  alike = false

  constructor(
    private readonly limits: SweepLimits,
    /** Ends that tell nothing new when they come again: of a sweep in which other trials have a result. */
    private readonly earlier: RunSweepOptions['earlier'],
  ) {}

  /** A sentence when the sweep should start no more trials. */
  after(trial: TrialId, outcome: Outcome): string | undefined {
    // A trial that diverged has run as it should.
    if (!hasFailed(outcome)) {
      this.#succeeded = true
      return undefined
    }
    this.#failed++
    const message = endingOf(outcome)
    const before = this.earlier?.get(trial)?.outcome
    if (before !== undefined && endingOf(before) === message) this.#asBefore++
    else {
      this.#alike = message === this.#message || this.#message === undefined ? this.#alike + 1 : 0
      this.#message = message
    }
    if (this.#failed >= this.limits.maxFailures) {
      return `${formatCount(this.#failed, 'trial')} failed, the most allowed (--max-failures ${this.limits.maxFailures})`
    }
    const isFirst = this.#alike > 0 && this.#alike === this.#failed - this.#asBefore
    if (!this.#succeeded && isFirst && this.#alike === this.limits.failingAlike) {
      this.alike = true
      return this.#alike === 1
        ? `the first trial failed (--failing-alike 1): ${message}`
        : `the first ${this.#alike} trials all failed alike: ${message}`
    }
    return undefined
  }
}
