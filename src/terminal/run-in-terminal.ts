import { systemClock } from '../core/clock.js'
import { exitCodes } from '../core/errors.js'
import { printableColours } from '../core/printable.js'
import { run } from '../app/run.js'
import type { RunChoices } from '../app/running/choices.js'
import type { SweepToRun } from '../app/running/parts.js'
import type { SweepSummary } from '../app/summary.js'
import { describeSeeds, varyingAxes } from '../sweeps/plan.js'
import { isComplete } from '../sweeps/journal/state.js'
import { openProgress, type ProgressView } from './live/progress.js'
import { listenForInterruption } from './signals.js'
import type { Watched } from './live/standing.js'

/** A sweep that ran, and what its command exits with. */
export interface RanInTerminal {
  readonly summary: SweepSummary
  readonly exitCode: number
}

/** Runs what a sweep lacks before a person's eyes: progress goes to `output`, Ctrl-C drains, twice aborts. */
export async function runInTerminal(
  sweep: SweepToRun,
  choices: RunChoices,
  {
    output,
    graceMs,
    reword,
    answering,
  }: {
    /** Between SIGTERM and the end of what still runs. */
    readonly graceMs: number
    /** Standard error when standard output is for a JSON object. */
    readonly output: NodeJS.WriteStream
    readonly reword: Watched['reword']
    /** Told whether signals are answered here from now on. */
    readonly answering?: ((is: boolean) => void) | undefined
  },
): Promise<RanInTerminal> {
  const { where } = choices
  let view: ProgressView | undefined
  const say = (message: string): void =>
    view === undefined ? void output.write(`${printableColours(reword(message))}\n`) : view.say(reword(message))
  const closeView = (): void => {
    view?.close()
    view = undefined
  }
  const interruption = listenForInterruption({ graceMs, nextIs: 'mlds resume', clock: systemClock, say })
  answering?.(true)
  try {
    const summary = await run(sweep, choices, {
      say,
      opened: (info, state) => {
        view = openProgress({
          ...{ info, state, output, describeSeeds, reword },
          workers: 'threads' in where && !('nats' in where) ? where.threads : undefined,
          clock: systemClock,
          axes: varyingAxes(info.trials),
        })
      },
      onEvent: (event) => view?.onEvent(event),
      ended: () => {
        // Drawing is not worth a drain: from here on Ctrl-C ends the process as it does any other.
        interruption.release()
        closeView()
        answering?.(false)
      },
      drain: interruption.drain,
      leave: interruption.leave,
      abort: interruption.abort,
    })
    const isDone = (isComplete(summary) && summary.mayGoOn !== true) || summary.detached === true
    return { summary, exitCode: interruption.exitCode() ?? (isDone ? exitCodes.ok : exitCodes.incomplete) }
  } finally {
    interruption.release()
    closeView()
  }
}
