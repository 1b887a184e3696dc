import type { TrialId } from '../../../core/trial.js'
import type { AttemptMessage } from '../wire/protocol.js'
import type { SweepLink } from './sweep-link.js'

/** So often a trial is begun anew without a word. */
const maxHandedBack = 3

/** Says, once a sweep, that a trial outlasts its workers: each has to leave before it ends, and the next begins it anew. */
export class Outlasted {
  readonly #handedBack = new Map<TrialId, number>()
  #isSaid = false

  constructor(private readonly link: Pick<SweepLink, 'warn'>) {}

  /** The end of an attempt that has no outcome. */
  hear(trial: TrialId, { standing, reason = '' }: Pick<AttemptMessage, 'standing' | 'reason'>): void {
    const isInVain =
      standing === 'handed back' && reason.endsWith('told to go') && !reason.includes('kept a checkpoint')
    if (this.#isSaid || !isInVain) return
    const count = (this.#handedBack.get(trial) ?? 0) + 1
    this.#handedBack.set(trial, count)
    if (count < maxHandedBack) return
    this.#isSaid = true
    this.link.warn(
      `trial ${trial} was handed back ${count} times by workers that had to leave before it ended; where it keeps no checkpoints each attempt begins anew. Give workers a longer --time-limit, or let its code keep checkpoints (docs/trial-life-cycle.md)`,
    )
  }
}
