import { withoutUnsaid } from '../../core/without-unsaid.js'
import { quoteInput } from '../../core/quote-input.js'
import { writtenAt, SpaceError } from '../../core/errors.js'
import { goalsOf, sweepObjective } from '../../core/objective.js'
import type { Objective, Trial } from '../../core/trial.js'
import type { Experiment } from '../../experiments/experiment.js'
import type { Observation } from '../../search/sampler.js'
import { createPointSampler, samplerVersionOf, type PointSamplerName } from '../../search/samplers.js'
import { hashTrials, type Plan, type ResolveData, type SearchBasis } from '../plan.js'
import type { Search } from '../spec/samplers.js'
import type { Learning } from '../spec/learning.js'
import type { SweepSpec } from '../spec/spec.js'
import { SearchCourse, type Suggested } from './course.js'
import { learntObservations } from './learnt.js'
import type { SamplerData } from './sampler-messages.js'
import { SearchSpace } from './search-space.js'
import { settingPlanner, type PlanSetting } from './setting.js'
import { maxRejected, suggest, type Exhausted, type PointSource } from './suggester.js'

/** A search that learns: what can be known of it before the first trial. */
export interface LearningSearch extends Search {
  readonly learning: Learning
}

/** The search of a spec whose sampler learns; `undefined` of any other. */
export function learningSearch({ search }: Pick<SweepSpec, 'search'>): LearningSearch | undefined {
  return search?.learning === undefined ? undefined : (search as LearningSearch)
}

/** What a search is made of, by its spec alone. */
export interface SearchParts {
  readonly search: LearningSearch
  readonly space: SearchSpace
  readonly planSetting: PlanSetting
  readonly objective: Objective
  /** What earlier sweeps taught: the sampler is told it first. */
  readonly learnt: readonly Observation[]
  readonly samplerVersion: number
}

export function searchParts(
  experiment: Experiment,
  spec: SweepSpec,
  resolveData: ResolveData,
  { learnt = [], samplerVersion = 1 }: SearchBasis = newBasis(spec),
): SearchParts {
  const space = writtenAt(['search'], () => new SearchSpace(spec))
  return {
    search: learningSearch(spec)!,
    space,
    learnt: learntObservations(space, learnt),
    samplerVersion,
    planSetting: settingPlanner(experiment, spec, resolveData),
    objective: sweepObjective(spec, experiment),
  }
}

/** The course of a search that has just been planned. */
export function courseOf(
  { search, space, objective }: SearchParts,
  planned: { readonly trials: readonly Trial[]; readonly suggested: readonly Suggested[] },
): SearchCourse {
  return new SearchCourse(space, search.learning, objective, search.count, planned)
}

/** What the sampler of a search is made of. */
export function samplerDataOf({ search, space, objective, samplerVersion }: SearchParts): SamplerData {
  const { sampler, seed } = search
  const directions = goalsOf(objective).map(({ direction }) => direction)
  return { name: sampler as PointSamplerName, axes: space.axes, directions, seed, version: samplerVersion }
}

/** The sampler of a search, told what earlier sweeps taught and no more, on this very thread. */
export function samplerOf(parts: SearchParts): PointSource {
  const { name, axes, ...options } = samplerDataOf(parts)
  const points = createPointSampler(name, axes, options)
  for (const one of parts.learnt) points.observe(one)
  return {
    observe: (observations) => observations.forEach((one) => points.observe(one)),
    suggest: (index, pending) => points.suggest({ index, pending }),
  }
}

/**
 * The plan of a search that learns: the settings that need no result, of which there are `parallel`. The others are
 * suggested while it runs, and the plan grows by them.
 * @param basis what an earlier plan of the search has frozen. Default: what a new one begins with.
 * @throws SpaceError, UnknownNameError, DataError: before anything runs.
 */
export async function planSearch(
  experiment: Experiment,
  spec: SweepSpec,
  resolveData: ResolveData,
  { learnt, samplerVersion }: SearchBasis = newBasis(spec),
): Promise<Plan> {
  const basis = withoutUnsaid({ learnt: learnt?.length === 0 ? undefined : learnt, samplerVersion })
  const parts = searchParts(experiment, spec, resolveData, basis)
  const { search, space, planSetting } = parts
  checkEnqueued(parts)
  const options = {
    space,
    learning: search.learning,
    planSetting,
    learnt: parts.learnt.length,
    source: writtenAt(['search'], () => samplerOf(parts)),
  }
  const trials: Trial[] = []
  const suggested: Suggested[] = []
  const course = courseOf(parts, { trials, suggested })
  for (let request = course.next(); request !== undefined; request = course.next()) {
    const suggestion = await suggest(request, course, options)
    if ('exhausted' in suggestion) {
      if (trials.length === 0) writtenAt(['search'], () => refuseEmpty(suggestion, parts.learnt.length))
      break
    }
    course.grow(suggestion)
    suggested.push(suggestion.suggested)
    for (const trial of suggestion.trials) trials.push({ ...trial, index: trials.length })
  }
  const frame = planSetting(suggested[0]!.values)!
  return { ...frame, trials, suggested, hash: hashTrials(trials), ...basis }
}

/** What a search begins with that has not been planned before. */
export const newBasis = ({ search }: Pick<SweepSpec, 'search'>): SearchBasis =>
  withoutUnsaid({
    samplerVersion: search === undefined ? undefined : samplerVersionOf(search.sampler as PointSamplerName),
  })

function refuseEmpty({ mayHaveMore }: Exhausted, learnt: number): never {
  if (mayHaveMore)
    throw new SpaceError(
      `search: of the first ${maxRejected} points none fits where and exclude (leave out fewer, or narrow the ranges to what fits)`,
    )
  if (learnt > 0)
    throw new SpaceError(
      `search: learnFrom: the earlier sweeps tried every point that fits where and exclude: ${learnt} (widen the ranges)`,
    )
  throw new SpaceError('search: no point fits where and exclude (leave out fewer, or widen the ranges)')
}

/** @throws SpaceError for a setting outside the ranges, left out, or there twice. */
function checkEnqueued({ search: { learning, count }, space, planSetting, learnt }: SearchParts): void {
  const seen = new Set<string>()
  const before = new Set(learnt.map(({ point }) => JSON.stringify(point)))
  const refuse = (problem: string): never =>
    writtenAt(['search'], () => {
      throw new SpaceError(`search: enqueue: ${problem}`)
    })
  if (learning.enqueue.length > count) refuse(`${learning.enqueue.length} settings, and count is ${count}`)
  for (const values of learning.enqueue) {
    const point = JSON.stringify(writtenAt(['search', 'enqueue'], () => space.pointOf(values)))
    if (seen.has(point)) refuse(`${quoteInput(values)} is there twice`)
    seen.add(point)
    if (before.has(point)) refuse(`${quoteInput(values)} was tried in a sweep that it learns from (leave one out)`)
    if (planSetting(values) === undefined) refuse(`${quoteInput(values)} is left out by where or exclude`)
  }
}
