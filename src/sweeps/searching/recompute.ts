import { canonicalJson } from '../../core/seed.js'
import { writeValue } from '../../core/param-value.js'
import type { JournalEvent } from '../journal/journal.js'
import { sweepObjective } from '../../core/objective.js'
import type { Experiment } from '../../experiments/experiment.js'
import type { Plan, ResolveData } from '../plan.js'
import type { Suggested, SuggestionRequest } from './course.js'
import { courseOf, planSearch, samplerOf, searchParts } from './plan-search.js'
import type { Addition } from '../scheduling/growth.js'
import { SweepState } from '../journal/state.js'
import { confirmerOf, seedsOf, type Confirmer } from './confirmation.js'
import { suggestedBy } from './replay.js'
import { suggest } from './suggester.js'

type MadeOf = Parameters<typeof searchParts>

export interface Recomputed {
  readonly settings: number
  /** A sentence for each setting that comes out otherwise. */
  readonly others: readonly string[]
  /** Whether there is a further one, as far as the results go that there are. */
  readonly next: 'one' | 'none' | 'unknown'
}

/** Suggests everything again that a search has suggested, each setting from the results that it was suggested from. */
export async function recompute(
  { trials, suggested = [] }: Pick<Plan, 'trials' | 'suggested'>,
  events: Iterable<JournalEvent>,
  ...madeOf: MadeOf
): Promise<Recomputed> {
  const others: string[] = []
  const compare = (was: Suggested, now: Suggested | undefined): void => {
    if (now === undefined || whatIs(was) !== whatIs(now)) others.push(describe(was, now))
  }
  const again = await planSearch(...madeOf)
  suggested.forEach((was, i) => compare(was, again.suggested![i]))
  const parts = searchParts(...madeOf)
  const { space, planSetting, search } = parts
  const course = courseOf(parts, { trials, suggested })
  let source = samplerOf(parts)
  const suggestFrom = (request: SuggestionRequest) =>
    suggest(request, course, { space, planSetting, learning: search.learning, source, learnt: parts.learnt.length })
  const state = new SweepState(trials)
  const confirmer = confirmerOf({ suggested, spec: madeOf[1] }, parts.objective, madeOf[0], madeOf[2])
  for (const event of events) {
    if (!isConfirmedAlike(confirmer, event, state)) others.push(notTheBest)
    state.apply(event)
    const was = suggestedBy(event)
    if (was !== undefined) {
      const found = await suggestFrom(course.requestFor(was))
      compare(was, 'exhausted' in found ? undefined : found.suggested)
    }
    if (course.apply(event)) source = samplerOf(parts)
  }
  const settings = course.size
  const request = course.next()
  if (request === undefined) return { settings, others, next: settings === search.count ? 'none' : 'unknown' }
  return { settings, others, next: 'exhausted' in (await suggestFrom(request)) ? 'none' : 'one' }
}

/** Chooses again the settings that a sweep without a search that learns has run on fresh seeds. */
export function recomputeConfirmation(
  { trials, spec }: Pick<Plan, 'trials' | 'spec'>,
  events: Iterable<JournalEvent>,
  experiment: Experiment,
  resolveData: ResolveData,
): { readonly others: readonly string[]; readonly isDone: boolean } {
  const others: string[] = []
  const state = new SweepState(trials)
  const confirmer = confirmerOf({ spec }, sweepObjective(spec, experiment), experiment, resolveData)
  for (const event of events) {
    if (!isConfirmedAlike(confirmer, event, state)) others.push(notTheBest)
    state.apply(event)
  }
  return { others, isDone: others.length === 0 && confirmer?.next(state) === undefined }
}

const notTheBest = 'the settings that were run again on fresh seeds are not the best of the sweep'

/** Whether an event by which the plan grew by the best comes out again; tells the confirmer of any event. */
function isConfirmedAlike(confirmer: Confirmer | undefined, event: JournalEvent, state: SweepState): boolean {
  const isOfBest = event.type === 'trials-added' && event.reason === 'confirmation'
  const isAlike = !isOfBest || isConfirmed(confirmer?.next(state, seedsOf(event)), event)
  confirmer?.apply(event)
  return isAlike
}

const isConfirmed = (again: Addition | undefined, was: Addition): boolean =>
  canonicalJson(again?.trials.map(({ id }) => id) ?? []) === canonicalJson(was.trials.map(({ id }) => id))

/** All that a suggestion says but how long it took, and which failures taught, by which it is made again: earlier versions did not say. */
const whatIs = ({ tookMs: _, failed: __, ...rest }: Suggested): string => canonicalJson(rest)

function describe(was: Suggested, now: Suggested | undefined): string {
  const values = ({ values }: Suggested): string =>
    Object.entries(values)
      .map(([name, value]) => `${name}=${writeValue(value)}`)
      .join(' ')
  const other =
    now === undefined ? 'none' : values(now) === values(was) ? `${values(now)} for other reasons` : values(now)
  return `setting ${was.setting} was suggested as ${values(was)}, and comes out as ${other}`
}
