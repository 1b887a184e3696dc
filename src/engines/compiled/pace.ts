/** A run is cut into calls of about this length, since an abort is seen only between calls. */
const callMs = 120

/** How many steps fit into one call, learnt from the calls before. */
export class Pace {
  #msPerStep: number | undefined

  next(wanted: number): number {
    const affordable = this.#msPerStep === undefined ? 4 : Math.max(1, Math.floor(callMs / this.#msPerStep))
    return Math.min(wanted, affordable)
  }

  async time<T>(steps: number, call: () => Promise<T>): Promise<T> {
    const start = performance.now()
    const result = await call()
    this.#msPerStep = Math.max(1e-3, (performance.now() - start) / steps)
    return result
  }
}
