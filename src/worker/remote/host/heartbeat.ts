import type { Clock } from '../../../core/clock.js'
import type { PulledTrial } from './pull.js'

/** Beats at which a worker that stood still looks for another: one that got the trial begins it a little later. */
const looksAfterStandstill = 3

/** Keeps a delivered message this worker's, three times a lease; tells when another worker may have got it meanwhile. */
export class Heartbeat {
  #cancel = (): void => {}
  #looks = 0
  #wallMs: number
  #monotonicMs: number

  /** @param onDoubt the trial may be another worker's now. */
  constructor(
    private readonly message: Pick<PulledTrial, 'working'>,
    private readonly leaseMs: number,
    private readonly clock: Clock,
    private readonly onDoubt: () => void,
  ) {
    this.#wallMs = clock.now()
    this.#monotonicMs = clock.monotonic()
    this.#beatLater()
  }

  #beatLater(): void {
    this.#cancel = this.clock.after(this.leaseMs / 3, () => {
      this.#beatLater()
      this.#beat()
    })
  }

  #beat(): void {
    const [wall, monotonic] = [this.clock.now(), this.clock.monotonic()]
    // While a host is suspended its monotonic clock may stand still; a wall clock that is set back hides a pause.
    const silentMs = Math.max(wall - this.#wallMs, monotonic - this.#monotonicMs)
    ;[this.#wallMs, this.#monotonicMs] = [wall, monotonic]
    // The server counts from when it sent the message or heard of it, which is before this process looked at its clock:
    // whoever waited for a whole lease by its own clock would at times see nothing of one that has run out.
    if (silentMs > (2 / 3) * this.leaseMs) this.#looks = looksAfterStandstill
    if (this.#looks > 0) {
      this.#looks--
      this.onDoubt()
    }
    this.message.working()
  }

  stop(): void {
    this.#cancel()
  }
}
