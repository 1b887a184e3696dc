import { rankingOf, type Ranking } from '../core/ranking.js'
import type { Objective } from '../core/trial.js'
import { SweepState, type SweepCounts, type TrialState } from '../sweeps/journal/state.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import { storedVerdicts, type ClaimVerdict } from '../sweeps/verdicts.js'
import { lockHolder } from '../system/lock.js'
import { objectiveOf } from './objective.js'

/** Where a sweep stands, by its own folder. */
export interface SweepStanding {
  readonly counts: SweepCounts
  /** The process of this host that runs it. */
  readonly runningPid: number | undefined
  /** Points by their means, with what they are ranked by; `undefined` when the sweep's experiment is not there any more. */
  readonly ranked: { readonly ranking: Ranking; readonly objective: Objective } | undefined
  /** Trials that run, or ended otherwise than as finished or stopped. */
  readonly notable: readonly TrialState[]
  readonly verdicts: readonly ClaimVerdict[]
}

/** Reads where a sweep stands; it may be running. */
export async function standingOf(sweep: SweepFolder): Promise<SweepStanding> {
  const runningPid = lockHolder(sweep.lockFile)
  const state = new SweepState(sweep.frozen.trials)
  for (const { event } of sweep.entries()) state.apply(event)
  if (runningPid === undefined) state.forgetRunning()
  const trials = [...state.trials.values()]
  const objective = await objectiveOf(sweep).catch(() => undefined)
  return {
    counts: state.counts(),
    runningPid,
    ranked: objective === undefined ? undefined : { ranking: rankingOf(trials, objective), objective },
    notable: trials.filter(({ state: standing }) => !['planned', 'finished', 'stopped'].includes(standing)),
    verdicts: await storedVerdicts(sweep),
  }
}
