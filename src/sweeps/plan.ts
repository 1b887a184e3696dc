import { formatCount } from '../core/format.js'
import { SpaceError, UnknownNameError, writtenAt } from '../core/errors.js'
import type { Experiment, Stage } from '../experiments/experiment.js'
import { NameCheck } from '../core/names.js'
import { goalsOf, sweepObjective } from '../core/objective.js'
import { wordOf } from '../core/param-value.js'
import { canonicalJson, contentHash, textHash } from '../core/seed.js'
import type { Params, Seeds, Trial, TrialId } from '../core/trial.js'
import { addressAxis, maxTrials } from './spec/factors.js'
import { pointsOfStages } from './spec/points.js'
import type { Suggested } from './searching/course.js'
import type { Learnt } from './searching/learnt.js'
import { isTogether, seedNames, type SeedsSpec } from './spec/seeds.js'
import type { SweepSpec } from './spec/spec.js'

export { varyingAxes } from '../core/varying-axes.js'

/** A spec expanded once and frozen: the same spec gives the same plan, whatever the host or the day. */
export interface Plan {
  readonly experiment: string
  readonly version: number
  readonly profile: string
  readonly spec: SweepSpec
  readonly trials: readonly Trial[]
  /** Over the set of trial ids: two plans with the same hash ask for the same results. */
  readonly hash: string
  /** Of a search that learns, the settings that are known before the first result; others are suggested while it runs. */
  readonly suggested?: readonly Suggested[]
  /** What it learns from earlier sweeps, as they stood when it was planned. */
  readonly learnt?: readonly Learnt[]
  /** The version of its sampler's rules when it was planned; missing of the first. */
  readonly samplerVersion?: number
}

/** What a plan freezes of a search that learns, beside its spec. */
export type SearchBasis = Pick<Plan, 'learnt' | 'samplerVersion'>

/** Whether a sweep's plan grows while it runs; by what, its journal says. */
export const mayGrow = ({
  untilDecided,
  search,
  confirm,
}: Pick<SweepSpec, 'untilDecided' | 'search' | 'confirm'>): boolean =>
  untilDecided !== undefined || search?.learning !== undefined || confirm !== undefined

/** A data set's name to its fingerprint, known without reading the data. @throws DataError when there is no such set. */
export type ResolveData = (name: string) => string

/**
 * Checks everything a person wrote against the experiment and expands it, stage by stage.
 * @throws SpaceError, UnknownNameError, DataError: before anything runs.
 */
export function makePlan(experiment: Experiment, spec: SweepSpec, resolveData: ResolveData): Plan {
  const profileName = spec.profile ?? 'reduced'
  const profile = writtenAt(['profile'], () => {
    if (Object.hasOwn(experiment.profiles, profileName)) return experiment.profiles[profileName]!
    throw new UnknownNameError('profile', profileName, Object.keys(experiment.profiles))
  })
  checkNames(experiment, spec)
  checkAverage(experiment, spec)
  const pointsOf = pointsOfStages(experiment, profile, spec)

  const trials: Trial[] = []
  const byStage = new Map<string, readonly Trial[]>()
  const seen = new Set<TrialId>()
  for (const stage of experiment.stages) {
    const points = pointsOf(stage)
    const origins: readonly Origin[] = stage.derive
      ? stage.derive
          .groups(byStage.get(stage.derive.from) ?? [])
          .map((parents) => ({ parents, seeds: parents[0]!.seeds }))
      : crossSeeds(spec.seeds ?? profile.seeds).map((seeds) => ({ parents: [], seeds }))
    const count = trials.length + points.length * origins.length
    if (count > maxTrials)
      writtenAt(['axes'], () => {
        throw new SpaceError(`the plan has ${formatCount(count, 'trial')} (at most ${maxTrials})`)
      })
    const planned = planStage(experiment, stage, { points, origins, firstIndex: trials.length, seen, resolveData })
    byStage.set(stage.name, planned)
    for (const trial of planned) trials.push(trial)
  }
  return {
    experiment: experiment.name,
    version: experiment.version,
    profile: profileName,
    spec,
    trials,
    hash: hashTrials(trials),
  }
}

/** The trials of one stage: every point from every origin, but none whose id is among the `seen` ones, which grow. */
function planStage(
  experiment: Experiment,
  stage: Stage,
  from: {
    readonly points: readonly Params[]
    readonly origins: readonly Origin[]
    readonly firstIndex: number
    readonly seen: Set<TrialId>
    readonly resolveData: ResolveData
  },
): Trial[] {
  const { seen } = from
  const planned: Trial[] = []
  const idOf = identifier(experiment, stage)
  const sources = from.origins.map(({ parents, seeds }) => {
    const parentIds = parents.map((parent) => parent.id)
    return { seeds, parents: parentIds, seedsText: canonicalJson(seeds), parentsText: canonicalJson(parentIds) }
  })
  for (const params of from.points) {
    checkTexts(params)
    // Data and cost depend on the point alone: asked once per point, not once per seed or parent.
    const data = writtenAt(['axes'], () => stage.data(params).map((name) => [name, from.resolveData(name)]))
    const cost = stage.cost(params)
    const [dataText, paramsText] = [canonicalJson(data), canonicalJson(params)]
    for (const { parents, seeds, parentsText, seedsText } of sources) {
      const id = idOf(dataText, paramsText, parentsText, seedsText)
      if (seen.has(id)) continue
      seen.add(id)
      planned.push({
        id,
        index: from.firstIndex + planned.length,
        experiment: experiment.name,
        version: experiment.version,
        stage: stage.name,
        params,
        seeds,
        parents,
        cost,
      })
    }
  }
  return planned
}

/** @throws MldsError when an axis or the objective has a name that a tracker would refuse. */
function checkNames(experiment: Experiment, spec: SweepSpec): void {
  const axes = new NameCheck('axis')
  for (const { space } of experiment.stages)
    for (const name of Object.keys(space)) writtenAt(['axes', name], () => axes.add([name]))
  const objective = sweepObjective(spec, experiment)
  const check = (metrics: readonly { readonly metric: string }[]): void =>
    new NameCheck('metric').add(metrics.map(({ metric }) => metric))
  writtenAt(['objective'], () => check(goalsOf(objective)))
  writtenAt(['constraints'], () => check(objective.constraints ?? []))
}

/** @throws SpaceError, UnknownNameError for what is no axis, or none that can be averaged over. */
function checkAverage(experiment: Experiment, { average = [], search }: SweepSpec): void {
  for (const [i, written] of average.entries())
    writtenAt(['average', i], () => {
      const [, name] = addressAxis(experiment, written)
      if (name !== written) throw new SpaceError(`average: ${written}: trials call it ${name} (average: ${name})`)
      const searched = Object.keys(search?.axes ?? {}).map((axis) => addressAxis(experiment, axis)[1])
      if (searched.includes(name))
        throw new SpaceError(
          `average: ${name}: it is searched, and so not in every setting (give it values under axes)`,
        )
    })
}

/** Longer values MLflow would cut short without a word. */
const maxTextLength = 6000

function checkTexts(params: Params): void {
  for (const [name, value] of Object.entries(params)) {
    if (value === null || (typeof value !== 'string' && typeof value !== 'object')) continue
    const word = wordOf(value)
    if (word.length > maxTextLength)
      writtenAt(['axes', name], () => {
        throw new SpaceError(
          `${name}: a text of ${word.length} characters (at most ${maxTextLength}): ${word.slice(0, 60)}…`,
        )
      })
  }
}

interface Origin {
  readonly parents: readonly Trial[]
  readonly seeds: Seeds
}

/**
 * Makes the ids of a stage's trials of the canonical JSON of their parts: what `contentHash` makes of the whole, where a
 * part that a million trials share is put into JSON once.
 */
function identifier(
  { name, version }: Experiment,
  stage: { readonly name: string },
): (data: string, params: string, parents: string, seeds: string) => TrialId {
  const experiment = canonicalJson(name)
  const end = `"stage":${canonicalJson(stage.name)},"version":${canonicalJson(version)}}`
  return (data, params, parents, seeds) =>
    textHash(
      `{"data":${data},"experiment":${experiment},"params":${params},"parents":${parents},"seeds":${seeds},${end}`,
    )
}

/** True when a trial's id was made of these data: name and fingerprint of each, in the stage's order. */
export function isOfData(trial: Trial, data: readonly (readonly [name: string, fingerprint: string])[]): boolean {
  const { id, experiment, version, stage, params, seeds, parents } = trial
  return contentHash({ experiment, version, stage, params, seeds, parents, data }) === id
}

export function hashTrials(trials: readonly Trial[]): string {
  return textHash(JSON.stringify(trials.map((trial) => trial.id).sort()))
}

/** The sweep's id: the person's name for it, else the experiment's with the plan's hash. */
export function sweepIdOf(plan: Plan): string {
  const { name, scheduler, search, objective, constraints } = plan.spec
  // The same trials under a rule that stops some of them early are another sweep, and so are those of another search.
  const more = {
    ...(scheduler && { scheduler }),
    ...(search?.learning && { search, objective, ...(constraints && { constraints }) }),
    ...(plan.learnt && { learnt: plan.learnt }),
  }
  const hash = Object.keys(more).length === 0 ? plan.hash : contentHash({ trials: plan.hash, ...more })
  return name ?? `${plan.experiment}-${hash.slice(0, 8)}`
}

function crossSeeds(spec: SeedsSpec): Seeds[] {
  if (isTogether(spec)) return spec.map((seed) => ({ data: seed, init: seed, shuffle: seed, corruption: seed }))
  let seeds: Partial<Record<(typeof seedNames)[number], number>>[] = [{}]
  for (const name of seedNames) {
    seeds = seeds.flatMap((partial) => (spec[name] ?? [0]).map((seed) => ({ ...partial, [name]: seed })))
  }
  return seeds as Seeds[]
}

/** The seeds as a person reads them: one number when all four agree. */
export function describeSeeds(seeds: Seeds): string {
  const values = seedNames.map((name) => seeds[name])
  return values.every((value) => value === values[0])
    ? String(values[0])
    : seedNames.map((name) => `${name} ${seeds[name]}`).join(', ')
}
