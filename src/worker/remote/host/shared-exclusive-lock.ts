/**
 * Lets trials run side by side, or one of them alone. Whoever wants to be alone keeps newcomers out until those inside
 * have left, so that it need not wait for ever.
 */
export class SharedExclusiveLock {
  #inside = 0
  /** One is alone inside, or several wait to be. */
  #alone = 0
  #occupied = false
  #changed: (() => void)[] = []

  /** Whether someone is alone, or waits to be: nobody else should come. */
  get closed(): boolean {
    return this.#alone > 0
  }

  /** Resolves when it is not closed. */
  async opened(): Promise<void> {
    while (this.closed) await this.#change()
  }

  /** @returns what to call when leaving. */
  async enter(alone: boolean): Promise<() => void> {
    if (alone) {
      this.#alone++
      while (this.#inside > 0 || this.#occupied) await this.#change()
      this.#occupied = true
    } else {
      await this.opened()
      this.#inside++
    }
    return () => {
      if (alone) {
        this.#alone--
        this.#occupied = false
      } else this.#inside--
      for (const wake of this.#changed.splice(0)) wake()
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve))
  }
}
