import type { Clock } from '../../core/clock.js'
import { reasonOf } from '../../core/divergence.js'
import { formatNumber, formatSetting } from '../../core/format.js'
import { lookUp } from '../../core/names.js'
import { printable, printableLine } from '../../core/printable.js'
import { describeBest } from '../../core/describe-best.js'
import { endOf, rankingOf, type Ranking } from '../../core/ranking.js'
import type { SweepInfo } from '../../tracking/tracker.js'
import type { Params, Seeds, TrialEvent } from '../../core/trial.js'
import { isResult, type SweepState, type TrialState } from '../../sweeps/journal/state.js'

/** What every view of a running sweep knows of it. */
export interface Watched {
  readonly info: Pick<SweepInfo, 'sweep' | 'objective'>
  readonly state: SweepState
  readonly clock: Clock
  /** Axes worth showing for a trial. */
  readonly axes: readonly string[]
  /** Those that are searched evenly in their logarithm. Default: as their values suggest. */
  readonly logarithmic?: ReadonlySet<string>
  readonly describeSeeds: (seeds: Seeds) => string
  /** Makes the commands in a message what must be typed here. */
  readonly reword: (text: string) => string
}

/** Keeps the best point so far without looking at every trial on every frame. */
export class Best {
  readonly #ranking: Ranking

  constructor(private readonly watched: Watched) {
    this.#ranking = rankingOf(watched.state.trials.values(), watched.info.objective)
  }

  consider(state: TrialState | undefined): void {
    if (state?.outcome !== undefined) this.#ranking.add(endOf(state.trial, state.outcome))
  }

  /** Whether a trial is of the best point, or of one on the front. */
  has({ trial }: TrialState): boolean {
    const best = this.#ranking.best()?.standing
    return (best === undefined ? this.#ranking.front() : [best]).some(({ trials }) => trials.includes(trial.id))
  }

  toString(): string {
    return describeBest(this.#ranking, this.watched.info.objective, this.watched.axes)
  }
}

export function describePoint(params: Params, seeds: Seeds, { axes, describeSeeds }: Watched): string {
  return [
    ...axes
      .filter((axis) => Object.hasOwn(params, axis))
      .map((axis) => `${axis}=${printableLine(formatSetting(lookUp(params, axis)))}`),
    `seed=${describeSeeds(seeds)}`,
  ].join(' ')
}

/** How a running trial stands: its point, its step, its first metrics. */
export function describeRunning({ trial, step, latest }: TrialState, watched: Watched): string {
  const epochs = trial.params['epochs']
  const progress = step === undefined ? 'starting' : `${step}${typeof epochs === 'number' ? `/${epochs}` : ''}`
  const metrics = Object.entries(latest ?? {}).slice(0, 2)
  return [
    describePoint(trial.params, trial.seeds, watched),
    progress,
    ...metrics.map(([name, value]) => `${name} ${formatNumber(value)}`),
  ].join('  ')
}

/** A sentence with how to read the log, for a trial that ended without a result. */
export function describeFailure(event: Extract<TrialEvent, { type: 'ended' }>, watched: Watched): string | undefined {
  const { outcome } = event
  // A person who cancelled a sweep knows.
  if (isResult(outcome) || outcome.state === 'cancelled') return undefined
  const { trial } = watched.state.trials.get(event.trial)!
  const reason = reasonOf(outcome)
  const log = outcome.state === 'skipped' ? '' : `\n    log: ${watched.reword(`mlds logs ${event.trial}`)}`
  return `${outcome.state}: ${event.trial} ${describePoint(trial.params, trial.seeds, watched)}: ${printable(reason ?? '')}${log}`
}
