/** Time as an argument: the sweep loop, leases and figures never read the wall clock themselves. */
export interface Clock {
  /** Unix time in milliseconds, an integer. */
  now(): number
  /** Milliseconds since some moment: for how long something takes or waits. Unlike `now` it never jumps. */
  monotonic(): number
  /** Calls back once after `delayMs`; the returned function cancels. */
  after(delayMs: number, callback: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}

/** A clock that moves only when told to; timers fire in order of their time, ties in order of setting. */
export class SimulatedClock implements Clock {
  #now: number
  #sequence = 0
  #timers: { atMs: number; sequence: number; callback: () => void }[] = []

  constructor(startMs = 0) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#now + Math.max(0, delayMs), sequence: this.#sequence++, callback }
    // Binary insertion keeps the list sorted: a simulated sweep of 100,000 trials sets as many timers.
    let low = 0
    let high = this.#timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#timers[middle]!.atMs <= timer.atMs) low = middle + 1
      else high = middle
    }
    this.#timers.splice(low, 0, timer)
    return () => {
      const at = this.#timers.indexOf(timer)
      if (at >= 0) this.#timers.splice(at, 1)
    }
  }

  /** Jumps to the next timer and fires it; false when none is set. */
  advanceToNext(): boolean {
    const timer = this.#timers.shift()
    if (timer === undefined) return false
    this.#now = timer.atMs
    timer.callback()
    return true
  }

  /** Moves forward by `durationMs`, firing what falls due on the way. */
  advance(durationMs: number): void {
    const until = this.#now + durationMs
    while (this.#timers[0] !== undefined && this.#timers[0].atMs <= until) this.advanceToNext()
    this.#now = until
  }
}
