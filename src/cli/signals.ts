import { exitCodes } from '../errors.js'

export interface Interruption {
  /** Aborts at the first Ctrl-C (or SIGTERM): start nothing more. */
  readonly drain: AbortSignal
  /** Aborts at the second: give up what runs. */
  readonly abort: AbortSignal
  /** What the process should exit with; `undefined` when it was not interrupted. */
  exitCode(): number | undefined
  /** Puts the signal handlers back as they were. */
  release(): void
}

/** Turns SIGINT and SIGTERM into two steps, each said aloud through `say`. */
export function listenForInterruption(say: (message: string) => void): Interruption {
  const drain = new AbortController()
  const abort = new AbortController()
  let exitCode: number | undefined
  const onSignal = (signal: NodeJS.Signals): void => {
    exitCode ??= signal === 'SIGTERM' ? exitCodes.terminated : exitCodes.interrupted
    if (!drain.signal.aborted) {
      say('Letting the running trials finish; nothing new starts. Once more (Ctrl-C) to stop at once.')
      drain.abort()
    } else if (!abort.signal.aborted) {
      say('Stopping at once. What ran is not lost: mlds resume runs it again.')
      abort.abort()
    }
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    drain: drain.signal,
    abort: abort.signal,
    exitCode: () => exitCode,
    release() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
