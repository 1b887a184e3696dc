import { emitKeypressEvents } from 'node:readline'
import type { ReadStream } from 'node:tty'
import { systemClock } from '../../core/clock.js'
import { logarithmicAxes } from '../../core/searched-axes.js'
import type { Store } from '../../system/store.js'
import { followJournal } from '../../sweeps/journal/follow.js'
import type { JournalEvent } from '../../sweeps/journal/journal.js'
import { lockHolder } from '../../system/lock.js'
import { describeSeeds, varyingAxes } from '../../sweeps/plan.js'
import { SweepState } from '../../sweeps/journal/state.js'
import { SweepFolder } from '../../sweeps/sweep-folder.js'
import type { Objective } from '../../core/trial.js'
import { openPlainProgress, type ProgressView } from './progress.js'
import { Pace } from '../../app/pace.js'
import { Best, describeFailure, type Watched } from './standing.js'
import { canRedraw } from '../terminal.js'
import { drawFrame, openScreen } from './watch-view.js'

export interface WatchOptions {
  readonly objective: Objective
  /** What the preview shows, over which axis. */
  readonly metric: string
  readonly axis: string | undefined
  readonly output: NodeJS.WriteStream
  /** Keys are read from it when it is a terminal. */
  readonly input: ReadStream
  readonly reword: Watched['reword']
}

export interface WatchedSweep {
  readonly sweep: SweepFolder
  readonly state: SweepState
  /** A process still runs it: the person had seen enough. */
  readonly goesOn: boolean
}

/** Follows a sweep until no process runs it any more, or the person has seen enough. */
export async function watchSweep(store: Store, id: string, options: WatchOptions): Promise<WatchedSweep> {
  const enough = new AbortController()
  const stop = (): void => enough.abort()
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    for (;;) {
      const sweep = await SweepFolder.open(store, id)
      const state = await follow(sweep, options, enough)
      // A trial that is not in the plan: the sweep was extended since, so all is read again under the plan of now.
      if (state === 'grown') continue
      const goesOn = lockHolder(sweep.lockFile) !== undefined
      if (!goesOn) state.forgetRunning()
      return { sweep, state, goesOn }
    }
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}

async function follow(
  sweep: SweepFolder,
  options: WatchOptions,
  enough: AbortController,
): Promise<SweepState | 'grown'> {
  const state = new SweepState(sweep.frozen.trials)
  const watched: Watched = {
    info: { sweep: sweep.id, objective: options.objective },
    state,
    clock: systemClock,
    axes: varyingAxes(sweep.plan.trials),
    logarithmic: logarithmicAxes(
      sweep.plan.spec.search,
      sweep.plan.trials.map(({ stage }) => ({ name: stage })),
    ),
    describeSeeds,
    reword: options.reword,
  }
  let view: WatchView | undefined
  const batches = followJournal(sweep.journalFile, {
    clock: systemClock,
    signal: enough.signal,
    isOver: () => lockHolder(sweep.lockFile) === undefined,
  })
  const known = new Known(watched)
  try {
    for await (const events of batches) {
      for (const event of events) {
        if ('trial' in event && !state.trials.has(event.trial)) return 'grown'
        known.take(event)
        view?.take(event)
      }
      // What lies behind is taken in silently; the view begins with how it stands.
      view ??= canRedraw(options.output)
        ? new ScreenView(known, sweep, options, () => enough.abort())
        : new LinesView(watched, options.output)
      view.draw()
    }
  } finally {
    view?.close()
  }
  return state
}

/** What is known of a sweep so far, event by event. */
class Known {
  pace: Pace
  readonly best: Best
  readonly failures: string[] = []
  #resting = true

  constructor(readonly watched: Watched) {
    this.pace = new Pace(watched)
    this.best = new Best(watched)
  }

  take(event: JournalEvent): void {
    const { state } = this.watched
    if (event.type === 'opened' || event.type === 'closed') {
      state.forgetRunning()
      this.#resting = true
    }
    // Measured from the first trial of this run, so that neither rests nor results taken over count.
    if (event.type === 'started' && this.#resting) {
      this.pace = new Pace(this.watched, event.atMs)
      this.#resting = false
    }
    const trial = state.apply(event)
    if (event.type !== 'ended') return
    this.best.consider(trial)
    const failure = describeFailure(event, this.watched)
    if (failure !== undefined) this.failures.push(failure)
  }
}

interface WatchView {
  take(event: JournalEvent): void
  draw(): void
  close(): void
}

class LinesView implements WatchView {
  readonly #lines: ProgressView

  constructor(watched: Watched, output: NodeJS.WriteStream) {
    this.#lines = openPlainProgress({ ...watched, output })
  }

  take(event: JournalEvent): void {
    if (event.type === 'started' || event.type === 'report' || event.type === 'ended' || event.type === 'lost')
      this.#lines.onEvent(event)
  }
  draw(): void {}
  close(): void {
    this.#lines.close()
  }
}

class ScreenView implements WatchView {
  readonly #screen: ReturnType<typeof openScreen>
  readonly #redraw = (): void => this.draw()
  readonly #onKey: (letter: string | undefined, key: { name?: string; ctrl?: boolean }) => void
  #axis: string | undefined

  constructor(
    private readonly known: Known,
    private readonly sweep: SweepFolder,
    private readonly options: WatchOptions,
    stop: () => void,
  ) {
    this.#axis = options.axis
    this.#screen = openScreen(options.output)
    options.output.on('resize', this.#redraw)
    this.#onKey = (_, { name, ctrl }) => {
      if (name === 'q' || name === 'escape' || (ctrl === true && name === 'c')) return stop()
      if (name === 'left' || name === 'right') this.#turn(name === 'right' ? 1 : -1)
    }
    if (!options.input.isTTY) return
    emitKeypressEvents(options.input)
    options.input.setRawMode(true)
    options.input.on('keypress', this.#onKey)
    options.input.resume()
  }

  #turn(by: number): void {
    const { axes } = this.known.watched
    if (axes.length === 0) return
    this.#axis = axes[(axes.indexOf(this.#axis ?? '') + by + axes.length) % axes.length]
    this.draw()
  }

  take(): void {}

  draw(): void {
    const { watched, pace, best, failures } = this.known
    const pid = lockHolder(this.sweep.lockFile)
    const turning = watched.axes.length > 1 ? ', ← → another axis' : ''
    const frame = {
      watched,
      pace,
      best,
      failures,
      axis: this.#axis,
      metric: this.options.metric,
      standing: pid === undefined ? 'no process runs it' : `run by process ${pid}`,
      keys: this.options.input.isTTY ? `q stops watching${turning}` : '',
    }
    this.#screen.show(drawFrame(frame, this.#screen.size()))
  }

  close(): void {
    const { input, output } = this.options
    output.off('resize', this.#redraw)
    if (input.isTTY) {
      input.off('keypress', this.#onKey)
      input.setRawMode(false)
      input.pause()
    }
    this.#screen.close()
    output.write(`${String(this.known.best)}\n`)
  }
}
