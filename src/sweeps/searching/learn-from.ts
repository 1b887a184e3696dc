import { SpaceError, UnknownNameError, writtenAt } from '../../core/errors.js'
import { formatCount } from '../../core/format.js'
import { latest, lookUp } from '../../core/names.js'
import { describeObjective, goalsOf, sweepObjective } from '../../core/objective.js'
import { isSameValue, writeValue } from '../../core/param-value.js'
import { canonicalJson } from '../../core/seed.js'
import { settingOf } from '../../core/setting.js'
import type { ParamValue, Trial, TrialId } from '../../core/trial.js'
import type { Experiment } from '../../experiments/experiment.js'
import type { Store } from '../../system/store.js'
import { SweepState } from '../journal/state.js'
import { isOfData, type ResolveData } from '../plan.js'
import { addressAxis } from '../spec/factors.js'
import type { SweepSpec } from '../spec/spec.js'
import { SweepFolder } from '../sweep-folder.js'
import { toLearnt, type Learnt, type LearntSetting, type ReasonLeftOut } from './learnt.js'
import { observationOf, type TrialEnd } from './observe.js'
import { searchParts, type SearchParts } from './plan-search.js'
import type { SearchedValues } from './search-space.js'

/** More than that is no prior knowledge, but a mistake: all of it is kept in plan.json and told to the sampler. */
const maxLearnt = 100_000

/**
 * What a search learns from the sweeps that its `learnFrom` names, as they stand now: the settings that have ended, lie within its
 * ranges and differ from its own in the searched axes alone.
 * @throws SpaceError, UnknownNameError for a sweep that there is not, of another experiment, data, axes or objective.
 */
export async function learnFrom(
  store: Store,
  experiment: Experiment,
  spec: SweepSpec,
  resolveData: ResolveData,
): Promise<readonly Learnt[]> {
  const names = spec.search?.learning?.learnFrom ?? []
  const parts = searchParts(experiment, spec, resolveData)
  const known = await store.sweepIds()
  const seen = new Set<string>()
  const all: Learnt[] = []
  for (const name of names) {
    if (name === spec.name) refuse(name, 'a search learns from earlier sweeps, and this is its own name (leave it out)')
    if (!known.includes(name)) unknown(name, known)
    const sweep = await SweepFolder.open(store, name)
    all.push(new EarlierSweep(sweep, experiment, spec, parts, resolveData).learnt(seen))
    if (seen.size > maxLearnt)
      refuse(name, `${formatCount(seen.size, 'setting')} to learn from (at most ${maxLearnt}: name fewer sweeps)`)
  }
  return all
}

function unknown(name: string, known: readonly string[]): never {
  if (name === latest) refuse(name, 'the newest sweep is another one tomorrow (name the sweep: mlds list)')
  return writtenAt(['search'], () => {
    throw new UnknownNameError('sweep to learn from', name, [...known])
  })
}

function refuse(sweep: string, problem: string): never {
  return writtenAt(['search'], () => {
    throw new SpaceError(`search: learnFrom: ${sweep}: ${problem}`)
  })
}

/** A setting of an earlier sweep: the trials that have these parameters, those before them and those that derive from them alone. */
type Members = readonly TrialEnd[]

class EarlierSweep {
  /** The searched axes, as written, and what trials of their stage call them. */
  readonly #axes: readonly (readonly [written: string, name: string])[]
  readonly #stage: string
  /** An example of what differs from this search. */
  #difference: string | undefined

  constructor(
    private readonly sweep: SweepFolder,
    private readonly experiment: Experiment,
    private readonly spec: SweepSpec,
    private readonly parts: SearchParts,
    private readonly resolveData: ResolveData,
  ) {
    const addressed = Object.keys(parts.search.axes).map(
      (written) => [written, addressAxis(experiment, written)] as const,
    )
    this.#stage = addressed[0]![1][0].name
    this.#axes = addressed.map(([written, [, name]]) => [written, name])
    this.#requireAlike()
  }

  #requireAlike(): void {
    const { frozen, id } = this.sweep
    const { name, version } = this.experiment
    if (frozen.experiment !== name || frozen.version !== version)
      refuse(
        id,
        `it is of ${frozen.experiment}, version ${frozen.version}, and this search of ${name}, version ${version} (name a sweep of the same${this.spec.own?.kind === 'command' ? ' program: every byte of it counts' : ''})`,
      )
    const [theirs, ours] = [frozen.spec, this.spec].map((one) => sweepObjective(one, this.experiment))
    if (canonicalJson(goalsOf(theirs!)) !== canonicalJson(goalsOf(ours!)))
      refuse(
        id,
        `it was to ${goalsText(theirs!)}, and this search is to ${goalsText(ours!)} (name a sweep of the same objective)`,
      )
    const params = frozen.trials.find(({ stage }) => stage === this.#stage)?.params ?? {}
    const missing = this.#axes.find(([, axis]) => !Object.hasOwn(params, axis))
    if (missing !== undefined)
      refuse(
        id,
        `it has no axis ${missing[0]} (it has ${Object.keys(params).join(', ') || 'none'}; name a sweep of the same axes)`,
      )
  }

  /** @param seen points that are known already; grows by those of this sweep. */
  learnt(seen: Set<string>): Learnt {
    const leftOut: Partial<Record<ReasonLeftOut, number>> = {}
    const settings: LearntSetting[] = []
    for (const members of this.#settings()) {
      const found = this.#judge(members)
      const isRepeated = typeof found !== 'string' && seen.size === seen.add(keyOf(found.values)).size
      const reason = typeof found === 'string' ? found : isRepeated ? 'repeated' : undefined
      if (reason === undefined) settings.push(found as LearntSetting)
      else leftOut[reason] = (leftOut[reason] ?? 0) + 1
    }
    if (settings.length === 0 && leftOut.repeated === undefined) this.#refuseUseless(leftOut)
    return { from: this.sweep.id, settings, leftOut }
  }

  #settings(): Members[] {
    const state = new SweepState(this.sweep.frozen.trials)
    for (const event of this.sweep.events()) state.apply(event)
    const theirs = sweepObjective(this.sweep.frozen.spec, this.experiment)
    const { confirm } = theirs
    const own = [...state.trials.values()].filter(
      // Fresh seeds told what the best were worth; they were no part of the search.
      ({ trial }) => confirm === undefined || trial.seeds.init <= confirm.after,
    )
    const byId = new Map(own.map((one) => [one.trial.id, one]))
    const groupOf = new Map<TrialId, string>()
    const groups = new Map<string, Set<TrialEnd>>()
    const join = (group: string, one: TrialEnd): void => {
      groupOf.set(one.trial.id, group)
      groups.set(group, (groups.get(group) ?? new Set()).add(one))
    }
    for (const one of own) {
      const { stage, params, parents } = one.trial
      const above = new Set(parents.map((parent) => groupOf.get(parent)))
      const [group] = above
      if (stage === this.#stage) {
        const setting = canonicalJson(settingOf(params, theirs))
        join(setting, one)
        for (const ancestor of ancestorsOf(one.trial, byId)) groups.get(setting)!.add(ancestor)
      } else if (above.size === 1 && group !== undefined) join(group, one)
    }
    return [...groups.values()].map((members) => [...members].sort((a, b) => a.trial.index - b.trial.index))
  }

  #judge(members: Members): LearntSetting | ReasonLeftOut {
    const { params } = members.find(({ trial }) => trial.stage === this.#stage)!.trial
    const values = this.#valuesOf(params)
    const planned = values === undefined ? undefined : this.parts.planSetting(values)
    if (values === undefined || planned === undefined) return 'outside'
    if (!this.#isAlike(members, planned.trials)) return 'differing'
    if (members.some(({ outcome }) => outcome === undefined || outcome.state === 'cancelled')) return 'open'
    return toLearnt(values, observationOf(members, this.parts.objective, this.parts.search.learning.failed))
  }

  /** The searched values; `undefined` outside the ranges. */
  #valuesOf(params: Trial['params']): SearchedValues | undefined {
    const values = this.#axes.map(([written, name]) => [written, lookUp(params, name)] as const)
    if (values.some(([, value]) => value === undefined)) return undefined
    try {
      const { space } = this.parts
      return space.valuesOf(space.pointOf(Object.fromEntries(values) as SearchedValues))
    } catch (error) {
      if (error instanceof SpaceError || error instanceof UnknownNameError) return undefined
      throw error
    }
  }

  /** Whether the trials are those that the search would plan for this setting, but for seeds. */
  #isAlike(members: Members, planned: readonly Trial[]): boolean {
    for (const { trial } of members) {
      const ours = planned.filter(({ stage }) => stage === trial.stage)
      if (!ours.some(({ params }) => canonicalJson(params) === canonicalJson(trial.params))) {
        this.#difference ??= differenceOf(trial, ours[0])
        return false
      }
      const stage = this.experiment.stages.find(({ name }) => name === trial.stage)!
      const data = stage.data(trial.params).map((name) => [name, this.resolveData(name)] as const)
      if (isOfData(trial, data)) continue
      this.#difference ??= `its data were others than ${data.map(([name]) => name).join(', ')} is now`
      return false
    }
    return true
  }

  #refuseUseless({ open = 0, outside = 0, differing = 0 }: Learnt['leftOut']): never {
    const { id } = this.sweep
    if (differing > 0)
      refuse(
        id,
        `none of its settings is of this search: ${this.#difference} (name a sweep that differs in the searched axes alone)`,
      )
    if (open > 0) refuse(id, `none of its settings has ended (let it run first: mlds resume ${id})`)
    return refuse(
      id,
      outside === 0
        ? 'it has no setting (name one that has)'
        : `none of its ${formatCount(outside, 'setting')} lies within the ranges, where and exclude (widen them, or leave it out)`,
    )
  }
}

const goalsText = (objective: Parameters<typeof goalsOf>[0]): string => {
  const { constraints: _, ...goals } = objective
  return describeObjective(goals)
}

const keyOf = (values: SearchedValues): string => canonicalJson(values)

function* ancestorsOf(trial: Trial, byId: ReadonlyMap<TrialId, TrialEnd>): Generator<TrialEnd> {
  for (const id of trial.parents) {
    const parent = byId.get(id)
    if (parent === undefined) continue
    yield parent
    yield* ancestorsOf(parent.trial, byId)
  }
}

/** `its epochs is 3, and here 5`. */
function differenceOf(theirs: Trial, ours: Trial | undefined): string {
  const told = (value: ParamValue | undefined): string => (value === undefined ? 'not there' : writeValue(value))
  const names = new Set([...Object.keys(theirs.params), ...Object.keys(ours?.params ?? {})])
  for (const name of names) {
    const [one, other] = [lookUp(theirs.params, name), lookUp(ours?.params ?? {}, name)]
    if (one === undefined || other === undefined || !isSameValue(one, other))
      return `its ${name} is ${told(one)}, and here ${told(other)}`
  }
  return `its stage ${theirs.stage} is planned otherwise`
}
