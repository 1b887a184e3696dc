import { isOfArray } from '../../fleet/slurm.js'
import { readFleet } from '../../fleet/state.js'
import { withTenant } from '../backends/tenant.js'
import type { FleetSurroundings } from './surroundings.js'

/** Tells the workers of a fleet to end with what runs. @returns who said so, and who did not within 10 s. */
export async function drainFleet(
  name: string,
  { folder, clock }: FleetSurroundings,
): Promise<{ told: string[]; silent: string[] }> {
  const { nats, tenant, hosts, slurm } = readFleet(folder, name)
  const { listWorkers } = await import('../../worker/remote/orchestrator/fleet.js')
  const { drainWorkers } = await import('../../worker/remote/admin/drain.js')
  return withTenant({ nats, tenant }, async (broker) => {
    const present = (await listWorkers(broker.workers)).map(({ worker }) => worker)
    const mine = present.filter(
      (worker) => hosts.some((member) => member.worker === worker) || (slurm !== undefined && isOfArray(name, worker)),
    )
    const silent = await drainWorkers(broker, mine, clock)
    return { told: mine.filter((worker) => !silent.includes(worker)), silent }
  })
}
