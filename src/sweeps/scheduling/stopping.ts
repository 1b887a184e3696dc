import { SpaceError, UnknownNameError } from '../../core/errors.js'
import type { Objective, Outcome, Trial, TrialId } from '../../core/trial.js'
import { AshaScheduler } from './asha.js'
import { EnoughScheduler } from './enough.js'
import { GridScheduler } from './grid.js'
import type { JournalEvent } from '../journal/journal.js'
import { MedianScheduler } from './median.js'
import type { ScheduledReport, Scheduler, Suggestion } from './scheduler.js'
import { isLoss } from '../journal/state.js'

/** Which rules may stop trials early, as a spec names them. */
export interface StoppingRule {
  readonly rule: 'asha' | 'median' | 'plateau' | 'target'
  /** The metric reports are judged by; the sweep's objective when left out. */
  readonly metric?: string
  readonly direction?: 'minimize' | 'maximize'
  /** The rule's own numbers, by name. */
  readonly options: Readonly<Record<string, number>>
}

/** The numbers each rule takes; those with `true` must be given. */
const known: Readonly<Record<StoppingRule['rule'], Readonly<Record<string, boolean>>>> = {
  asha: { minSteps: false, maxSteps: false, reduction: false },
  median: { graceSteps: false, minTrials: false },
  plateau: { patience: true, minDelta: false },
  target: { value: true },
}
const ruleNames = Object.keys(known) as StoppingRule['rule'][]

/**
 * Reads `scheduler:` of a spec: a rule's name, `{rule: {options}}`, or a list of such.
 * @throws SpaceError, UnknownNameError with the nearest known name.
 */
export function parseStopping(raw: unknown): StoppingRule[] {
  if (Array.isArray(raw)) return (raw as unknown[]).flatMap(parseStopping)
  if (typeof raw === 'string') return [parseRule(raw, {})]
  if (raw === null || typeof raw !== 'object')
    throw new SpaceError(`scheduler: ${JSON.stringify(raw)} is not a rule (such as asha, or {asha: {maxSteps: 81}})`)
  return Object.entries(raw).map(([rule, options]) => parseRule(rule, options))
}

/** `asha:maxSteps=81,reduction=3` as a flag has it. */
export function parseStoppingFlag(text: string): StoppingRule {
  const [rule, rest] = [text.split(':', 1)[0]!, text.slice(text.indexOf(':') + 1)]
  const pairs = rest === text ? [] : rest.split(',').map((pair) => pair.split('=') as [string, string | undefined])
  return parseRule(rule, Object.fromEntries(pairs))
}

function parseRule(rule: string, raw: unknown): StoppingRule {
  if (!(ruleNames as string[]).includes(rule)) throw new UnknownNameError('scheduler', rule, ruleNames)
  const { metric, direction, ...numbers } = (raw ?? {}) as Record<string, unknown>
  const own = known[rule as StoppingRule['rule']]
  if (metric !== undefined && typeof metric !== 'string')
    throw new SpaceError(`scheduler: ${rule}: metric: ${JSON.stringify(metric)} is not a name`)
  if (direction !== undefined && direction !== 'minimize' && direction !== 'maximize')
    throw new UnknownNameError('direction', JSON.stringify(direction), ['minimize', 'maximize'])
  const options: Record<string, number> = {}
  for (const [name, value] of Object.entries(numbers)) {
    if (!Object.hasOwn(own, name))
      throw new UnknownNameError(`option of ${rule}`, name, [...Object.keys(own), 'metric', 'direction'])
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
    if (typeof number !== 'number' || !Number.isFinite(number))
      throw new SpaceError(`scheduler: ${rule}: ${name}: ${JSON.stringify(value)} is not a number`)
    options[name] = number
  }
  for (const [name, needed] of Object.entries(own))
    if (needed && options[name] === undefined)
      throw new SpaceError(`scheduler: ${rule} needs ${name} (such as {${rule}: {${name}: 5}})`)
  return {
    rule: rule as StoppingRule['rule'],
    ...(metric === undefined ? {} : { metric }),
    ...(direction === undefined ? {} : { direction }),
    options,
  }
}

/**
 * What decides in a sweep: the grid, wrapped in the rules a spec names, the first innermost. Rules judge trials of the
 * first stage alone; derived ones always run to their end.
 * @throws SpaceError when a rule cannot know what it must.
 */
export function createScheduler(
  trials: readonly Trial[],
  rules: readonly StoppingRule[],
  objective: Objective,
): Scheduler {
  const grid = new GridScheduler(trials)
  if (rules.length === 0) return grid
  const stopping = rules.reduce<Scheduler>((inner, rule) => wrap(inner, rule, trials, objective), grid)
  return new FirstStageOnly(stopping, new Set(trials.filter(({ parents }) => parents.length > 0).map(({ id }) => id)))
}

/** What a rule judges reports by, where the sweep has this objective. */
export function judgedBy(rule: Pick<StoppingRule, 'metric' | 'direction'>, objective: Objective): Objective {
  const metric = rule.metric ?? objective.metric
  // A direction of the objective's says nothing about another metric; smaller is taken for better, as for a loss.
  const direction = rule.direction ?? (metric === objective.metric ? objective.direction : 'minimize')
  return { metric, direction }
}

/** Rules as `--scheduler` takes them. */
export function describeRules(rules: readonly StoppingRule[]): string {
  const texts = rules.map(({ rule, options, ...own }) => {
    const pairs = Object.entries({ ...options, ...own }).map(([name, value]) => `${name}=${value}`)
    return pairs.length === 0 ? rule : `${rule}:${pairs.join(',')}`
  })
  return texts.join(' and ') || 'none'
}

function wrap(
  inner: Scheduler,
  { rule, options, ...own }: StoppingRule,
  trials: readonly Trial[],
  objective: Objective,
): Scheduler {
  const { metric, direction } = judgedBy(own, objective)
  switch (rule) {
    case 'asha': {
      const { maxSteps = longest(trials), ...others } = options
      return new AshaScheduler(inner, { metric, direction, maxSteps, ...others })
    }
    case 'median':
      return new MedianScheduler(inner, { metric, direction, ...options })
    case 'plateau':
      return new EnoughScheduler(inner, { metric, direction, ...options })
    case 'target':
      return new EnoughScheduler(inner, { metric, direction, target: options['value']! })
  }
}

/** How many steps a trial takes at most, where its parameters tell. */
function longest(trials: readonly Trial[]): number {
  const epochs = trials.flatMap(({ params }) => (typeof params['epochs'] === 'number' ? [params['epochs']] : []))
  if (epochs.length === 0)
    throw new SpaceError(
      'scheduler: asha needs maxSteps here, since no axis is called epochs (such as {asha: {maxSteps: 81}})',
    )
  return epochs.reduce((a, b) => Math.max(a, b))
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
    } else if (event.type === 'report') scheduler.observe(event)
    else if (event.type === 'lost' || (event.type === 'ended' && isLoss(event.outcome))) lose(event.trial)
    else if (event.type === 'ended') running.delete(event.trial)
  }
  for (const trial of [...running]) lose(trial)
}

class FirstStageOnly implements Scheduler {
  readonly interactive = true

  constructor(
    private readonly inner: Scheduler,
    private readonly derived: ReadonlySet<TrialId>,
  ) {}

  suggest(): Suggestion | undefined {
    return this.inner.suggest()
  }
  forget(trial: TrialId): void {
    this.inner.forget(trial)
  }
  observe(report: ScheduledReport): 'continue' | 'stop' {
    return this.derived.has(report.trial) ? 'continue' : this.inner.observe(report)
  }
  conclude(trial: Trial, outcome: Outcome): void {
    this.inner.conclude(trial, outcome)
  }
}
