import { wait } from '../../../system/retry.js'
import { accountKeyOf } from '../wire/confinement.js'
import { apiPrefixOf, expectRefusals } from '../wire/connect.js'
import { namesOf } from '../wire/names.js'
import { isDenied } from '../wire/nats-errors.js'
import { defaultLeaseMs, joinBroker, openBroker, type Broker } from '../wire/streams.js'
import type { WorkerOptions } from './worker-context.js'

/** The first to come makes the streams, if the server lets it; otherwise it waits for someone who may. */
export async function awaitBroker(options: WorkerOptions): Promise<Broker | undefined> {
  const { connection, tenant, clock, drain, leaseMs, say } = options
  const names = namesOf(tenant)
  for (let waits = 0; !drain.aborted; waits++) {
    const broker = await joinBroker(connection, names)
    if (broker !== undefined) return broker
    expectRefusals(connection, apiPrefixOf(connection))
    try {
      // An account of a worker's own has no right to make anything: it need not be refused first.
      if (accountKeyOf(connection) === undefined)
        return await openBroker(connection, names, { leaseMs: leaseMs ?? defaultLeaseMs })
    } catch (error) {
      if (!isDenied(error)) throw error
    }
    if (waits === 0) say(`waiting for the first sweep of ${tenant}: this worker may not make its streams`)
    await wait(clock, 1_000, drain)
  }
  return undefined
}
