import { isDeepStrictEqual } from 'node:util'
import { lookUp } from '../../../core/names.js'
import type { Metrics, Objective, Outcome, Trial, TrialId } from '../../../core/trial.js'
import { sharedTag, standingTag, statusOfState, voidedTag, type Standing } from '../projection/projection.js'
import { readMetrics } from '../projection/read-sweep.js'
import { SweepCourse } from '../projection/story.js'
import { pointKey, type Run } from '../rest/wire.js'

/** What a run says of itself that does not fit: status, state, outcome and latest metrics tell one story. */
export function childContradictions(run: Run, isTold: boolean): string[] {
  const { 'mlds.state': state, 'mlds.outcome': json, 'mlds.outcome_file': file } = run.tags
  if (state === undefined) return ['its tag mlds.state is missing']
  const status = statusOfState(state)
  const statusWrong = run.status === status ? [] : [`its status is ${run.status}, and its state ${state}`]
  if (json === undefined) return file === undefined ? [...statusWrong, 'its outcome is missing'] : statusWrong
  const outcome = parseOutcome(json)
  if (outcome === undefined) return [...statusWrong, 'its outcome can’t be read']
  return [
    ...statusWrong,
    ...(outcome.state === state ? [] : [`its outcome is ${outcome.state}, and its state ${state}`]),
    // Earlier versions did not see to it that the final value is the latest, and a program may log on.
    ...(isTold && !(sharedTag in run.tags) && 'metrics' in outcome ? finalContradictions(run, outcome.metrics) : []),
  ]
}

function finalContradictions({ latest }: Run, metrics: Metrics): string[] {
  return Object.entries(metrics).flatMap(([key, value]) => {
    const point = latest.get(key)
    if (point === undefined) return [`its metric ${key} is missing`]
    return pointKey(point) === pointKey({ ...point, value })
      ? []
      : [`its latest ${key} is ${point.value}, and its outcome says ${value}`]
  })
}

/** What a parent tells of its children that they do not; nothing where an earlier version told its story. */
export function parentContradictions(parent: Run, children: readonly Run[], trials: readonly Trial[]): string[] {
  const told = readStanding(parent)
  if (told === undefined) return []
  const objective = JSON.parse(parent.tags['mlds.objective'] ?? '{"metric":"","direction":"minimize"}') as Objective
  const course = new SweepCourse(objective, trials, parent.startMs)
  const voidedAtMs = Number(parent.tags[voidedTag] ?? -Infinity)
  const counted = children.filter(({ endMs }) => (endMs ?? Infinity) >= voidedAtMs)
  let readable = true
  for (const run of [...counted].sort((a, b) => Number(a.tags['mlds.attempt']) - Number(b.tags['mlds.attempt']))) {
    const outcome = parseOutcome(run.tags['mlds.outcome'] ?? `{"state":"${run.tags['mlds.state'] ?? ''}"}`)
    readable &&= 'mlds.outcome' in run.tags && outcome !== undefined
    if (outcome === undefined || outcome.state === 'lost') continue
    const at = { atMs: run.endMs ?? 0, attempt: Number(run.tags['mlds.attempt']) }
    course.apply({ type: 'ended', trial: run.tags['mlds.trial']!, ...at, outcome: outcome })
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
      : [`its best trial is ${best}, and by its runs ${course.best?.trial}`]),
  ]
}

/** How a sweep stood when its story was told; undefined where an earlier version told it. */
export function readStanding(parent: Run): Standing | undefined {
  const standing = parseJson(lookUp(parent.tags, standingTag) ?? '') as Standing | undefined
  return typeof standing?.counts === 'object' ? standing : undefined
}

/** The planned trials of which a story that has been told says itself that they did not run. */
export function isToldMissing(parent: Run | undefined, missing: readonly TrialId[]): boolean {
  const standing = parent === undefined ? undefined : readStanding(parent)
  return standing?.closed !== undefined && isDeepStrictEqual(standing.counts.missing, missing.length)
}

/** How a run says that it ended; undefined where it does not. */
export function endingOf({ tags }: Run): string | undefined {
  const file = 'mlds.outcome_file' in tags ? tags['mlds.state'] : undefined
  return parseOutcome(tags['mlds.outcome'] ?? '')?.state ?? file
}

type Told = Outcome | { readonly state: 'lost'; readonly reason: string }

function parseOutcome(json: string): Told | undefined {
  const outcome = parseJson(json) as Told | undefined
  if (typeof outcome?.state !== 'string') return undefined
  return 'metrics' in outcome ? { ...outcome, metrics: readMetrics(outcome.metrics) } : outcome
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
