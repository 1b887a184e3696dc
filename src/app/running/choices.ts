import type { EngineName, SweepEvent } from '../../core/trial.js'
import type { SweepState } from '../../sweeps/journal/state.js'
import { defaultLimits, type SweepLimits } from '../../sweeps/run-sweep.js'
import type { SweepInfo } from '../../tracking/tracker.js'
import { defaultCheckpointEveryMs } from '../../worker/checkpoints/trial-checkpoint.js'
import type { Where } from '../backends/open-backend.js'
import { rerunnable, type Rerun } from './left-to-run.js'

/** How to run a sweep, as a person chooses it. */
export interface RunChoices {
  readonly where: Where
  /** What trains the nets. Default `compiled`. */
  readonly engine?: EngineName
  /** Default: `defaultLimits`. */
  readonly limits?: Partial<SweepLimits>
  /** Which trials without a result to run. Default: all of them. */
  readonly only?: readonly Rerun[]
  /** Run every trial again: earlier results of this sweep are void, and no other sweep's are taken over. Default false. */
  readonly fresh?: boolean
  /** Start what can be started and leave it to the workers. Default false. */
  readonly detach?: boolean
  /** After so much time of running, that of earlier processes included, no trial is begun. Default: what it was given last. */
  readonly budgetMs?: number | undefined
  /** So many second attempts at stragglers at most, at the sweep's end; under no rule and in no search. Default 0. */
  readonly copies?: number
  /** At most so often a trial that runs in this process keeps a checkpoint. Default: a minute. */
  readonly checkpointEveryMs?: number
  /** An MLflow server to show the sweep in, while it runs and afterwards. Default: none. */
  readonly track?: Tracking | undefined
  /** The file that the sweep was asked for by, if it was one. */
  readonly sweepFile?: string | undefined
}

export interface Tracking {
  readonly url: string
  /** Bring checkpoints there too. Default false. */
  readonly checkpoints?: boolean
  /** Let programs of trials log there themselves, each to its trial's run. Default false. */
  readonly programs?: boolean
}

/** The choices, with what was left open decided. */
export type DecidedChoices = ReturnType<typeof decide>

export function decide({
  where,
  engine = 'compiled',
  limits,
  only = rerunnable,
  track,
  sweepFile,
  budgetMs,
  ...rest
}: RunChoices) {
  const { fresh = false, detach = false, copies = 0, checkpointEveryMs = defaultCheckpointEveryMs } = rest
  const decided = {
    where,
    engine,
    limits: { ...defaultLimits, ...limits },
    only: new Set(only),
    track,
    budgetMs,
    sweepFile,
  }
  return { ...decided, fresh, detach, copies, checkpointEveryMs }
}

/** Who watches a sweep run, and may end it early. */
export interface RunObserver {
  /** A sentence for a person: a warning, something that was decided. */
  say(message: string): void
  /** Once, when the journal has been read and nothing has been started yet; the state is kept up to date from here on. */
  opened?(info: SweepInfo, state: SweepState): void
  /** After each event was written down. */
  onEvent?(event: SweepEvent): void
  /** Nothing runs any more; figures come next. Not called when the run fails before. */
  ended?(): void
  /** Start nothing more, let what runs end. Default: never. */
  readonly drain?: AbortSignal
  /** What runs keeps a checkpoint where it can, and ends there. Default: never. */
  readonly leave?: AbortSignal
  /** Give up what runs; a resume runs it again. Default: never. */
  readonly abort?: AbortSignal
}
