import type { Standing } from '../core/ranking.js'
import type { ClaimVerdict } from '../sweeps/verdicts.js'
import type { SweepCounts } from '../sweeps/journal/state.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'

export interface SweepSummary extends Pick<
  SweepCounts,
  | 'planned'
  | 'finished'
  | 'unique'
  | 'failed'
  | 'missing'
  | 'stopped'
  | 'diverged'
  | 'dead'
  | 'skipped'
  | 'skippedForGood'
  | 'cancelled'
> {
  readonly sweep: string
  readonly experiment: string
  readonly profile: string
  /** The best point, by the mean over its seeds, and how many others are exactly as good. */
  readonly best?: { readonly standing: Standing; readonly tied: number }
  /** What the best point came to on fresh seeds, where it was run again on those: the sweep's own value is biased. */
  readonly confirmed?: Standing
  /** The same of several objectives: the front among what was run again. */
  readonly confirmedFront?: readonly Standing[]
  /** Of several objectives, the points that no other beats in all of them. */
  readonly front?: readonly Standing[]
  /** How far it has come to decide its claims, when seeds are added for that. */
  readonly decision?: string
  /** Why it ended before its plan did. */
  readonly cutShort?: string
  /** It ended since its first trials all failed alike, as a resume would again. */
  readonly failedAlike?: true
  /** What lets the rest run, where a resume would end alike. */
  readonly advice?: string
  /** Every trial that is planned has ended, and the search would have gone on. */
  readonly mayGoOn?: true
  /** The rest was left to remote workers. */
  readonly detached?: true
  readonly durationMs: number
  /** The most memory the process held at any time, all its threads included. */
  readonly peakMemoryMb: number
  readonly verdicts: readonly ClaimVerdict[]
  readonly figures: readonly string[]
  /** The sweep's runs in MLflow, when it was tracked. */
  readonly link?: string
  /** The run that carries its note and figures. */
  readonly storyLink?: string
  /** Its trials in MLflow side by side. */
  readonly compareLink?: string
}

/** Which sweep it is, and how its trials stand. */
export function summarise(sweep: SweepFolder, counts: SweepCounts) {
  const { planned, finished, unique, failed, missing, stopped, diverged, dead, skipped, skippedForGood, cancelled } =
    counts
  return {
    sweep: sweep.id,
    experiment: sweep.plan.experiment,
    profile: sweep.plan.profile,
    planned,
    finished,
    unique,
    failed,
    // A trial that was running when its process died has no result: it is missing like any other.
    missing: missing + counts.running,
    stopped,
    diverged,
    dead,
    skipped,
    skippedForGood,
    cancelled,
  }
}
