import { createLogUpdate } from 'log-update'
import { describeDivergence } from '../../core/divergence.js'
import { formatCount, formatNumber } from '../../core/format.js'
import { lookUp } from '../../core/names.js'
import { printableColours } from '../../core/printable.js'
import { isResult } from '../../sweeps/journal/state.js'
import type { Outcome, SweepEvent } from '../../core/trial.js'
import { drawRunning, drawShare } from './frame.js'
import { Pace } from '../../app/pace.js'
import { Best, describeFailure, describePoint, type Watched } from './standing.js'
import { canRedraw, colours, fitLine } from '../terminal.js'

/** Shows a sweep while it runs. */
export interface ProgressView {
  onEvent(event: SweepEvent): void
  /** A line that stays: a warning, a failure, what Ctrl-C did. */
  say(message: string): void
  close(): void
}

export interface ProgressOptions extends Watched {
  /** Left out where it is not known: by whoever looks on. */
  readonly workers?: number | undefined
  readonly output: NodeJS.WriteStream
}

/** The live view on a terminal that can show it, plain lines elsewhere. */
export function openProgress(options: ProgressOptions): ProgressView {
  return canRedraw(options.output) ? new LiveView(options) : openPlainProgress(options)
}

/** A line for each trial that ends. */
export function openPlainProgress(options: ProgressOptions): ProgressView {
  return new PlainView(options)
}

const onWorkers = ({ workers }: ProgressOptions): string =>
  workers === undefined ? '' : `, ${formatCount(workers, 'worker')}`

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

  onEvent(event: SweepEvent): void {
    if (event.type === 'ended') {
      this.#best.consider(this.options.state.trials.get(event.trial))
      const failure = describeFailure(event, this.options)
      if (failure !== undefined) this.say(colours.red(failure))
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
    this.#cancelFrame?.()
    this.#log(this.#frame(false))
    this.#closed = true
    this.#log.done()
    // What stays is read and copied: a number that was cut short would be another number.
    this.options.output.write(`${String(this.#best)}\n`)
  }

  /** At most ten frames a second, and one more after the last event. */
  #schedule(): void {
    this.#cancelFrame ??= this.options.clock.after(frameMs, () => {
      this.#cancelFrame = undefined
      this.#draw()
    })
  }

  #draw(): void {
    if (!this.#closed) this.#log(this.#frame(true))
  }

  #frame(withBest: boolean): string {
    const { info, state, output } = this.options
    const columns = output.columns || 80
    return [
      colours.bold(
        fitLine(`${info.sweep}  ${formatCount(state.trials.size, 'trial')}${onWorkers(this.options)}`, columns),
      ),
      drawShare(this.options, this.#pace, columns),
      ...(withBest ? [fitLine(String(this.#best), columns)] : []),
      ...drawRunning(this.options, shownTrials, columns),
    ].join('\n')
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
      `${options.info.sweep}: ${formatCount(counts.planned, 'trial')}, ${counts.unique} already finished${onWorkers(options)}`,
    )
  }

  onEvent(event: SweepEvent): void {
    if (event.type === 'lost') return this.say(`lost: ${event.trial} attempt ${event.attempt}: ${event.reason}`)
    if (event.type !== 'ended') return
    const trial = this.options.state.trials.get(event.trial)!
    const failure = describeFailure(event, this.options)
    if (failure !== undefined) this.say(failure)
    const { ended, trials } = this.options.state
    const planned = trials.size
    const part = planned <= linesAtMost ? ended : Math.floor((100 * ended) / planned)
    if (part === this.#told) return
    this.#told = part
    const left = this.#pace.describeLeft()
    this.say(
      `${ended}/${planned}  ${event.trial} ${describePoint(trial.trial.params, trial.trial.seeds, this.options)}${describeResult(event.outcome, this.options.info.objective.metric)}${left === undefined ? '' : `  (${left})`}`,
    )
  }

  say(message: string): void {
    this.options.output.write(`${printableColours(message)}\n`)
  }

  close(): void {
    this.say(new Best(this.options).toString())
  }
}
