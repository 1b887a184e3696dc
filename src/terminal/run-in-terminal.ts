import { systemClock } from '../core/clock.js'
import { exitCodes } from '../core/errors.js'
import { executeSweep, type ExecuteOptions, type SweepSummary } from '../app/run.js'
import { printableColours } from '../core/printable.js'
import { describeSeeds, varyingAxes } from '../sweeps/plan.js'
import { isComplete } from '../sweeps/journal/state.js'
import { openProgress, type ProgressView } from './progress.js'
import { listenForInterruption } from './signals.js'

/**
 * Runs what a sweep lacks before a person's eyes: progress goes to `output`, Ctrl-C drains, twice aborts. Sets the
 * process's exit code.
 */
export async function runInTerminal(
  options: Omit<ExecuteOptions, 'observer' | 'drain' | 'abort'> & {
    /** Standard error when standard output is for a JSON object. */
    readonly output: NodeJS.WriteStream
    /** Makes the commands in a message what must be typed here. */
    readonly reword: (text: string) => string
  },
): Promise<SweepSummary> {
  const { sweep, workers, output, reword } = options
  let view: ProgressView | undefined
  const say = (message: string): void =>
    view === undefined ? void output.write(`${printableColours(reword(message))}\n`) : view.say(reword(message))
  const interruption = listenForInterruption(say)
  try {
    const summary = await executeSweep({
      ...options,
      drain: interruption.drain,
      abort: interruption.abort,
      observer: {
        say,
        opened: (info, state) => {
          view = openProgress({
            info,
            state,
            workers,
            clock: systemClock,
            axes: varyingAxes(sweep.plan.trials),
            describeSeeds,
            output,
          })
        },
        onEvent: (event) => view?.onEvent(event),
        ended: () => {
          // Drawing is not worth a drain: from here on Ctrl-C ends the process as it does any other.
          interruption.release()
          view?.close()
          view = undefined
        },
      },
    })
    process.exitCode =
      interruption.exitCode() ??
      (isComplete(summary) || summary.detached === true ? exitCodes.ok : exitCodes.incomplete)
    return summary
  } finally {
    interruption.release()
  }
}
