import { formatCount } from '../core/format.js'
import { openData } from '../data/catalog.js'
import { experimentOf } from '../experiments/registry.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import type { Store } from '../system/store.js'
import { sameOrOthers } from './same-or-others.js'

/** What comes out when it is decided again whether seeds were to be added. */
export interface SeedsVerification {
  /** Times that seeds were added; `undefined` where it can't be decided again here. */
  readonly additions?: number
  /** What of them comes out otherwise, a sentence each; `undefined` where it can't be decided again here. */
  readonly others?: readonly string[]
  /** Every addition comes out as it was, and there is no further one. */
  readonly isDone: boolean
  /** The same for a person. */
  readonly lines: readonly string[]
}

/** Decides again every addition of a sweep that adds seeds until its claims are decided; `undefined` of any other sweep. */
export async function verifySeeds(store: Store, sweep: SweepFolder): Promise<SeedsVerification | undefined> {
  const { frozen } = sweep
  if (frozen.spec.untilDecided === undefined) return undefined
  const { recomputeSeeds } = await import('../sweeps/recompute-seeds.js')
  const data = openData(store)
  try {
    const experiment = await experimentOf(sweep)
    const resolve = (name: string): string => data.resolve(name).fingerprint
    const { additions, others, isDone } = await recomputeSeeds(frozen, sweep.events(), experiment, resolve)
    const same = sameOrOthers(others, 'each decided anew as it was')
    const open = isDone ? '' : ' (more are to be added, or trials are missing)'
    const line = `seeds: added ${formatCount(additions, 'time')}, ${same}${open}`
    return { additions, others, isDone: isDone && others.length === 0, lines: [line, ...others] }
  } catch (error) {
    const line = `seeds: what added them can't be decided again here: ${(error as Error).message}`
    return { isDone: false, lines: [line] }
  }
}
