import { nameRun, type RunKey } from '../wire/names.js'
import type { SweepLink } from './sweep-link.js'

/** The order is repeated until it is obeyed: it may be lost, or the run may be with nobody yet. */
const repeatMs = 2_000

/** Runs of which the trial has another that counts: whoever has one is told to give it up, until it says that it has. */
export class LeftRuns {
  readonly #cancels = new Map<string, () => void>()
  #onHeard = (): void => {}

  constructor(private readonly link: SweepLink) {}

  leave(run: RunKey): void {
    this.#cancels.get(nameRun(run))?.()
    this.#cancels.delete(nameRun(run))
    if (this.link.isEnding) return
    this.link.order(run, { type: 'give-up' })
    this.#cancels.set(
      nameRun(run),
      this.link.clock.after(repeatMs, () => this.leave(run)),
    )
    void this.#takeBack(run).catch(() => {})
  }

  /** No worker is to begin it any more. */
  async #takeBack(run: RunKey): Promise<void> {
    const { broker, names } = this.link
    await broker.jsm.streams.purge(names.trials, { filter: names.trial({ ...run, sweep: this.link.token }) })
  }

  /** Somebody said of an attempt at it that it has ended. */
  hear(run: RunKey): void {
    this.#cancels.get(nameRun(run))?.()
    this.#cancels.delete(nameRun(run))
    this.#onHeard()
  }

  /** Resolves when all have been given up, or could have been. */
  async close(): Promise<void> {
    if (this.#cancels.size > 0)
      await new Promise<void>((resolve) => {
        const cancel = this.link.clock.after(repeatMs, resolve)
        this.#onHeard = () => {
          if (this.#cancels.size > 0) return
          cancel()
          resolve()
        }
      })
    for (const cancel of this.#cancels.values()) cancel()
    this.#cancels.clear()
  }
}
