/** Where an interactive attempt waits after each report until the scheduler lets it go on. One listener, however many reports. */
export class Gate {
  #waiting: { resolve(): void; reject(reason: Error): void } | undefined

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener('abort', () => this.#waiting?.reject(signal.reason as Error), { once: true })
  }

  /** Resolves at the next `open`; rejects with the signal's reason once that is aborted. */
  wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      if (this.signal.aborted) reject(this.signal.reason as Error)
    })
  }

  /** Lets the attempt that waits go on. */
  open(): void {
    this.#waiting?.resolve()
  }
}
