import type { Clock } from '../core/clock.js'
import { exitCodes } from '../core/errors.js'

export interface Interruption {
  /** Aborts at the first Ctrl-C (or SIGTERM, or SIGHUP): start nothing more. */
  readonly drain: AbortSignal
  /** Aborts at SIGTERM and SIGHUP: what runs keeps a checkpoint where it can, and ends there. */
  readonly leave: AbortSignal
  /** Aborts at the second Ctrl-C or SIGTERM, and when the grace has passed: give up what runs. */
  readonly abort: AbortSignal
  /** The same steps as at SIGTERM, for another reason: `why` is a sentence's beginning. */
  goAway(why: string): void
  /** What the process should exit with; `undefined` when it was not interrupted. */
  exitCode(): number | undefined
  /** Puts the signal handlers back as they were. */
  release(): void
}

interface InterruptionOptions {
  /** Between SIGTERM or SIGHUP and `abort`: whoever sends these kills after a while. */
  readonly graceMs: number
  /** What runs again what could not end. */
  readonly nextIs: 'mlds resume' | 'another worker'
  readonly clock: Clock
  readonly say: (message: string) => void
}

const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated, SIGHUP: exitCodes.hungUp }
type Signal = keyof typeof codes

/**
 * Turns signals into steps, each said aloud. Ctrl-C lets what runs finish; SIGTERM and SIGHUP let it for a while, and ask for
 * checkpoints. A second Ctrl-C or SIGTERM ends it at once; a second SIGHUP does nothing, since shell and system both send it when a
 * terminal goes. SIGUSR1 stays the programs': NCCL and Node use it themselves.
 */
export function listenForInterruption({ graceMs, nextIs, clock, say }: InterruptionOptions): Interruption {
  const [drain, leave, abort] = [new AbortController(), new AbortController(), new AbortController()]
  const signals = Object.keys(codes) as Signal[]
  let exitCode: number | undefined
  let cancelGrace = (): void => {}
  const grace = `, or keep a checkpoint, for ${graceMs / 1000} s`
  const toldToGo = (what: string): void => {
    if (what === 'SIGINT' || leave.signal.aborted) return
    leave.abort()
    cancelGrace = clock.after(graceMs, () => {
      if (abort.signal.aborted) return
      say(`${graceMs / 1000} s have passed since ${what}: what still runs is given up, and runs again later.`)
      abort.abort()
    })
  }
  const onSignal = (signal: Signal): void => {
    exitCode ??= codes[signal]
    if (!drain.signal.aborted) {
      say(
        signal === 'SIGINT'
          ? 'Letting the running trials finish; nothing new starts. Once more (Ctrl-C) to stop at once.'
          : `${signal === 'SIGHUP' ? 'The terminal is gone. ' : ''}Letting the running trials finish${grace}; nothing new starts. ${nextIs === 'mlds resume' ? `${nextIs} runs the rest.` : `What has not ended then, ${nextIs} runs.`}`,
      )
      drain.abort()
      toldToGo(signal)
    } else if (signal !== 'SIGHUP' && !abort.signal.aborted) {
      say(`Stopping at once. What ran is not lost: ${nextIs} runs it again.`)
      abort.abort()
    } else toldToGo(signal)
  }
  const listener = onSignal as NodeJS.SignalsListener
  for (const signal of signals) process.on(signal, listener)
  return {
    ...{ drain: drain.signal, leave: leave.signal, abort: abort.signal },
    goAway(why) {
      if (!leave.signal.aborted) say(`${why}: letting the running trials finish${grace}; nothing new starts.`)
      drain.abort()
      toldToGo('then')
    },
    exitCode: () => exitCode,
    release() {
      cancelGrace()
      for (const signal of signals) process.off(signal, listener)
    },
  }
}
