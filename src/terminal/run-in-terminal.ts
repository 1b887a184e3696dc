import { systemClock } from '../core/clock.js'
import { exitCodes } from '../core/errors.js'
import { printableColours } from '../core/printable.js'
import { run } from '../app/run.js'
import type { RunChoices } from '../app/running/choices.js'
import type { SweepToRun } from '../app/running/parts.js'
import type { SweepSummary } from '../app/summary.js'
import { describeSeeds, varyingAxes } from '../sweeps/plan.js'
import { isComplete } from '../sweeps/journal/state.js'
import { openProgress, type ProgressView } from './progress.js'
import { listenForInterruption } from './signals.js'
import type { Watched } from './standing.js'

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
    reword,
  }: {
    /** Standard error when standard output is for a JSON object. */
    readonly output: NodeJS.WriteStream
    readonly reword: Watched['reword']
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
  const interruption = listenForInterruption(say)
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
      },
      drain: interruption.drain,
      abort: interruption.abort,
    })
    const isDone = isComplete(summary) || summary.detached === true
    return { summary, exitCode: interruption.exitCode() ?? (isDone ? exitCodes.ok : exitCodes.incomplete) }
  } finally {
    interruption.release()
    closeView()
  }
}
