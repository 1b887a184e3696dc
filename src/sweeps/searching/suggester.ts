import { formatCount } from '../../core/format.js'
import type { Explained, Observation } from '../../search/sampler.js'
import type { SearchPoint } from '../../search/space.js'
import type { Learning } from '../spec/learning.js'
import type { SearchCourse, Suggestion, SuggestionRequest } from './course.js'
import type { SearchSpace } from './search-space.js'
import type { PlanSetting } from './setting.js'

/** A sampler, wherever it computes: what `PointSampler` promises holds of it. */
export interface PointSource {
  observe(observations: readonly Observation[]): void
  suggest(index: number, pending: readonly SearchPoint[]): Promise<Explained | undefined> | Explained | undefined
}

/** Why there is no further setting, as a sentence. */
export interface Exhausted {
  readonly exhausted: string
  /** There are points that were not looked at. */
  readonly mayHaveMore?: true
}

/** Points that `where` or `exclude` leave out, or that are a setting which was tried: so many in a row end the search. */
export const maxRejected = 1000

export interface SuggesterOptions {
  readonly space: SearchSpace
  readonly learning: Learning
  readonly planSetting: PlanSetting
  readonly source: PointSource
  /** Points that earlier sweeps tried. Default 0. */
  readonly learnt?: number
}

/**
 * The setting that a request asks for. It depends on the observations told so far and on the request alone; a point that
 * is left out, or adds no trial to what `course` knows, counts as pending while another is sought.
 */
export async function suggest(
  { setting, observations, pending, ended, told, failed }: SuggestionRequest,
  course: Pick<SearchCourse, 'knows'>,
  { space, learning, planSetting, source, learnt = 0 }: SuggesterOptions,
): Promise<Suggestion | Exhausted> {
  source.observe(observations)
  const rejected: SearchPoint[] = []
  while (rejected.length < maxRejected) {
    const enqueued = rejected.length === 0 ? learning.enqueue[setting] : undefined
    const explained =
      enqueued === undefined
        ? await source.suggest(setting, [...pending, ...rejected])
        : { point: space.pointOf(enqueued), rule: 'enqueued', modelSize: 0 }
    if (explained === undefined) {
      const before = learnt === 0 ? '' : `, ${learnt} of them in earlier sweeps`
      return { exhausted: `all ${formatCount(setting + learnt, 'point')} of the space tried${before}` }
    }
    const { point, ...why } = explained
    const values = space.valuesOf(point)
    const planned = planSetting(values)?.trials ?? []
    const trials = planned.filter(({ id }) => !course.knows(id))
    if (trials.length > 0)
      return {
        suggested: {
          setting,
          values,
          trials: planned.map(({ id }) => id),
          ...why,
          ...(ended === undefined ? {} : { ended }),
          ...(told === undefined ? {} : { told }),
          ...(failed === undefined ? {} : { failed }),
        },
        trials,
      }
    rejected.push(point)
  }
  return {
    exhausted: `${formatCount(setting, 'point')} tried, and of ${maxRejected} more none was new within where and exclude`,
    mayHaveMore: true,
  }
}
