import { createLogUpdate } from 'log-update'
import colors from 'picocolors'
import { describeDivergence } from '../divergence.js'
import { formatDuration, formatNumber } from '../format.js'
import { lookUp } from '../names.js'
import { printableColours } from '../printable.js'
import { isResult } from '../sweeps/state.js'
import type { Outcome, TrialEvent } from '../trial.js'
import { Best, describeFailure, describePoint, describeRunning, Pace, type Watched } from './standing.js'

/** Shows a sweep while it runs. */
export interface ProgressView {
  onEvent(event: TrialEvent): void
  /** A line that stays: a warning, a failure, what Ctrl-C did. */
  say(message: string): void
  close(): void
}

export interface ProgressOptions extends Watched {
  /** Left out where it is not known: by whoever looks on. */
  readonly workers?: number | undefined
  readonly output: NodeJS.WriteStream
}

/** The live view on a terminal, plain lines elsewhere. */
export function openProgress(options: ProgressOptions): ProgressView {
  return options.output.isTTY ? new LiveView(options) : openPlainProgress(options)
}

/** A line for each trial that ends. */
export function openPlainProgress(options: ProgressOptions): ProgressView {
  return new PlainView(options)
}

const onWorkers = ({ workers }: ProgressOptions): string =>
  workers === undefined ? '' : `, ${workers} worker${workers === 1 ? '' : 's'}`

const barWidth = 24
const frameMs = 100
const shownTrials = 8

class LiveView implements ProgressView {
  readonly #log: ReturnType<typeof createLogUpdate>
  readonly #pace: Pace
  #best: Best
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
    // Results that are taken over come without events, and are told of.
    this.#best = new Best(this.options)
    this.#log.clear()
    this.options.output.write(`${printableColours(message)}\n`)
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
    const { info, state } = this.options
    const counts = state.counts()
    const ended = counts.planned - counts.missing - counts.running
    const filled = Math.round((barWidth * ended) / Math.max(1, counts.planned))
    const running = [...state.trials.values()].filter((trial) => trial.state === 'running')
    const failed = counts.failed + counts.dead
    const perSecond = ended / Math.max(0.001, this.#pace.elapsedMs() / 1000)
    this.#log(
      [
        `${colors.bold(info.sweep)}  ${counts.planned} trials${onWorkers(this.options)}`,
        `${colors.green('█'.repeat(filled))}${colors.dim('░'.repeat(barWidth - filled))} ${ended}/${counts.planned}` +
          `${failed === 0 ? '' : colors.red(`  ${failed} failed`)}${counts.diverged === 0 ? '' : colors.yellow(`  ${counts.diverged} diverged`)}  ${formatDuration(this.#pace.elapsedMs())} gone, ${formatDuration(this.#pace.leftMs())} left  ${formatNumber(perSecond)}/s`,
        this.#best.toString(),
        ...running
          .slice(0, shownTrials)
          .map((trial) => `  ${colors.dim(trial.trial.id.slice(0, 8))} ${describeRunning(trial, this.options)}`),
        ...(running.length > shownTrials ? [colors.dim(`  and ${running.length - shownTrials} more`)] : []),
      ].join('\n'),
    )
  }
}

function describeResult(outcome: Outcome, metric: string): string {
  if (outcome.state === 'diverged') return `  diverged: ${describeDivergence(outcome)}`
  const value = isResult(outcome) ? lookUp(outcome.metrics, metric) : undefined
  return value === undefined ? '' : `  ${metric} ${formatNumber(value)}`
}

/** More lines than this help nobody; above it only every hundredth part is told. */
const linesAtMost = 200

class PlainView implements ProgressView {
  readonly #pace: Pace
  #told = -1

  constructor(private readonly options: ProgressOptions) {
    this.#pace = new Pace(options)
    const counts = options.state.counts()
    this.say(
      `${options.info.sweep}: ${counts.planned} trials, ${counts.finished} already finished${onWorkers(options)}`,
    )
  }

  onEvent(event: TrialEvent): void {
    if (event.type === 'lost') return this.say(`lost: ${event.trial} attempt ${event.attempt}: ${event.reason}`)
    if (event.type !== 'ended') return
    const trial = this.options.state.trials.get(event.trial)!
    const failure = describeFailure(event, this.options)
    if (failure !== undefined) this.say(failure)
    const counts = this.options.state.counts()
    const ended = counts.planned - counts.missing - counts.running
    const part = counts.planned <= linesAtMost ? ended : Math.floor((100 * ended) / counts.planned)
    if (part === this.#told) return
    this.#told = part
    const leftMs = this.#pace.leftMs()
    const left = ended < counts.planned && Number.isFinite(leftMs) ? `  (${formatDuration(leftMs)} left)` : ''
    this.say(
      `${ended}/${counts.planned}  ${event.trial} ${describePoint(trial.trial.params, trial.trial.seeds, this.options)}${describeResult(event.outcome, this.options.info.objective.metric)}${left}`,
    )
  }

  say(message: string): void {
    this.options.output.write(`${printableColours(message)}\n`)
  }

  close(): void {
    this.say(new Best(this.options).toString())
  }
}
