import type { Clock } from '../../core/clock.js'
import type { NatsTarget } from '../backends/nats-target.js'
import type { WorkerMessage } from '../../worker/remote/wire/protocol.js'

/** Workers as the server hears of them while a fleet comes. */
export interface Arrivals {
  /** Whether the worker of that name has said that it is there, now or until `timeoutMs` are over. */
  joined(worker: string, timeoutMs: number, signal: AbortSignal): Promise<boolean>
  close(): Promise<void>
}

export interface WatchOptions {
  readonly clock: Clock
  /** Of the queue, where it is made now. Default: 30 s. */
  readonly leaseMs: number | undefined
  /** Told where another lease was asked for than the queue has. */
  readonly say: (line: string) => void
}

/**
 * Listens to the tenant's workers; makes what a server must have before a worker can say that it is there.
 * @throws UnavailableError when the server can't be reached.
 */
export async function watchArrivals(
  { nats, tenant }: NatsTarget,
  { clock, leaseMs, say }: WatchOptions,
): Promise<Arrivals> {
  const { connectNats } = await import('../../worker/remote/wire/connect.js')
  const { defaultLeaseMs, openBroker, tellLease } = await import('../../worker/remote/wire/streams.js')
  const { namesOf } = await import('../../worker/remote/wire/names.js')
  const { Fleet } = await import('../../worker/remote/orchestrator/fleet.js')
  const connection = await connectNats(nats, 'mlds')
  try {
    const broker = await openBroker(connection, namesOf(tenant), { leaseMs: leaseMs ?? defaultLeaseMs })
    tellLease(broker, leaseMs, say)
    const listeners = new Set<() => void>()
    const fleet = await Fleet.watch(broker.workers, clock, () => listeners.forEach((listener) => listener()))
    const isThere = (name: string): boolean => fleet.workers().some(({ worker }) => worker === name)
    return {
      joined: (worker, timeoutMs, signal) =>
        new Promise((resolve) => {
          const end = (joined: boolean): void => {
            cancel()
            listeners.delete(look)
            signal.removeEventListener('abort', give)
            resolve(joined)
          }
          const give = (): void => end(false)
          const look = (): void => void (isThere(worker) && end(true))
          const cancel = clock.after(timeoutMs, give)
          listeners.add(look)
          signal.addEventListener('abort', give, { once: true })
          if (signal.aborted) give()
          else look()
        }),
      async close() {
        fleet.close()
        await connection.close()
      },
    }
  } catch (error) {
    await connection.close()
    throw error
  }
}

/** Every worker that the server heard of lately; none where nobody ever was. @throws UnavailableError when it can't be reached. */
export async function presentWorkers({ nats, tenant }: NatsTarget): Promise<WorkerMessage[]> {
  const { connectNats } = await import('../../worker/remote/wire/connect.js')
  const { findBroker } = await import('../../worker/remote/wire/streams.js')
  const { namesOf } = await import('../../worker/remote/wire/names.js')
  const { listWorkers } = await import('../../worker/remote/orchestrator/fleet.js')
  const connection = await connectNats(nats, 'mlds')
  try {
    const broker = await findBroker(connection, namesOf(tenant))
    return broker === undefined ? [] : await listWorkers(broker.workers)
  } finally {
    await connection.close()
  }
}
