import { formatCount, formatNumber } from '../../core/format.js'
import { withoutUnsaid } from '../../core/without-unsaid.js'
import type { Observation } from '../../search/sampler.js'
import type { JournalEvent } from '../journal/journal.js'
import type { Plan } from '../plan.js'
import type { SearchCourse, Suggested } from './course.js'

/** The setting that an event says the plan grew by; `undefined` of any other event. */
export function suggestedBy(event: JournalEvent): Suggested | undefined {
  if (event.type !== 'trials-added' || event.reason !== 'suggestion') return undefined
  return event.because as unknown as Suggested
}

/** Every setting that a search has suggested, in order, those of void results left out. */
export function suggestionsOf(
  { suggested = [] }: Pick<Plan, 'suggested'>,
  events: Iterable<JournalEvent>,
): Suggested[] {
  let all = [...suggested]
  for (const event of events) {
    if (event.type === 'voided') all = [...suggested]
    const one = suggestedBy(event)
    if (one !== undefined) all.push(one)
  }
  return all
}

/** Why a setting was suggested, in a line: `setting 13, suggested by tpe from 9 results, criterion 1.2, in 3 ms`. */
export function describeSuggestion({ setting, rule, modelSize, criterion, fallback, tookMs }: Suggested): string {
  const parts = [
    `setting ${setting}, ${rule === 'enqueued' ? 'enqueued' : `suggested by ${rule}`}`,
    ...(modelSize === 0 ? [] : [`from a model of ${formatCount(modelSize, 'result')}`]),
    ...(criterion === undefined ? [] : [`criterion ${formatNumber(criterion)}`]),
    ...(fallback === undefined ? [] : [`since ${fallback}`]),
    ...(tookMs === undefined ? [] : [`in ${tookMs} ms`]),
  ]
  return parts.join(', ')
}

/** What a journal says of a search since its results were last declared void. */
export interface Replayed {
  /** What the sampler has been told by then. */
  readonly told: readonly Observation[]
  /** What was suggested, each with what the sampler was told for it, also where the journal says only how much that was. */
  readonly suggested: readonly Suggested[]
}

/** Tells a course what the journal says. */
export function replayCourse(course: SearchCourse, events: Iterable<JournalEvent>): Replayed {
  let told: Observation[] = []
  let all: Suggested[] = []
  for (const event of events) {
    const suggested = suggestedBy(event)
    if (suggested !== undefined) {
      const { observations, ended, failed } = course.requestFor(suggested)
      for (const one of observations) told.push(one)
      const places = ended === undefined ? undefined : observations.map(({ index }) => index)
      all.push({ ...suggested, ...withoutUnsaid({ told: places, failed }) })
    }
    if (course.apply(event)) {
      told = []
      all = []
    }
  }
  return { told, suggested: all }
}
