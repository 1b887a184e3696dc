import type { Clock } from '../../../core/clock.js'
import { formatDuration } from '../../../core/format.js'
import type { WorkerOptions } from './worker-context.js'

/** Calls back once nothing has run for a while. */
export class IdleTimeout {
  #cancel = (): void => {}

  /** For a worker that ends then, and says so; `undefined` for one that waits for ever. */
  static watch(
    { idleTimeoutMs, clock, say }: Pick<WorkerOptions, 'idleTimeoutMs' | 'clock' | 'say'>,
    end: () => void,
  ): IdleTimeout | undefined {
    if (idleTimeoutMs === undefined) return undefined
    return new IdleTimeout(clock, idleTimeoutMs, () => {
      say(`no trial has come for ${formatDuration(idleTimeoutMs)}: this worker ends (--idle-timeout)`)
      end()
    })
  }

  private constructor(
    private readonly clock: Clock,
    private readonly idleMs: number,
    private readonly onIdle: () => void,
  ) {
    this.see(0)
  }

  /** So many trials run now. */
  see(running: number): void {
    this.close()
    if (running === 0) this.#cancel = this.clock.after(this.idleMs, this.onIdle)
  }

  close(): void {
    this.#cancel()
    this.#cancel = () => {}
  }
}
