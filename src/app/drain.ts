import type { Clock } from '../core/clock.js'
import type { NatsTarget } from './backends/nats-target.js'
import { withTenant } from './backends/tenant.js'

/**
 * Tells workers to take no more trials, to finish what runs, and to end.
 * @param choose of the workers that are there, those that are meant.
 * @returns those that have heard it, and those that had not said so after 10 s.
 */
export async function drainChosen(
  target: NatsTarget,
  choose: (there: readonly string[]) => readonly string[],
  clock: Clock,
): Promise<{ readonly told: readonly string[]; readonly silent: readonly string[] }> {
  const { listWorkers } = await import('../worker/remote/orchestrator/fleet.js')
  const { drainWorkers } = await import('../worker/remote/admin/drain.js')
  return withTenant(target, async (broker) => {
    const wanted = choose((await listWorkers(broker.workers)).map(({ worker }) => worker))
    const silent = await drainWorkers(broker, wanted, clock)
    return { told: wanted.filter((worker) => !silent.includes(worker)), silent }
  })
}
