import { divergedMetric } from '../../core/divergence.js'
import { goalsOf } from '../../core/objective.js'
import type { Objective, Outcome, Trial, TrialId } from '../../core/trial.js'
import { stoppingSince, type JournalEvent } from '../journal/journal.js'
import { isLoss, isResult, SweepState } from '../journal/state.js'
import type { Scheduler } from './scheduler.js'
import { createScheduler, pausesTrials, replay, type StoppingRule } from './stopping.js'

export interface RecomputedStops {
  /** How often a rule stopped a trial, made it wait or let it go on from where it waited. */
  readonly decisions: number
  /** A sentence for each that comes out otherwise. */
  readonly others: readonly string[]
  /** A sentence for each trial that was stopped without a decision, as where another host took over what the server had kept. */
  readonly untold: readonly string[]
  /** Decisions that can't be made again: of an earlier extent of the plan or version of mlds, or without the reports they were made from. */
  readonly unknown: number
}

/** The plan as it is now. */
interface JudgedPlan {
  readonly trials: readonly Trial[]
  readonly hash: string
}

type Event<Type extends JournalEvent['type']> = Extract<JournalEvent, { type: Type }>

/** What the rules make of a report that the journal must tell of in its next line. */
type Stop = Pick<Event<'stopping'>, 'trial' | 'attempt' | 'reports' | 'step'>

/** Decides again, from the reports of a journal in their order, whatever rules decided about trials. */
export function recomputeStops(
  plan: JudgedPlan,
  events: readonly JournalEvent[],
  rules: readonly StoppingRule[],
  objective: Objective,
): RecomputedStops {
  // What is void proves nothing, and counts for nothing.
  const from = events.findLastIndex(({ type }) => type === 'voided') + 1
  const opened = events.slice(0, from).findLast((event) => event.type === 'opened')
  const judge = new Judge(plan, events.slice(from), rules, objective, opened)
  return judge.judgeAll()
}

class Judge {
  readonly #others: string[] = []
  readonly #untold: string[] = []
  #decisions = 0
  #unknown = 0
  readonly #state: SweepState
  readonly #watch: readonly string[]
  readonly #names: string
  readonly #pauses: boolean
  #scheduler: Scheduler
  /** Whether the process that wrote what follows had the plan that there is now, and wrote decisions down. */
  #isOfPlan = true
  readonly #running = new Set<TrialId>()
  /** Trials whose results come from another sweep, which judged them. */
  readonly #reused = new Set<TrialId>()
  /** What the last line must be followed by. */
  #expected: Stop | undefined
  /** Trials that a report told to wait, and that have not ended yet. */
  readonly #toPause = new Set<TrialId>()
  readonly #mayGoOn = new Set<TrialId>()
  /** Why trials that wait do not go on. */
  readonly #out = new Map<TrialId, string>()

  constructor(
    private readonly plan: JudgedPlan,
    private readonly events: readonly JournalEvent[],
    private readonly rules: readonly StoppingRule[],
    private readonly objective: Objective,
    opened: Event<'opened'> | undefined,
  ) {
    this.#state = new SweepState(plan.trials)
    this.#watch = goalsOf(objective).map(({ metric }) => metric)
    this.#names = rules.map(({ rule }) => rule).join(' and ')
    this.#pauses = pausesTrials(rules)
    this.#isOfPlan = opened === undefined || this.#isKnown(opened)
    this.#scheduler = this.#create()
    this.#listen()
  }

  judgeAll(): RecomputedStops {
    for (const [at, event] of this.events.entries()) {
      if (!this.#wasExpected(event)) this.#check(event)
      this.#state.apply(event)
      this.#follow(event, at)
    }
    return { decisions: this.#decisions, others: this.#others, untold: this.#untold, unknown: this.#unknown }
  }

  #create(): Scheduler {
    const trials = [...this.#state.trials.values()].map(({ trial }) => trial)
    return createScheduler(trials, this.rules, this.objective, { planned: this.plan.trials })
  }

  /** Hears which of the trials that wait go on, and which do not. */
  #listen(): void {
    if (!this.#pauses) return
    for (let one = this.#scheduler.suggest(); one !== undefined; one = this.#scheduler.suggest())
      if (one.stop !== undefined) this.#out.set(one.trial.id, one.stop)
      else if (one.skip === undefined) this.#mayGoOn.add(one.trial.id)
  }

  /** Whether the rule's word on the trial can be held against the journal's: else it is counted as unknown. */
  #canJudge(trial: TrialId): boolean {
    if (this.#reused.has(trial)) return false
    if (!this.#isOfPlan) this.#unknown++
    return this.#isOfPlan
  }

  /**
   * Whether the line is the one that the last has to be followed by: a decision is written down before anything else is,
   * unless the process was killed in between.
   */
  #wasExpected(event: JournalEvent): boolean {
    const expected = this.#expected
    this.#expected = undefined
    if (expected === undefined || event.type === 'opened' || event.type === 'closed') return false
    this.#decisions++
    if (event.type !== 'stopping' || event.trial !== expected.trial) {
      this.#others.push(`trial ${expected.trial} went on after ${where(expected)}, where ${this.#names} stops it`)
      return false
    }
    if (event.reports !== expected.reports || event.step !== expected.step || event.attempt !== expected.attempt)
      this.#others.push(`${told(event)}, and comes out as ${where(expected)}`)
    return true
  }

  /** Holds a line against what the rules say before it. */
  #check(event: JournalEvent): void {
    if (event.type === 'stopping') this.#checkStopping(event)
    if (event.type === 'paused') this.#checkPause(event)
    if (event.type === 'started') this.#checkStart(event)
    if (event.type === 'ended' && event.outcome.state === 'stopped') this.#checkStopped(event, event.outcome)
  }

  #checkStopping(event: Event<'stopping'>): void {
    if (!this.#canJudge(event.trial)) return
    this.#decisions++
    this.#others.push(`${told(event)}, where ${this.#names} lets it go on`)
  }

  #checkPause({ trial, step }: Event<'paused'>): void {
    if (!this.#canJudge(trial)) return
    this.#decisions++
    const last = this.#state.trials.get(trial)?.step
    if (!this.#toPause.has(trial))
      this.#others.push(`trial ${trial} waited at step ${step}, where ${this.#names} lets it go on`)
    else if (last !== step)
      this.#others.push(`trial ${trial} waited at step ${step}, and comes out as step ${last ?? 0}`)
  }

  #checkStart({ trial }: Event<'started'>): void {
    if (this.#state.trials.get(trial)?.paused === undefined || !this.#canJudge(trial)) return
    this.#decisions++
    const step = this.#state.trials.get(trial)!.paused!.step
    if (!this.#mayGoOn.has(trial))
      this.#others.push(`trial ${trial} went on from step ${step}, where ${this.#names} does not let it`)
  }

  #checkStopped({ trial }: Event<'ended'>, { reason }: Extract<Outcome, { state: 'stopped' }>): void {
    const { paused, stopAfter, reports = 0 } = this.#state.trials.get(trial) ?? {}
    if (this.#reused.has(trial)) return
    // What was decided has been held against the rule where it was written down.
    if (stopAfter !== undefined && reports >= stopAfter) return
    // A journal that was made again from results alone tells of no reports.
    if (paused === undefined && stopAfter === undefined && reports === 0) return void this.#unknown++
    if (!this.#canJudge(trial)) return
    if (stopAfter === undefined && paused === undefined) {
      this.#untold.push(`trial ${trial} was stopped, and the journal tells of no decision of ${this.#names}`)
      return
    }
    this.#decisions++
    if (stopAfter !== undefined)
      this.#others.push(`trial ${trial} was stopped after report ${reports}, and comes out as report ${stopAfter}`)
    else if (!this.#out.has(trial))
      this.#others.push(`trial ${trial} was stopped at step ${paused!.step}, where ${this.#names} did not stop it`)
    else if (this.#out.get(trial) !== reason)
      this.#others.push(`trial ${trial} was stopped as ${reason}, and comes out as ${this.#out.get(trial)!}`)
  }

  /** Tells the scheduler of a line as the process that wrote it did, or the one after it. */
  #follow(event: JournalEvent, at: number): void {
    if (event.type === 'opened') return this.#open(event, at)
    if (event.type === 'closed') return [...this.#running].forEach((trial) => this.#lose(trial))
    if (event.type === 'trials-added') {
      this.#scheduler.add(event.trials, (id) => this.#state.trials.get(id)?.outcome)
      return this.#listen()
    }
    if (event.type === 'reused') return void this.#reused.add(event.trial)
    if (event.type === 'started') {
      this.#scheduler.forget(event.trial)
      this.#running.add(event.trial)
      this.#toPause.delete(event.trial)
    } else if (event.type === 'report') this.#report(event)
    else if (event.type === 'lost') this.#lose(event.trial)
    else if (event.type === 'paused') this.#pause(event)
    else if (event.type === 'ended') this.#end(event)
  }

  #isKnown({ planHash, format }: Event<'opened'>): boolean {
    return planHash === this.plan.hash && format >= stoppingSince
  }

  #open(opened: Event<'opened'>, at: number): void {
    this.#isOfPlan = this.#isKnown(opened)
    for (const trial of [...this.#running]) this.#lose(trial)
    if (!this.#pauses) return
    // A trial that had failed and runs again has not ended for those that wait.
    const until = this.events.findIndex(({ type }, i) => i > at && type === 'opened')
    const here = this.events.slice(at, until < 0 ? undefined : until)
    const again = new Set(here.flatMap((one) => (one.type === 'started' ? [one.trial] : [])))
    this.#scheduler = this.#create()
    replay(this.#scheduler, this.events.slice(0, at))
    for (const { trial, outcome } of this.#state.trials.values())
      if (outcome !== undefined && (isResult(outcome) || !again.has(trial.id)))
        this.#scheduler.recordEnd(trial, outcome)
    this.#mayGoOn.clear()
    this.#out.clear()
    this.#listen()
  }

  #lose(trial: TrialId): void {
    this.#running.delete(trial)
    this.#toPause.delete(trial)
    this.#scheduler.forget(trial)
  }

  #report(event: Event<'report'>): void {
    const { trial, attempt, step, metrics } = event
    if (event.carried === true) this.#scheduler.restore(event)
    const isStopped = event.carried !== true && this.#scheduler.observe(event) === 'stop'
    const { reports, stopAfter } = this.#state.trials.get(trial) ?? {}
    if (reports === undefined || stopAfter !== undefined || divergedMetric(metrics, this.#watch) !== undefined) return
    if (this.#reused.has(trial)) return
    if (isStopped && this.#isOfPlan) this.#expected = { trial, attempt, reports, step }
    else if (!isStopped && this.#scheduler.mustPause?.(trial) === true) this.#toPause.add(trial)
  }

  #pause({ trial }: Event<'paused'>): void {
    this.#running.delete(trial)
    this.#toPause.delete(trial)
    this.#mayGoOn.delete(trial)
    this.#scheduler.recordPause?.(trial)
    this.#listen()
  }

  #end({ trial, outcome }: Event<'ended'>): void {
    this.#running.delete(trial)
    this.#toPause.delete(trial)
    this.#reused.delete(trial)
    if (isLoss(outcome)) this.#scheduler.forget(trial)
    const planned = this.#state.trials.get(trial)?.trial
    if (planned !== undefined) this.#scheduler.recordEnd(planned, outcome)
    this.#listen()
  }
}

const where = ({ reports, step }: Pick<Stop, 'reports' | 'step'>): string => `report ${reports}, step ${step}`
const told = ({ trial, ...stop }: Stop): string => `trial ${trial} was stopped after ${where(stop)}`
