import type { IntervalRule } from '../analysis/intervals.js'
import { sequential } from '../analysis/sequential.js'
import { mean } from '../analysis/statistics.js'
import { nearest, SpaceError, UnknownNameError, writtenAt, type SpecPath } from '../core/errors.js'
import { groupBy } from '../core/group-by.js'
import { formatCount } from '../core/format.js'
import { lookUp } from '../core/names.js'
import { sweepObjective } from '../core/objective.js'
import { valueKey, writeValue } from '../core/param-value.js'
import { printableLine } from '../core/printable.js'
import { averagedOf } from '../core/setting.js'
import { axisOf as axisIn, parseValue } from '../core/space.js'
import type { Objective, Trial, TrialRecord } from '../core/trial.js'
import type { WrittenClaim, WrittenSetting } from '../core/written-claim.js'
import type { Claim, Experiment, Stage, Verdict } from './experiment.js'
import { geometricMean, ratioOf, weighed, type Counted, type Effect } from './vocabulary/effects.js'
import { axisOf, metricOf, valuesOf } from './vocabulary/numbers.js'
import { finished, type Records } from './vocabulary/records.js'
import { trendEffect } from './vocabulary/trends.js'

/** Values of an axis of which fewer have hardly a trend. */
const minTrendValues = 4

/** What a sweep says of its claims. */
export interface ClaimsOfSweep {
  readonly claims?: readonly WrittenClaim[]
  readonly objective?: Objective
  readonly average?: readonly string[]
  readonly untilDecided?: { readonly claims: readonly string[] }
}

/**
 * The experiment with the claims that the sweep file states beside its own. Where seeds are added until claims are decided, all
 * are weighed by intervals that allow it, so wide that any false verdict among those that are waited for comes in at most 5
 * of 100 sweeps, and any among the others too.
 */
export function withClaimsOf(spec: ClaimsOfSweep, experiment: Experiment): Experiment {
  const { untilDecided } = spec
  const judged = sweepObjective(spec, experiment)
  // A plan may come from elsewhere.
  const claims = Array.isArray(spec.claims) ? (spec.claims as readonly WrittenClaim[]).filter(isClaim) : []
  if (claims.length === 0 && untilDecided === undefined) return experiment
  const all = [...experiment.claims, ...claims.map((claim) => claimOf(claim, experiment, judged))]
  if (untilDecided === undefined) return { ...experiment, claims: all }
  const isWaitedFor = ({ id }: Claim): boolean => untilDecided.claims.includes(id)
  const ruleOf = (claims: readonly Claim[], together: boolean): IntervalRule =>
    sequential(0.05 / Math.max(1, claims.flatMap(({ tested = [] }) => tested).length), together)
  const waitedFor = ruleOf(all.filter(isWaitedFor), true)
  const others = ruleOf(
    all.filter((claim) => !isWaitedFor(claim)),
    false,
  )
  const weigh = (claim: Claim): Claim => ({
    ...claim,
    check: (records) => claim.check(records, isWaitedFor(claim) ? waitedFor : others),
  })
  return { ...experiment, claims: all.map(weigh) }
}

function isClaim(claim: unknown): claim is WrittenClaim {
  const { id, says = '' } = (claim ?? {}) as Partial<Record<keyof WrittenClaim, unknown>>
  return typeof id === 'string' && typeof says === 'string'
}

/**
 * Looks for what no trial of the plan could bear out.
 * @throws UnknownNameError, SpaceError with the path in the sweep file.
 */
export function checkClaims(spec: ClaimsOfSweep, experiment: Experiment, planned: readonly Trial[]): void {
  for (const claim of spec.claims ?? []) {
    const { id, of = {}, trend } = claim
    const compare: readonly WrittenSetting[] = claim.compare ?? []
    const own = experiment.claims.find((other) => other.id === id)
    if (own !== undefined) refuse([id], `claims: ${id}: the experiment has a claim of this name (choose another)`)
    const stage = stageOf(claim, experiment)
    const trials = planned.filter((trial) => trial.stage === stage.name && settingIn(stage, of, [id, 'of'])(trial))
    if (trials.length === 0) refuse([id, 'of'], `claims: ${id}: of: no planned trial has ${describe(of)}`)
    for (const [i, setting] of compare.entries())
      if (!trials.some(settingIn(stage, setting, [id, 'compare', i])))
        refuse([id, 'compare', i], `claims: ${id}: compare: no planned trial has ${describe({ ...of, ...setting })}`)
    checkApart(stage, claim, trials)
    if (trend === undefined) continue
    const values = new Set(trials.map(({ params }) => valueKey(lookUp(params, trend))))
    const { kind } = axisIn(stage.space, trend)
    if (kind !== 'number' && kind !== 'integer' && ![...values].every((value) => Number.isFinite(Number(value))))
      refuse([id, 'trend'], `claims: ${id}: trend: ${trend} has values that are no numbers (compare two of them)`)
    if (values.size < minTrendValues)
      refuse(
        [id, 'trend'],
        `claims: ${id}: trend: ${trend} has ${values.size} values in this plan (a trend takes at least ${minTrendValues})`,
      )
  }
}

/** A trial on both sides is compared with itself. */
function checkApart(stage: Stage, { id, of = {}, compare }: WrittenClaim, trials: readonly Trial[]): void {
  if (compare === undefined) return
  const sides = compare.map((setting, i) => settingIn(stage, setting, [id, 'compare', i]))
  const shared = trials.find((trial) => sides.every((isOf) => isOf(trial)))
  if (shared === undefined) return
  const axes = Object.keys({ ...of, ...compare[0], ...compare[1] })
  const where = describe(Object.fromEntries(axes.map((axis) => [axis, [lookUp(shared.params, axis)]])))
  refuse([id, 'compare', 1], `claims: ${id}: compare: both settings have the trials with ${where}`)
}

function refuse(path: SpecPath, problem: string): never {
  return writtenAt(['claims', ...path], () => {
    throw new SpaceError(problem)
  })
}

/** The stage whose axes it names; the first where it names none. @throws UnknownNameError for an axis of no stage. */
function stageOf({ id, of = {}, compare, trend }: WrittenClaim, { stages }: Experiment): Stage {
  const [first] = stages
  const compared: readonly WrittenSetting[] = compare ?? []
  const named: [string, SpecPath][] = [
    ...Object.keys(of).map((axis): [string, SpecPath] => [axis, ['of', axis]]),
    ...compared.flatMap((one, i) => Object.keys(one).map((axis): [string, SpecPath] => [axis, ['compare', i, axis]])),
    ...(trend === undefined ? [] : [[trend, ['trend']] as [string, SpecPath]]),
  ]
  const axis = named[0]?.[0]
  const stage = (axis !== undefined && stages.find(({ space }) => Object.hasOwn(space, axis))) || first
  for (const [name, path] of named)
    if (!Object.hasOwn(stage.space, name))
      writtenAt(['claims', id, ...path], () => {
        throw new UnknownNameError('axis', name, Object.keys(stage.space))
      })
  return stage
}

type Fits = (trial: Trial) => boolean

function settingIn({ space }: Stage, setting: WrittenSetting, path: SpecPath): Fits {
  const wanted = Object.entries(setting).map(([axis, values]) => {
    const parsed = writtenAt(['claims', ...path, axis], () =>
      values.map((value) => valueKey(parseValue(axis, axisIn(space, axis), value))),
    )
    return [axis, new Set(parsed)] as const
  })
  return ({ params }) => wanted.every(([axis, values]) => values.has(valueKey(lookUp(params, axis))))
}

const describe = (setting: WrittenSetting): string =>
  Object.entries(setting)
    .map(([axis, values]) => `${axis}=${values.map((value) => writeValue(value as never)).join(' or ')}`)
    .join(' ') || 'any setting'

function claimOf(claim: WrittenClaim, experiment: Experiment, objective: Objective): Claim {
  const { id, says } = claim
  const published = 'the sweep file'
  try {
    const found = effectOf(claim, experiment, objective)
    const effect = { ...found, quantity: printableLine(found.quantity) }
    const statement = printableLine(says ?? `${effect.quantity} is ${describeBounds(effect)}`)
    const whole = weighed({ id, published, statement, effects: [effect] })
    const { metric = objective.metric } = claim
    return { ...whole, check: (records, rule) => lackOf(metric, records) ?? whole.check(records, rule) }
  } catch (error) {
    // The experiment has changed since: its results are to be read all the same.
    const check = (): never => {
      throw error
    }
    return { id, published, statement: printableLine(says ?? id), check }
  }
}

/** A metric that no trial has is a slip of the hand. */
function lackOf(metric: string, records: Records): Verdict | undefined {
  const reported = new Set(records.flatMap(({ state, metrics }) => (state === 'finished' ? Object.keys(metrics) : [])))
  if (reported.size === 0 || reported.has(metric)) return undefined
  const near = nearest(metric, [...reported])
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  const summary = `no finished trial has the metric ${metric}${hint} (they have: ${[...reported].join(', ')})`
  return { state: 'inconclusive', summary, seeds: 0 }
}

function effectOf(claim: WrittenClaim, experiment: Experiment, objective: Objective): Effect {
  const { id, of = {}, compare, trend, scale, above, below, metric = objective.metric } = claim
  const stage = stageOf(claim, experiment)
  const isOne = settingIn(stage, of, [id, 'of'])
  const trials = (records: Records): TrialRecord[] => finished(records, stage.name).filter(({ trial }) => isOne(trial))
  const about = Object.keys(of).length === 0 ? '' : ` where ${describe(of)}`
  // Some of a seed's trials may have come to nothing, and all of it: a verdict tells how many seeds it leaves out.
  const seedsInAll = (records: Records): number =>
    groupBy(
      records.filter(({ trial }) => trial.stage === stage.name && isOne(trial)),
      ({ trial }) => JSON.stringify(trial.seeds),
    ).size
  const frame = {
    ...{ trials, seedsInAll },
    ...(above === undefined ? {} : { above }),
    ...(below === undefined ? {} : { below }),
  }
  // A number that a trial lacks has no rank, and no place in a mean.
  const counted: Counted = (own) => own.filter((record) => !Number.isNaN(metricOf(metric)(record)))
  const numbers = (own: Records): number[] => valuesOf(counted(own, own), metric)
  if (trend !== undefined)
    return trendEffect(
      {
        settings: { what: `values of ${trend}`, of: axisOf(trend), needed: minTrendValues },
        y: metricOf(metric),
        counted,
      },
      {
        ...frame,
        unfit: (records) => withoutPlace(metric, trials(records), () => true, Number.isNaN),
        quantity: `rank correlation of ${trend} and ${metric}${about}`,
        needs: `finished trials with ${metric} at ${minTrendValues} values of ${trend}`,
      },
    )
  /** Of both settings the numbers whose folds, or what else is averaged, the other has too: other folds are harder, or easier. */
  const onBoth = (...settings: readonly [Records, Records]): [number[], number[]] => {
    const foldOf = ({ trial }: TrialRecord): string =>
      JSON.stringify(Object.entries(averagedOf(trial.params, objective)))
    const foldsOf = (own: Records): Folds => groupBy(counted(own, own), foldOf)
    const [first, second] = [foldsOf(settings[0]), foldsOf(settings[1])]
    const shared = (own: Folds, other: Folds): number[] =>
      numbers([...own].flatMap(([fold, records]) => (other.has(fold) ? records : [])))
    return [shared(first, second), shared(second, first)]
  }
  const middle = scale === 'log' ? geometricMean : mean
  const unfitFor = (isMeant: Fits): Pick<Effect, 'unfit'> => ({
    unfit: (records) =>
      withoutPlace(metric, trials(records), isMeant, (value) => !Number.isFinite(value)) ??
      (scale === 'log' ? withoutLogarithm(metric, trials(records), isMeant) : undefined),
  })
  if (compare === undefined)
    return {
      ...frame,
      ...unfitFor(() => true),
      scale,
      quantity: `${metric}${about}`,
      needs: `finished trials with ${metric}`,
      of: (own) => middle(numbers(own)),
    }
  const [first, second] = compare.map((one, i) => settingIn(stage, one, [id, 'compare', i])) as [Fits, Fits]
  const [a, b] = compare.map(describe) as [string, string]
  return {
    ...frame,
    ...unfitFor((trial) => first(trial) || second(trial)),
    scale,
    quantity: `${metric} of ${a} ${scale === 'log' ? '÷' : '−'} ${b}${about}`,
    needs: `finished trials with ${metric} of both`,
    settings: {
      what: 'settings',
      of: ({ trial }) => (first(trial) ? 'first' : second(trial) ? 'second' : undefined),
      needed: ['first', 'second'],
    },
    of(own) {
      const [from, to] = onBoth(
        own.filter(({ trial }) => first(trial)),
        own.filter(({ trial }) => second(trial)),
      )
      return scale === 'log' ? ratioOf(from, to) : mean(from) - mean(to)
    },
  }
}

/** Which of these trials have a number that can't be counted, in words: seeds left out for it would be chosen by what they show. */
function withoutPlace(
  metric: string,
  records: Records,
  isMeant: Fits,
  isOut: (value: number) => boolean,
): string | undefined {
  const out = records
    .filter((record) => isMeant(record.trial) && Object.hasOwn(record.metrics, metric))
    .map(metricOf(metric))
    .filter(isOut)
  if (out.length === 0) return undefined
  return `${formatCount(out.length, 'trial')} came to a ${metric} of ${[...new Set(out)].join(', ')}, which leaves it open`
}

/** What of these trials a logarithmic scale has no place for, in words: seeds left out for their sign would be chosen by what they show. */
function withoutLogarithm(metric: string, records: Records, isMeant: Fits): string | undefined {
  const below = records.filter((record) => isMeant(record.trial) && metricOf(metric)(record) < 0).length
  if (below === 0) return undefined
  const have = below === 1 ? '1 trial has' : `${below} trials have`
  return `${have} a ${metric} below 0, which has no logarithm (without \`scale: log\` the claim is of a difference or a mean)`
}

type Folds = ReadonlyMap<string, TrialRecord[]>

const brief = (value: number): string => String(Number(value.toPrecision(3)))

function describeBounds({ above, below }: Effect): string {
  if (above === undefined) return `below ${brief(below!)}`
  return below === undefined ? `above ${brief(above)}` : `between ${brief(above)} and ${brief(below)}`
}
