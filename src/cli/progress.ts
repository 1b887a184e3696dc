import { createLogUpdate } from 'log-update'
import colors from 'picocolors'
import type { Clock } from '../clock.js'
import type { SweepInfo } from '../tracking/tracker.js'
import type { Params, Seeds, TrialEvent } from '../trial.js'
import { isResult, type SweepState, type TrialState } from '../sweeps/state.js'
import { formatDuration, formatNumber } from '../format.js'

/** Shows a sweep while it runs. */
export interface ProgressView {
  onEvent(event: TrialEvent): void
  /** A line that stays: a warning, a failure, what Ctrl-C did. */
  say(message: string): void
  close(): void
}

export interface ProgressOptions {
  readonly info: SweepInfo
  readonly state: SweepState
  readonly workers: number
  readonly clock: Clock
  /** Axes worth showing for a trial. */
  readonly axes: readonly string[]
  readonly describeSeeds: (seeds: Seeds) => string
  readonly logFile: (trial: string, attempt: number) => string
  readonly output: NodeJS.WriteStream
}

/** The live view on a terminal, plain lines elsewhere. */
export function openProgress(options: ProgressOptions): ProgressView {
  return options.output.isTTY ? new LiveView(options) : new PlainView(options)
}

/** What both views know: progress measured in work, not in trials, since the largest come first. */
class Pace {
  readonly #startedAtMs: number
  readonly #costAtStart: number
  readonly #totalCost: number

  constructor(private readonly options: ProgressOptions) {
    this.#startedAtMs = options.clock.now()
    this.#totalCost = this.#sum(() => 1)
    this.#costAtStart = this.#done()
  }

  elapsedMs(): number {
    return this.options.clock.now() - this.#startedAtMs
  }

  /** Infinity until something has been done. */
  leftMs(): number {
    const done = this.#done()
    const since = done - this.#costAtStart
    return since <= 0 ? Infinity : ((this.#totalCost - done) * this.elapsedMs()) / since
  }

  #done(): number {
    return this.#sum((state) => {
      if (state.state === 'planned') return 0
      if (state.state !== 'running') return 1
      const epochs = state.trial.params['epochs']
      return state.step === undefined || typeof epochs !== 'number' ? 0 : Math.min(1, state.step / epochs)
    })
  }

  #sum(share: (state: TrialState) => number): number {
    let sum = 0
    // A trial costs something even when its experiment says nothing of its work.
    for (const state of this.options.state.trials.values()) sum += Math.max(state.trial.cost, 1) * share(state)
    return sum
  }
}

function describePoint(params: Params, seeds: Seeds, options: ProgressOptions): string {
  return [
    ...options.axes.filter((axis) => axis in params).map((axis) => `${axis}=${params[axis]}`),
    `seed=${options.describeSeeds(seeds)}`,
  ].join(' ')
}

function describeFailure(event: Extract<TrialEvent, { type: 'ended' }>, options: ProgressOptions): string | undefined {
  const { outcome } = event
  if (isResult(outcome)) return undefined
  const { trial } = options.state.trials.get(event.trial)!
  const reason = outcome.state === 'failed' ? outcome.error.message : outcome.reason
  const log = outcome.state === 'skipped' ? '' : `\n    log: ${options.logFile(event.trial, event.attempt)}`
  return `${outcome.state}: ${event.trial} ${describePoint(trial.params, trial.seeds, options)}: ${reason}${log}`
}

/** Keeps the best result so far without looking at every trial on every frame. */
class Best {
  #state: TrialState | undefined
  #value = NaN

  constructor(private readonly options: ProgressOptions) {
    for (const state of options.state.trials.values()) this.consider(state)
  }

  consider(state: TrialState | undefined): void {
    const { metric, direction } = this.options.info.objective
    const value = isResult(state?.outcome) ? state.outcome.metrics[metric] : undefined
    if (value === undefined || Number.isNaN(value)) return
    if (this.#state === undefined || (direction === 'minimize' ? value < this.#value : value > this.#value)) {
      this.#state = state
      this.#value = value
    }
  }

  toString(): string {
    if (this.#state === undefined) return 'best so far: none yet'
    const { trial } = this.#state
    return `best ${this.options.info.objective.metric} ${formatNumber(this.#value)} (${describePoint(trial.params, trial.seeds, this.options)})`
  }
}

const barWidth = 24
const frameMs = 100
const shownTrials = 8

class LiveView implements ProgressView {
  readonly #log: ReturnType<typeof createLogUpdate>
  readonly #pace: Pace
  readonly #best: Best
  #cancelFrame: (() => void) | undefined
  #closed = false

  constructor(private readonly options: ProgressOptions) {
    this.#log = createLogUpdate(options.output)
    this.#pace = new Pace(options)
    this.#best = new Best(options)
    this.#draw()
  }

  onEvent(event: TrialEvent): void {
    if (event.type === 'ended') {
      this.#best.consider(this.options.state.trials.get(event.trial))
      const failure = describeFailure(event, this.options)
      if (failure !== undefined) this.say(colors.red(failure))
    }
    this.#schedule()
  }

  say(message: string): void {
    this.#log.clear()
    this.options.output.write(`${message}\n`)
    this.#draw()
  }

  close(): void {
    if (this.#closed) return
    this.#draw()
    this.#closed = true
    this.#cancelFrame?.()
    this.#log.done()
  }

  /** At most ten frames a second, and one more after the last event. */
  #schedule(): void {
    this.#cancelFrame ??= this.options.clock.after(frameMs, () => {
      this.#cancelFrame = undefined
      this.#draw()
    })
  }

  #draw(): void {
    if (this.#closed) return
    const { info, state, workers } = this.options
    const counts = state.counts()
    const ended = counts.planned - counts.missing - counts.running
    const filled = Math.round((barWidth * ended) / Math.max(1, counts.planned))
    const running = [...state.trials.values()].filter((trial) => trial.state === 'running')
    const failed = counts.failed + counts.dead
    const perSecond = ended / Math.max(0.001, this.#pace.elapsedMs() / 1000)
    this.#log(
      [
        `${colors.bold(info.sweep)}  ${counts.planned} trials on ${workers} worker${workers === 1 ? '' : 's'}`,
        `${colors.green('█'.repeat(filled))}${colors.dim('░'.repeat(barWidth - filled))} ${ended}/${counts.planned}` +
          `${failed === 0 ? '' : colors.red(`  ${failed} failed`)}  ${formatDuration(this.#pace.elapsedMs())} gone, ${formatDuration(this.#pace.leftMs())} left  ${formatNumber(perSecond)}/s`,
        this.#best.toString(),
        ...running
          .slice(0, shownTrials)
          .map((trial) => `  ${colors.dim(trial.trial.id.slice(0, 8))} ${this.#describeRunning(trial)}`),
        ...(running.length > shownTrials ? [colors.dim(`  and ${running.length - shownTrials} more`)] : []),
      ].join('\n'),
    )
  }

  #describeRunning({ trial, step, latest }: TrialState): string {
    const epochs = trial.params['epochs']
    const progress = step === undefined ? 'starting' : `${step}${typeof epochs === 'number' ? `/${epochs}` : ''}`
    const metrics = Object.entries(latest ?? {}).slice(0, 2)
    return [
      describePoint(trial.params, trial.seeds, this.options),
      progress,
      ...metrics.map(([name, value]) => `${name} ${formatNumber(value)}`),
    ].join('  ')
  }
}

/** More lines than this help nobody; above it only every hundredth part is told. */
const linesAtMost = 200

class PlainView implements ProgressView {
  readonly #pace: Pace
  readonly #best: Best
  #told = -1

  constructor(private readonly options: ProgressOptions) {
    this.#pace = new Pace(options)
    this.#best = new Best(options)
    const counts = options.state.counts()
    this.say(
      `${options.info.sweep}: ${counts.planned} trials, ${counts.finished} already finished, ${options.workers} workers`,
    )
  }

  onEvent(event: TrialEvent): void {
    if (event.type === 'lost') return this.say(`lost: ${event.trial} attempt ${event.attempt}: ${event.reason}`)
    if (event.type !== 'ended') return
    const trial = this.options.state.trials.get(event.trial)!
    this.#best.consider(trial)
    const failure = describeFailure(event, this.options)
    if (failure !== undefined) this.say(failure)
    const counts = this.options.state.counts()
    const ended = counts.planned - counts.missing - counts.running
    const part = counts.planned <= linesAtMost ? ended : Math.floor((100 * ended) / counts.planned)
    if (part === this.#told) return
    this.#told = part
    const value = isResult(event.outcome) ? event.outcome.metrics[this.options.info.objective.metric] : undefined
    const result = value === undefined ? '' : `  ${this.options.info.objective.metric} ${formatNumber(value)}`
    this.say(
      `${ended}/${counts.planned}  ${event.trial} ${describePoint(trial.trial.params, trial.trial.seeds, this.options)}${result}  (${formatDuration(this.#pace.leftMs())} left)`,
    )
  }

  say(message: string): void {
    this.options.output.write(`${message}\n`)
  }

  close(): void {
    this.say(this.#best.toString())
  }
}
