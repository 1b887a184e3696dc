import { systemClock } from '../../core/clock.js'
import { formatCount } from '../../core/format.js'
import type { TrialId } from '../../core/trial.js'
import type { Journal, JournalEvent } from '../../sweeps/journal/journal.js'
import type { SweepState } from '../../sweeps/journal/state.js'
import { findEarlierResults } from '../../sweeps/reuse.js'
import type { StoredSweep } from '../stored-sweep.js'

/** Writes down what other sweeps found for the very same trials, instead of running those again. */
export async function takeOver(
  { store, sweep }: StoredSweep,
  wanted: ReadonlySet<TrialId>,
  state: SweepState,
  journal: Journal,
  say: (message: string) => void,
): Promise<void> {
  const earlier = await findEarlierResults(store, sweep, wanted)
  for (const [trial, { from, events }] of earlier) {
    const taken: JournalEvent = { type: 'reused', trial, from, atMs: systemClock.now() }
    for (const event of [taken, ...events]) {
      journal.append(event)
      state.apply(event)
    }
  }
  const sources = [...new Set([...earlier.values()].map(({ from }) => from))]
  if (earlier.size > 0)
    say(
      `${earlier.size} of ${formatCount(wanted.size, 'trial')} ${earlier.size === 1 ? 'has its result' : 'have results'} already, in ${sources.join(', ')}: taken over`,
    )
}
