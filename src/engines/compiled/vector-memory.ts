const pageBytes = 65_536
/** What code can address. */
export const maxMemoryBytes = 2 ** 32

/**
 * Memory that code and the runtime both work on. What an ended training gives back serves the next one: each takes 10 GB
 * of address space, which is freed only when it is collected.
 */
export class VectorMemories {
  readonly #free: WebAssembly.Memory[] = []

  /** Memory of at least so many bytes, with anything in it. */
  take(bytes: number): WebAssembly.Memory {
    const pages = Math.ceil(bytes / pageBytes)
    const memory = this.#free.pop() ?? new WebAssembly.Memory({ initial: pages })
    const missing = pages - memory.buffer.byteLength / pageBytes
    if (missing > 0) memory.grow(missing)
    return memory
  }

  giveBack(memory: WebAssembly.Memory): void {
    this.#free.push(memory)
  }
}
