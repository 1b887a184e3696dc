import type { Clock } from '../../core/clock.js'
import { openData } from '../../data/catalog.js'
import { sweepObjective } from '../../core/objective.js'
import type { JournalEvent } from '../../sweeps/journal/journal.js'
import type { ConfirmedGrowth } from '../../sweeps/searching/confirmation.js'
import type { SearchGrowth } from '../../sweeps/searching/search-growth.js'
import type { SuggestionKeeper } from '../../worker/backend.js'
import type { StoredSweep } from '../stored-sweep.js'

/**
 * What a search that learns goes on from: where it stands by `events`, and its sampler on a thread of its own, which
 * `closing` ends; of a sweep that is confirmed, what runs its best settings again. `undefined` of any other sweep.
 * @param keeper keeps what is suggested for hosts without the journal, and may know of more than that. Default: nobody does.
 */
export async function openSearch(
  { store, sweep, experiment }: StoredSweep,
  events: readonly JournalEvent[],
  clock: Clock,
  say: (message: string) => void,
  closing: { push(close: () => Promise<void>): unknown },
  keeper?: SuggestionKeeper,
): Promise<SearchGrowth | ConfirmedGrowth | undefined> {
  const { trials, suggested = [], spec } = sweep.frozen
  const data = openData(store)
  const resolve = (name: string): string => data.resolve(name).fingerprint
  if (spec.confirm === undefined && spec.search?.learning === undefined) return undefined
  const { confirmerOf, ConfirmedGrowth } = await import('../../sweeps/searching/confirmation.js')
  const confirmer = confirmerOf(sweep.frozen, sweepObjective(spec, experiment), experiment, resolve)
  for (const event of events) confirmer?.apply(event)
  if (spec.search?.learning === undefined)
    return confirmer === undefined ? undefined : new ConfirmedGrowth(undefined, confirmer)
  const { courseOf, samplerDataOf, searchParts } = await import('../../sweeps/searching/plan-search.js')
  const { replayCourse } = await import('../../sweeps/searching/replay.js')
  const { SamplerThread } = await import('../../sweeps/searching/sampler-thread.js')
  const { reconcile } = await import('../../sweeps/searching/kept.js')
  const { SearchGrowth } = await import('../../sweeps/searching/search-growth.js')
  const parts = searchParts(experiment, spec, resolve, sweep.frozen)
  const course = courseOf(parts, { trials, suggested })
  const { told, suggested: before } = replayCourse(course, events)
  const source = new SamplerThread(samplerDataOf(parts))
  closing.push(() => source.close())
  source.observe([...parts.learnt, ...told])
  const { space, planSetting, search } = parts
  const options = { space, planSetting, learning: search.learning, source, learnt: parts.learnt.length }
  const kept = keeper && { keeper, ahead: await reconcile(keeper, suggested.length, before) }
  const growth = new SearchGrowth(course, options, clock, say, kept)
  return confirmer === undefined ? growth : new ConfirmedGrowth(growth, confirmer)
}
