import { exitCodes } from '../core/errors.js'

export interface Interruption {
  /** Aborts at the first Ctrl-C (or SIGTERM, or when the terminal goes): start nothing more. */
  readonly drain: AbortSignal
  /** Aborts at the second Ctrl-C or SIGTERM: give up what runs. */
  readonly abort: AbortSignal
  /** What the process should exit with; `undefined` when it was not interrupted. */
  exitCode(): number | undefined
  /** Puts the signal handlers back as they were. */
  release(): void
}

const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated, SIGHUP: exitCodes.hungUp }

/**
 * Turns SIGINT and SIGTERM into two steps, each said aloud through `say`. SIGHUP is the first step at most: shell and
 * system both send it when a terminal goes.
 */
export function listenForInterruption(say: (message: string) => void): Interruption {
  const drain = new AbortController()
  const abort = new AbortController()
  const signals = Object.keys(codes) as (keyof typeof codes)[]
  let exitCode: number | undefined
  const onSignal = (signal: keyof typeof codes): void => {
    exitCode ??= codes[signal]
    if (!drain.signal.aborted) {
      say(
        signal === 'SIGHUP'
          ? 'The terminal is gone. Letting the running trials finish; nothing new starts. mlds resume runs the rest.'
          : 'Letting the running trials finish; nothing new starts. Once more (Ctrl-C) to stop at once.',
      )
      drain.abort()
    } else if (!abort.signal.aborted && signal !== 'SIGHUP') {
      say('Stopping at once. What ran is not lost: mlds resume runs it again.')
      abort.abort()
    }
  }
  const listener = onSignal as NodeJS.SignalsListener
  for (const signal of signals) process.on(signal, listener)
  return {
    drain: drain.signal,
    abort: abort.signal,
    exitCode: () => exitCode,
    release() {
      for (const signal of signals) process.off(signal, listener)
    },
  }
}
