import { isDeepStrictEqual } from 'node:util'
import { lookUp } from '../../../core/names.js'
import { isMapping } from '../../../core/is-mapping.js'
import type { Metrics, Objective, Trial, TrialId } from '../../../core/trial.js'
import { sharedTag, standingTag, statusOfState, voidedTag, type Standing } from '../projection/projection.js'
import { identify, identityProblems } from '../projection/identity.js'
import { parseJson, readEnding, type Ending } from '../projection/ending.js'
import { SweepCourse } from '../projection/story.js'
import { metricsOfUsage, readUsage, usageTag } from '../projection/usage.js'
import { pointKey, type Run } from '../rest/wire.js'

/** What a run says of itself that does not fit: status, state, outcome and latest metrics tell one story. */
export function childContradictions(run: Run, isTold: boolean): string[] {
  const { 'mlds.state': state, 'mlds.outcome': json, 'mlds.outcome_file': file } = run.tags
  if (state === undefined) return ['its tag mlds.state is missing']
  const status = statusOfState(state)
  const statusWrong = [
    ...identityProblems(run),
    ...(run.status === status ? [] : [`its status is ${run.status}, and its state ${state}`]),
  ]
  if (json === undefined) return file === undefined ? [...statusWrong, 'its outcome is missing'] : statusWrong
  const outcome = readEnding(json)
  if (outcome === undefined) return [...statusWrong, 'its outcome can’t be read']
  return [
    ...statusWrong,
    ...(outcome.state === state ? [] : [`its outcome is ${outcome.state}, and its state ${state}`]),
    // Earlier versions did not see to it that the final value is the latest, and a program may log on.
    ...(isTold && !(sharedTag in run.tags) && 'metrics' in outcome ? finalContradictions(run, outcome.metrics) : []),
    ...(sharedTag in run.tags ? [] : usageContradictions(run)),
  ]
}

function usageContradictions(run: Run): string[] {
  const usage = readUsage(run.tags)
  if (usage === undefined) return usageTag in run.tags ? [`its tag ${usageTag} can’t be read`] : []
  return contradictions(run, metricsOfUsage(usage), usageTag)
}

const finalContradictions = (run: Run, metrics: Metrics): string[] => contradictions(run, metrics, 'its outcome')

/** Where latest points are other than `source`, something else of the run, says. */
function contradictions({ latest }: Run, metrics: Metrics, source: string): string[] {
  return Object.entries(metrics).flatMap(([key, value]) => {
    const point = latest.get(key)
    if (point === undefined) return [`its metric ${key} is missing`]
    return pointKey(point) === pointKey({ ...point, value })
      ? []
      : [`its latest ${key} is ${point.value}, and ${source} says ${value}`]
  })
}

/** What a parent tells of its children that they do not; nothing where an earlier version told its story. */
export function parentContradictions(parent: Run, children: readonly Run[], trials: readonly Trial[]): string[] {
  const told = readStanding(parent)
  if (told === undefined) return standingTag in parent.tags ? [`its tag ${standingTag} can’t be read`] : []
  const problems = [...identityProblems(parent), ...stateProblems(parent)]
  if (problems.length > 0) return problems
  const objective = readObjective(parent)
  if (objective === undefined) return ['its tag mlds.objective can’t be read']
  const course = new SweepCourse(objective, trials, parent.startMs)
  const voidedAtMs = Number(parent.tags[voidedTag] ?? -Infinity)
  const counted = children.filter(({ endMs }) => (endMs ?? Infinity) >= voidedAtMs)
  let readable = true
  for (const run of [...counted].sort((a, b) => identify(a).attempt - identify(b).attempt)) {
    const json = run.tags['mlds.outcome']
    const outcome = json === undefined ? ({ state: run.tags['mlds.state'] ?? '' } as Ending) : readEnding(json)
    readable &&= 'mlds.outcome' in run.tags && outcome !== undefined
    if (outcome === undefined || outcome.state === 'lost') continue
    const { trial = '', attempt } = identify(run)
    course.apply({ type: 'ended', trial, attempt, atMs: run.endMs ?? 0, outcome })
  }
  const counts = course.counts()
  const differing = Object.entries(told.counts).filter(([state, count]) => counts[state as 'planned'] !== count)
  const best = parent.tags['mlds.best_trial']
  const status = course.isComplete() ? 'FINISHED' : counts.missing > 0 ? 'KILLED' : 'FAILED'
  return [
    ...differing.map(
      ([state, count]) => `it tells of ${count} ${state}, and its runs of ${counts[state as 'planned']}`,
    ),
    ...(differing.length > 0 || parent.status === status ? [] : [`its status is ${parent.status}, not ${status}`]),
    ...(!readable || course.best?.trial === best
      ? []
      : [`its best trial is ${best ?? 'none'}, and by its runs ${course.best?.trial ?? 'none'}`]),
  ]
}

function stateProblems({ tags, status }: Run): string[] {
  const state = tags['mlds.state']
  const fits = state === 'complete' ? status === 'FINISHED' : state === 'incomplete' && status !== 'FINISHED'
  return fits ? [] : [`its status is ${status}, and its state ${state ?? 'missing'}`]
}

/** How a sweep stood when its story was told; undefined where an earlier version told it. */
export function readStanding(parent: Run): Standing | undefined {
  const standing = parseJson(lookUp(parent.tags, standingTag) ?? '')
  return isMapping(standing) && isMapping(standing['counts']) ? (standing as unknown as Standing) : undefined
}

/** Earlier versions did not say what the sweep is judged by; undefined for what can't be read. */
function readObjective({ tags }: Run): Objective | undefined {
  const objective = parseJson(tags['mlds.objective'] ?? '{"metric":"","direction":"minimize"}')
  if (!isMapping(objective) || !isGoal(objective)) return undefined
  const { also = [], constraints = [], confirm } = objective
  const isList = (value: unknown, isOne: (one: unknown) => boolean): boolean =>
    Array.isArray(value) && value.every(isOne)
  const isConstraint = (one: unknown): boolean => isMapping(one) && typeof one['metric'] === 'string'
  const isConfirmed = confirm === undefined || (isMapping(confirm) && typeof confirm['after'] === 'number')
  return isList(also, isGoal) && isList(constraints, isConstraint) && isConfirmed
    ? (objective as unknown as Objective)
    : undefined
}

function isGoal(goal: unknown): boolean {
  if (!isMapping(goal)) return false
  const { metric, direction } = goal
  return typeof metric === 'string' && (direction === 'minimize' || direction === 'maximize')
}

/** The planned trials of which a story that has been told says itself that they did not run. */
export function isToldMissing(parent: Run | undefined, missing: readonly TrialId[]): boolean {
  const standing = parent === undefined ? undefined : readStanding(parent)
  return standing?.closed !== undefined && isDeepStrictEqual(standing.counts.missing, missing.length)
}

/** How a run says that it ended; undefined where it does not. */
export function endingOf({ tags }: Run): string | undefined {
  const file = 'mlds.outcome_file' in tags ? tags['mlds.state'] : undefined
  return readEnding(tags['mlds.outcome'] ?? '')?.state ?? file
}
