import { randomUUID } from 'node:crypto'
import type { KV } from '@nats-io/kv'
import type { Clock } from '../../../core/clock.js'
import { exitCodes, StoreError } from '../../../core/errors.js'
import { describeProcess, mayBeAlive, thisProcess } from '../../../system/process-identity.js'
import { wait } from '../../../system/retry.js'
import { decode, decodeKept, encode, leaseMessage, oldestProtocol, type LeaseMessage } from '../wire/protocol.js'
import { sweepToken } from '../wire/names.js'
import { isTaken } from '../wire/nats-errors.js'
import { patiently, presenceMs } from '../wire/streams.js'

export interface LeaseOptions {
  readonly leases: KV
  readonly sweep: string
  readonly clock: Clock
  /** Another process holds the sweep now: this one must let go of it. */
  readonly onLost: (by: string) => void
  readonly say: (message: string) => void
}

/**
 * The right to queue a sweep's trials and to write its journal, for one process among all hosts: an entry that expires
 * with the bucket's memory (30 s) unless it is renewed by compare-and-set.
 */
export class SweepLease {
  #revision = 0
  #cancel = (): void => {}
  #released = false

  private constructor(
    private readonly options: LeaseOptions,
    private readonly nonce: string,
  ) {}

  /**
   * Takes the lease; that of a process of this host which has ended is taken over at once, another's when it expires.
   * @throws StoreError when its holder is alive, or runs a newer mlds.
   */
  static async take(options: LeaseOptions): Promise<SweepLease> {
    const lease = new SweepLease(options, randomUUID())
    await patiently(() => lease.#take())
    lease.#renewLater()
    return lease
  }

  async #take(): Promise<void> {
    const { leases, sweep, clock, say } = this.options
    const key = sweepToken(sweep)
    let seen: { revision: number; sinceMs: number } | undefined
    for (;;) {
      const entry = await leases.get(key)
      const holder =
        entry?.operation === 'PUT' ? decodeKept(leaseMessage, entry.string(), `the claim to sweep ${sweep}`) : undefined
      try {
        if (entry === null || entry.operation !== 'PUT') {
          this.#revision = await leases.create(key, this.#words())
          return
        }
        // The claim was stored and its answer lost.
        if (holder?.nonce === this.nonce) {
          this.#revision = entry.revision
          return
        }
        if (holder === undefined || isKnownDead(holder)) {
          this.#revision = await leases.update(key, this.#words(), entry.revision)
          return
        }
      } catch (error) {
        if (!isTaken(error)) throw error
        continue
      }
      if (seen === undefined) {
        seen = { revision: entry.revision, sinceMs: clock.monotonic() }
        say(`waiting to see whether ${whoIs(holder)} still runs ${sweep} (at most ${presenceMs / 1000} s)`)
      } else if (seen.revision !== entry.revision || clock.monotonic() - seen.sinceMs > 2 * presenceMs) {
        throw new StoreError(`sweep ${sweep} is being run by another process: ${whoIs(holder)}`, {
          hint: 'wait for it, or stop it there; where it stands: mlds status',
          exitCode: exitCodes.environment,
        })
      }
      await wait(clock, 500)
    }
  }

  #words(): string {
    const { sweep, clock } = this.options
    return encode({
      v: oldestProtocol,
      sweep,
      holder: thisProcess(),
      nonce: this.nonce,
      atMs: clock.now(),
    } satisfies LeaseMessage)
  }

  #renewLater(): void {
    if (this.#released) return
    this.#cancel = this.options.clock.after(presenceMs / 3, () => {
      this.#renew().then(
        () => this.#renewLater(),
        // The server is away: until it is back no one else can take the lease either.
        () => this.#renewLater(),
      )
    })
  }

  async #renew(): Promise<void> {
    const { leases, sweep, onLost } = this.options
    const key = sweepToken(sweep)
    try {
      this.#revision = await leases.update(key, this.#words(), this.#revision)
    } catch (error) {
      if (!isTaken(error)) throw error
      const entry = await leases.get(key)
      const holder = entry?.operation === 'PUT' ? decode(leaseMessage, entry.string()) : undefined
      if (entry !== null && holder?.nonce === this.nonce) this.#revision = entry.revision
      // Expired while this process slept, and nobody wanted it.
      else if (holder === undefined) this.#revision = await leases.create(key, this.#words())
      else if (!this.#released) {
        this.#released = true
        onLost(whoIs(holder))
      }
    }
  }

  async release(): Promise<void> {
    this.#cancel()
    if (this.#released) return
    this.#released = true
    await this.options.leases.delete(sweepToken(this.options.sweep), { previousSeq: this.#revision }).catch(() => {})
  }
}

/** Who holds a sweep, if anyone does. */
export async function leaseHolder(leases: KV, sweep: string): Promise<string | undefined> {
  const entry = await leases.get(sweepToken(sweep))
  const holder =
    entry?.operation === 'PUT' ? decodeKept(leaseMessage, entry.string(), `the claim to sweep ${sweep}`) : undefined
  return holder === undefined || isKnownDead(holder) ? undefined : whoIs(holder)
}

const whoIs = ({ holder }: LeaseMessage): string => describeProcess(holder)

/** Only a process of this very machine can be known to have ended. */
const isKnownDead = ({ holder }: LeaseMessage): boolean => holder.boot === thisProcess().boot && !mayBeAlive(holder)
