import { systemClock, type Clock } from '../core/clock.js'
import type { ProcessUsage } from '../core/trial.js'
import type { ProcessTree } from './process-tree.js'

/** From the beginning to the first look; each pause after it is twice as long, up to the longest, which is MLflow's own. */
const firstLookMs = 250
const longestPauseMs = 10_000
/** On a host with many processes a look takes longer, and comes more rarely: at most so much of a core goes into it. */
const maxShare = 1 / 200

/**
 * Looks now and then at what some processes take, from now on until it is told to stop.
 * @returns what stops it, and gives what was seen up to the last look: nothing where that never came, or the host does not tell.
 */
export function watchUsage(
  tree: Pick<ProcessTree, 'usage'>,
  clock: Clock = systemClock,
): () => ProcessUsage | undefined {
  const beganMs = clock.monotonic()
  let seen: ProcessUsage | undefined
  let pauseMs = firstLookMs
  let cancel = clock.after(pauseMs, look)
  function look(): void {
    const lookedMs = clock.monotonic()
    const found = tree.usage()
    if (found !== undefined) {
      const peakBytes = Math.max(found.peakBytes, seen?.peakBytes ?? 0)
      seen = { peakBytes, cpuShare: found.cpuMs / (lookedMs - beganMs) }
    }
    pauseMs = Math.min(longestPauseMs, 2 * pauseMs)
    cancel = clock.after(Math.max(pauseMs, (clock.monotonic() - lookedMs) / maxShare), look)
  }
  return () => {
    cancel()
    return seen
  }
}
