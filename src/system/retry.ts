import type { Clock } from '../core/clock.js'

const never = new AbortController().signal

/** Resolves after `durationMs`, or at once when the signal aborts; it never rejects. */
export function wait(clock: Clock, durationMs: number, signal: AbortSignal = never): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const wake = (): void => {
      cancel()
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const cancel = clock.after(durationMs, wake)
    signal.addEventListener('abort', wake, { once: true })
  })
}

export interface RetryOptions {
  readonly clock: Clock
  /** Ends the tries: the last failure is thrown. Default: nothing ends them. */
  readonly signal?: AbortSignal
  /** Whether the failure may go away by itself; any other is thrown at once. */
  readonly mayPass: (error: unknown) => boolean
  /** Cuts the pause short that is under way when it aborts, and no later one. Default: nothing does. */
  readonly wake?: AbortSignal
  /** Milliseconds between a failure and the next try; `failures` counts those so far, from 1. */
  readonly pauseMs: (failures: number, error: unknown) => number
  /** Failures after which the last is thrown, however it may pass. Default: no limit. */
  readonly maxFailures?: number
  /** Told of each failure that is tried again. Default: nobody. */
  readonly say?: (error: Error) => void
}

/** Repeats `act` until it succeeds. @throws what `act` threw last, when it may not pass or there is no time left. */
export async function retry<T>(act: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, signal = never, wake, mayPass, pauseMs, maxFailures = Infinity, say } = options
  for (let failures = 1; ; failures++) {
    try {
      return await act()
    } catch (error) {
      if (failures >= maxFailures || signal.aborted || !mayPass(error)) throw error
      say?.(error as Error)
      await wait(
        clock,
        pauseMs(failures, error),
        wake === undefined || wake.aborted ? signal : AbortSignal.any([signal, wake]),
      )
      if (signal.aborted) throw error
    }
  }
}
