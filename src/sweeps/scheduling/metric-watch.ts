import { nearest } from '../../core/errors.js'
import { lookUp } from '../../core/names.js'
import { goalsOf } from '../../core/objective.js'
import type { Metrics, Objective, Outcome, Trial } from '../../core/trial.js'
import { isResult, type SweepState } from '../journal/state.js'

/** A rule that stops trials, and the metric that it goes by. */
export interface Judge {
  readonly rule: string
  readonly metric: string
}

/** What was found: `objective` is for a person to know; a `rule` that stops nothing is a reason to start no more. */
export interface MetricFinding {
  readonly objective?: string
  readonly rule?: string
}

/**
 * Notices at the first trial's end that the sweep is judged by a metric that its trials do not report: a slip of the hand,
 * or a program that prints no `step`. Knows of earlier processes by the restored state.
 */
export class MetricWatch {
  /** Stages of which no trial has finished yet: one of them may have the objective's metric. */
  readonly #open: Set<string>
  /** What a trial reported at its end, for the names. */
  #final: Metrics = {}
  #rulesDone = false
  /** Metrics that the sweep is judged by and that no trial has reported. */
  readonly #unseen: Map<string, string>

  constructor(
    private readonly state: SweepState,
    private readonly objective: Objective,
    private readonly judges: readonly Judge[],
  ) {
    const { constraints = [] } = objective
    this.#unseen = new Map([
      ...constraints.map(({ metric }) => [metric, 'the metric of a constraint'] as const),
      ...goalsOf(objective).map(({ metric }) => [metric, 'the objective'] as const),
    ])
    const all = [...state.trials.values()]
    this.#open = new Set(all.map(({ trial }) => trial.stage))
    for (const { trial, outcome } of all) this.#look(trial, outcome)
  }

  /** What the trials that ended earlier show, or those whose results were taken over, where no other is to run. */
  atStart(): string | undefined {
    const trials = [...this.state.trials.values()]
    const last = trials.findLast(({ trial, outcome }) => trial.parents.length === 0 && outcome?.state === 'finished')
    const isOver = trials.every(({ outcome }) => isResult(outcome))
    const lacking = isOver && last !== undefined ? this.#lackingRule(last.trial) : undefined
    if (lacking === undefined || lacking.metric === this.objective.metric) return this.#lackingObjective()
    const told = describeLack(lacking, [...this.state.reported], this.#final)
    return `${told[0]!.toUpperCase()}${told.slice(1)}.`
  }

  /** What the end of this trial shows; each finding once. */
  after(trial: Trial, outcome: Outcome): MetricFinding {
    if (outcome.state !== 'finished') return {}
    this.#look(trial, outcome)
    const lacking = this.#lackingRule(trial)
    const rule = lacking === undefined ? undefined : describeLack(lacking, [...this.state.reported], outcome.metrics)
    const objective = lacking?.metric === this.objective.metric ? undefined : this.#lackingObjective()
    return { ...(rule === undefined ? {} : { rule }), ...(objective === undefined ? {} : { objective }) }
  }

  #lackingObjective(): string | undefined {
    if (this.#unseen.size === 0 || this.#open.size > 0) return undefined
    const told = [...this.#unseen].map(
      ([metric, what]) =>
        `No trial that has finished reports ${what}, ${metric}${suggest(metric, Object.keys(this.#final))}.`,
    )
    // Said once.
    this.#unseen.clear()
    return told.join('\n')
  }

  #look(trial: Trial, outcome: Outcome | undefined): void {
    if (!isResult(outcome)) return
    if (outcome.state === 'finished') {
      this.#open.delete(trial.stage)
      this.#final = outcome.metrics
    }
    for (const metric of this.#unseen.keys())
      if (lookUp(outcome.metrics, metric) !== undefined) this.#unseen.delete(metric)
  }

  /** Rules judge the first stage alone. */
  #lackingRule(trial: Trial): Judge | undefined {
    if (this.#rulesDone || trial.parents.length > 0) return undefined
    const lacking = this.judges.find(({ metric }) => !this.state.reported.has(metric))
    this.#rulesDone = lacking === undefined
    return lacking
  }
}

function describeLack({ rule, metric }: Judge, reported: readonly string[], final: Metrics): string {
  const lack = `the rule ${rule} would stop nothing: no trial has reported ${metric} at a step`
  if (reported.length > 0) return `${lack}${suggest(metric, reported)}`
  const steps = 'a program prints lines such as {"step": 1, "loss": 0.5}'
  return lookUp(final, metric) === undefined
    ? `${lack}, nor anything else (${steps})${suggest(metric, Object.keys(final))}`
    : `${lack}, only at its end (${steps})`
}

function suggest(metric: string, known: readonly string[]): string {
  if (known.length === 0) return ''
  const near = nearest(metric, known)
  return `${near === undefined ? '' : `; did you mean ${near}?`} (reported: ${known.join(', ')})`
}
