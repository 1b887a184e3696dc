import { quoteInput } from '../../core/quote-input.js'
import { SpaceError, UnknownNameError } from '../../core/errors.js'
import { lookUp } from '../../core/names.js'
import { describeObjective, goalsOf, hasFront } from '../../core/objective.js'
import type { Objective, Outcome, Trial, TrialId } from '../../core/trial.js'
import { GridScheduler } from './grid.js'
import type { JournalEvent } from '../journal/journal.js'
import type { Rules } from './rule.js'
import { stoppingRules } from './rules.js'
import type { ScheduledReport, Scheduler, Suggestion } from './scheduler.js'
import { isLoss } from '../journal/state.js'

/** Which rules may stop trials early, as a spec names them. */
export interface StoppingRule {
  /** A row of the table of rules. */
  readonly rule: string
  /** The metric reports are judged by; the sweep's objective when left out. */
  readonly metric?: string
  readonly direction?: 'minimize' | 'maximize'
  /** The rule's own numbers, by name. */
  readonly options: Readonly<Record<string, number>>
}

/**
 * Reads `scheduler:` of a spec: a rule's name, `{rule: {options}}`, or a list of such.
 * @throws SpaceError, UnknownNameError with the nearest known name.
 */
export function parseStopping(raw: unknown, rules: Rules = stoppingRules): StoppingRule[] {
  if (Array.isArray(raw)) return (raw as unknown[]).flatMap((one) => parseStopping(one, rules))
  if (typeof raw === 'string') return [parseRule(raw, {}, rules)]
  if (raw === null || typeof raw !== 'object')
    throw new SpaceError(`scheduler: ${quoteInput(raw)} is not a rule (such as asha, or {asha: {maxSteps: 81}})`)
  return Object.entries(raw).map(([rule, options]) => parseRule(rule, options, rules))
}

/** `asha:maxSteps=81,reduction=3` as a flag has it. */
export function parseStoppingFlag(text: string, rules: Rules = stoppingRules): StoppingRule {
  const [rule, rest] = [text.split(':', 1)[0]!, text.slice(text.indexOf(':') + 1)]
  const pairs = rest === text ? [] : rest.split(',').map((pair) => pair.split('=') as [string, string | undefined])
  return parseRule(rule, Object.fromEntries(pairs), rules)
}

function parseRule(rule: string, raw: unknown, rules: Rules): StoppingRule {
  const known = lookUp(rules, rule)?.numbers
  if (known === undefined) throw new UnknownNameError('scheduler', rule, Object.keys(rules))
  const { metric, direction, ...numbers } = (raw ?? {}) as Record<string, unknown>
  if (metric !== undefined && typeof metric !== 'string')
    throw new SpaceError(`scheduler: ${rule}: metric: ${quoteInput(metric)} is not a name`)
  if (direction !== undefined && direction !== 'minimize' && direction !== 'maximize')
    throw new UnknownNameError('direction', JSON.stringify(direction), ['minimize', 'maximize'])
  const options: Record<string, number> = {}
  for (const [name, value] of Object.entries(numbers)) {
    if (!Object.hasOwn(known, name))
      throw new UnknownNameError(`option of ${rule}`, name, [...Object.keys(known), 'metric', 'direction'])
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
    if (typeof number !== 'number' || !Number.isFinite(number))
      throw new SpaceError(`scheduler: ${rule}: ${name}: ${quoteInput(value)} is not a number`)
    options[name] = number
  }
  for (const [name, number] of Object.entries(known))
    if (number === 'needed' && options[name] === undefined)
      throw new SpaceError(`scheduler: ${rule} needs ${name} (such as {${rule}: {${name}: 5}})`)
  return {
    rule,
    ...(metric === undefined ? {} : { metric }),
    ...(direction === undefined ? {} : { direction }),
    options,
  }
}

/**
 * What decides in a sweep: the grid, wrapped in the rules a spec names, the first innermost, but for one that goes by all
 * trials. Rules judge trials of the first stage alone; derived ones always run to their end.
 * @param planned with the sweep; `trials` has those too that its plan has grown by. Default: all of them.
 * @throws SpaceError when a rule cannot know what it must.
 */
export function createScheduler(
  trials: readonly Trial[],
  rules: readonly StoppingRule[],
  objective: Objective,
  { table = stoppingRules, planned = trials }: { readonly table?: Rules; readonly planned?: readonly Trial[] } = {},
): Scheduler {
  const grid = new GridScheduler(trials)
  if (rules.length === 0) return grid
  const unsaid = hasFront(objective)
    ? rules.find((one) => !isJudgedBySeveral(one, table[one.rule]!) && one.metric === undefined)
    : undefined
  if (unsaid !== undefined)
    throw new SpaceError(
      `scheduler: ${unsaid.rule} judges by one metric, and there are ${goalsOf(objective).length} objectives: ${describeObjective(objective)} (say which: {${unsaid.rule}: {metric: ${objective.metric}}})`,
    )
  refuseTogether(rules, table)
  const goesByAll = ({ rule }: StoppingRule): boolean => table[rule]!.goesBy === 'all'
  // It hears of every report, whatever another rule makes of it.
  const ordered = [...rules.filter((one) => !goesByAll(one)), ...rules.filter(goesByAll)]
  const stopping = ordered.reduce<Scheduler>(
    (inner, { rule, options, ...judge }) => table[rule]!.wrap(inner, judgedBy(judge, objective), options, planned),
    grid,
  )
  return new FirstStageOnly(stopping, new Set(trials.filter(({ parents }) => parents.length > 0).map(({ id }) => id)))
}

/** Whether trials pause under one of the rules, until it is known of all whether they go on. */
export const pausesTrials = (rules: readonly StoppingRule[], table: Rules = stoppingRules): boolean =>
  rules.some(({ rule }) => table[rule]?.goesBy === 'all')

/** @throws SpaceError where trials would wait for others that another rule stops by what has come so far. */
function refuseTogether(rules: readonly StoppingRule[], table: Rules): void {
  const waiting = rules.find(({ rule }) => table[rule]!.goesBy === 'all')
  const other = rules.find((one) => one !== waiting && table[one.rule]!.goesBy !== 'one')
  if (waiting !== undefined && other !== undefined)
    throw new SpaceError(
      `scheduler: ${waiting.rule} and ${other.rule}: both compare trials, and ${waiting.rule} waits for all of them (name one of the two)`,
    )
}

/** @throws SpaceError for a rule that goes by all trials, in a search that plans one after the other has ended. */
export function refuseUnplanned(
  rules: readonly StoppingRule[],
  search: { readonly sampler: string; readonly learning?: unknown } | undefined,
  table: Rules = stoppingRules,
): void {
  const waiting = rules.find(({ rule }) => table[rule]?.goesBy === 'all')
  if (waiting !== undefined && search?.learning !== undefined)
    throw new SpaceError(
      `scheduler: ${waiting.rule} waits at each rung for all trials, and ${search.sampler} suggests settings only when others have ended (take asha or hyperband, or a drawn search: sobol)`,
    )
}

const isJudgedBySeveral = ({ metric, direction }: StoppingRule, { takesSeveral = false }: Rules[string]): boolean =>
  takesSeveral && metric === undefined && direction === undefined

/** What a rule judges reports by, where the sweep has this objective. */
export function judgedBy(rule: Pick<StoppingRule, 'metric' | 'direction'>, objective: Objective): Objective {
  // Rules that can't go by several objectives are refused where they do not say which.
  if (hasFront(objective) && rule.metric === undefined && rule.direction === undefined) {
    const { metric, direction, also } = objective
    return { metric, direction, ...(also && { also }) }
  }
  const metric = rule.metric ?? objective.metric
  // A direction of the objective's says nothing about another metric; smaller is taken for better, as for a loss.
  const goal = goalsOf(objective).find((one) => one.metric === metric)
  const direction = rule.direction ?? goal?.direction ?? 'minimize'
  return { metric, direction }
}

/** Rules as `--scheduler` takes them. */
export function describeRules(rules: readonly StoppingRule[]): string {
  const texts = rules.map(({ rule, options, ...judge }) => {
    const pairs = Object.entries({ ...options, ...judge }).map(([name, value]) => `${name}=${value}`)
    return pairs.length === 0 ? rule : `${rule}:${pairs.join(',')}`
  })
  return texts.join(' and ') || 'none'
}

/**
 * Tells a scheduler what the journal says, in the same order, so that a resumed sweep decides as an undisturbed one.
 * What an attempt reported that was lost counts for nothing, and so does what the end of a process cut off.
 */
export function replay(scheduler: Scheduler, events: Iterable<JournalEvent>): void {
  const running = new Set<TrialId>()
  const lose = (trial: TrialId): void => {
    running.delete(trial)
    scheduler.forget(trial)
  }
  for (const event of events) {
    if (event.type === 'opened' || event.type === 'closed') for (const trial of [...running]) lose(trial)
    else if (event.type === 'started') {
      scheduler.forget(event.trial)
      running.add(event.trial)
    } else if (event.type === 'report' && event.carried === true) scheduler.restore(event)
    else if (event.type === 'report') scheduler.observe(event)
    else if (event.type === 'lost' || (event.type === 'ended' && isLoss(event.outcome))) lose(event.trial)
    else if (event.type === 'ended') running.delete(event.trial)
    else if (event.type === 'paused') {
      running.delete(event.trial)
      scheduler.recordPause?.(event.trial)
    }
  }
  for (const trial of [...running]) lose(trial)
}

class FirstStageOnly implements Scheduler {
  readonly interactive = true

  constructor(
    private readonly inner: Scheduler,
    private readonly derived: Set<TrialId>,
  ) {}

  suggest(): Suggestion | undefined {
    return this.inner.suggest()
  }
  add(...added: Parameters<Scheduler['add']>): void {
    for (const { id, parents } of added[0]) if (parents.length > 0) this.derived.add(id)
    this.inner.add(...added)
  }
  forget(trial: TrialId): void {
    this.inner.forget(trial)
  }
  restore(report: ScheduledReport): void {
    if (!this.derived.has(report.trial)) this.inner.restore(report)
  }
  observe(report: ScheduledReport): 'continue' | 'stop' {
    return this.derived.has(report.trial) ? 'continue' : this.inner.observe(report)
  }
  mustPause(trial: TrialId): boolean {
    return !this.derived.has(trial) && this.inner.mustPause?.(trial) === true
  }
  recordPause(trial: TrialId): void {
    this.inner.recordPause?.(trial)
  }
  recordEnd(trial: Trial, outcome: Outcome): void {
    this.inner.recordEnd(trial, outcome)
  }
}
