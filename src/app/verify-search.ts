import { openData } from '../data/catalog.js'
import { experimentOf } from '../experiments/registry.js'
import { formatCount } from '../core/format.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import type { Store } from '../system/store.js'
import { sameOrOthers } from './same-or-others.js'

/** What comes out when everything is suggested again that a search has suggested. */
export interface SearchVerification {
  /** Settings that were suggested. */
  readonly settings: number
  /** What of them comes out otherwise, a sentence each; `undefined` where they can't be made again here. */
  readonly others?: readonly string[]
  /** Every setting was suggested as it comes out again, and there is no further one. */
  readonly isDone: boolean
  /** The same for a person. */
  readonly lines: readonly string[]
}

/** What comes out when the best settings of a sweep are chosen again, which were run on fresh seeds. */
export type ConfirmationVerification = Pick<SearchVerification, 'others' | 'isDone' | 'lines'>

/** Chooses again what confirms a sweep; `undefined` of one that is not confirmed, and of a search that learns, which is verified as a whole. */
export async function verifyConfirmation(
  store: Store,
  sweep: SweepFolder,
): Promise<ConfirmationVerification | undefined> {
  const { frozen } = sweep
  const { confirm, search } = frozen.spec
  if (confirm === undefined || search?.learning !== undefined) return undefined
  const { recomputeConfirmation } = await import('../sweeps/searching/recompute.js')
  const data = openData(store)
  try {
    const experiment = await experimentOf(sweep)
    const resolve = (name: string): string => data.resolve(name).fingerprint
    const { others, isDone } = recomputeConfirmation(frozen, sweep.events(), experiment, resolve)
    const same = others.length > 0 ? 'not the best' : isDone ? 'the best, chosen anew as they were' : 'not yet run'
    return { others, isDone, lines: [`on ${formatCount(confirm.seeds, 'fresh seed')}: ${same}`, ...others] }
  } catch (error) {
    const line = `on fresh seeds: the best can't be chosen again here: ${(error as Error).message}`
    return { isDone: false, lines: [line] }
  }
}

/** Suggests again all that a search that learns has suggested; `undefined` of any other sweep. */
export async function verifySearch(store: Store, sweep: SweepFolder): Promise<SearchVerification | undefined> {
  const { frozen } = sweep
  const { spec } = frozen
  if (spec.search?.learning === undefined) return undefined
  const { count } = spec.search
  const { recompute } = await import('../sweeps/searching/recompute.js')
  const data = openData(store)
  try {
    const experiment = await experimentOf(sweep)
    const resolve = (name: string): string => data.resolve(name).fingerprint
    const { settings, others, next } = await recompute(frozen, sweep.events(), experiment, spec, resolve, frozen)
    const isDone = others.length === 0 && next === 'none'
    const of = settings === count ? '' : ` of ${count}`
    const same = sameOrOthers(others, 'each suggested anew as it was')
    return { settings, others, isDone, lines: [`search: ${formatCount(settings, 'setting')}${of}, ${same}`, ...others] }
  } catch (error) {
    const { suggested = [] } = frozen
    const line = `search: its suggestions can't be made again here: ${(error as Error).message}`
    return { settings: suggested.length, isDone: false, lines: [line] }
  }
}
