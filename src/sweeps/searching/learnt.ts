import { formatCount } from '../../core/format.js'
import type { Observation } from '../../search/sampler.js'
import type { SearchedValues, SearchSpace } from './search-space.js'

/** What a setting of an earlier sweep came to: plain data, frozen in the plan of the search that learns from it. */
export interface LearntSetting {
  readonly values: SearchedValues
  /** Of each objective; absent of a setting that diverged or failed. */
  readonly results?: readonly number[]
  /** How far it is beyond each constraint; `null` where it lacks the metric. */
  readonly violations?: readonly (number | null)[]
  readonly stoppedAtStep?: number
  readonly ignored?: boolean
}

/** Why a setting of an earlier sweep teaches nothing, as the end of a sentence. */
const reasonsLeftOut = {
  open: 'have not ended',
  outside: 'lie outside the ranges, where or exclude',
  differing: 'differ in what is not searched',
  repeated: 'are known from a sweep named before',
} as const
export type ReasonLeftOut = keyof typeof reasonsLeftOut

/** What a search learns from one earlier sweep, as that stood when the search was planned. */
export interface Learnt {
  readonly from: string
  readonly settings: readonly LearntSetting[]
  readonly leftOut: Readonly<Partial<Record<ReasonLeftOut, number>>>
}

/** What a sampler is told before anything else; the settings of the search count from 0, so these come before. */
export function learntObservations(space: SearchSpace, learnt: readonly Learnt[]): Observation[] {
  const all = learnt.flatMap(({ settings }) => settings)
  return all.map(({ values, results, violations, ...rest }, i) => ({
    index: i - all.length,
    point: space.pointOf(values),
    ...rest,
    ...(results === undefined ? {} : { values: results }),
    ...(violations === undefined ? {} : { violations: violations.map((one) => one ?? NaN) }),
  }))
}

/** An observation as a plan keeps it. */
export function toLearnt(
  values: SearchedValues,
  { values: results, violations, stoppedAtStep, ignored }: Omit<Observation, 'index' | 'point'>,
): LearntSetting {
  return {
    values,
    ...(results === undefined ? {} : { results }),
    ...(violations === undefined ? {} : { violations: violations.map((one) => (Number.isFinite(one) ? one : null)) }),
    ...(stoppedAtStep === undefined ? {} : { stoppedAtStep }),
    ...(ignored === undefined ? {} : { ignored }),
  }
}

/** `36 settings of sweep a; of its others 3 have not ended`. */
export function describeLearnt({ from, settings, leftOut }: Learnt): string {
  const others = Object.entries(leftOut).map(([why, count]) => `${count} ${reasonsLeftOut[why as ReasonLeftOut]}`)
  const told = others.length === 0 ? '' : ` (left out: ${others.join(', ')})`
  return `${formatCount(settings.length, 'setting')} of sweep ${from}${told}`
}
