/** Events from many producers to one consumer, in order; ends after `end`, and rejects after `fail`. */
export class EventQueue<T> implements AsyncIterable<T> {
  #items: T[] = []
  #head = 0
  #ended = false
  #failure: Error | undefined
  #wake: (() => void) | undefined

  push(item: T): void {
    if (this.#ended) return
    this.#items.push(item)
    this.#wake?.()
  }

  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  /** The end that no one asked for: the consumer gets what came before it, then this error. */
  fail(error: Error): void {
    if (!this.#ended) this.#failure = error
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      while (this.#head < this.#items.length) {
        const item = this.#items[this.#head++]!
        // Taken items are let go in one sweep once all are taken: a shift per item would cost more the longer the queue.
        if (this.#head === this.#items.length) {
          this.#items = []
          this.#head = 0
        }
        yield item
      }
      if (this.#failure !== undefined) throw this.#failure
      if (this.#ended) return
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = undefined
    }
  }
}
