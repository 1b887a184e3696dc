import { hostname, userInfo } from 'node:os'
import { systemClock } from '../core/clock.js'
import { MldsError } from '../core/errors.js'
import { meansAbsent, resolveSweepId, SweepFolder } from '../sweeps/sweep-folder.js'
import type { Store } from '../system/store.js'
import { targetOf, type NatsFlags, type NatsTarget } from './backends/nats-target.js'
import { findSweepOn, withTenant } from './backends/tenant.js'

/** Pauses or cancels a sweep, whoever runs it. @returns who does, and how many trials were taken back. */
export async function haltSweep(
  target: NatsTarget,
  sweep: string,
  wanted: 'pause' | 'cancel',
): Promise<{ orchestrator: string | undefined; recalled: number }> {
  const { controlSweep, recallQueued } = await import('../worker/remote/wire/sweep-control.js')
  const { readTokens } = await import('../worker/remote/wire/sweep-registry.js')
  const { leaseHolder } = await import('../worker/remote/orchestrator/lease.js')
  const { sweepToken } = await import('../worker/remote/wire/names.js')
  return withTenant(target, async (broker) => {
    const orchestrator = await leaseHolder(broker.leases, sweep)
    await controlSweep(broker, sweep, { wanted, by: requester(), atMs: systemClock.now() })
    // Nobody else would: what waits must not begin.
    const recalled = await recallQueued(broker, await readTokens(broker, sweep), { sweep: sweepToken(sweep) })
    return { orchestrator, recalled: recalled.length }
  })
}

/** Lets a paused sweep go on where it is being run. @returns who runs it; `undefined` when nobody does, or it was not paused. */
export async function unpause(target: NatsTarget, sweep: string): Promise<string | undefined> {
  const { controlSweep, readControl } = await import('../worker/remote/wire/sweep-control.js')
  const { leaseHolder } = await import('../worker/remote/orchestrator/lease.js')
  const { sweepToken } = await import('../worker/remote/wire/names.js')
  return withTenant(target, async (broker) => {
    const orchestrator = await leaseHolder(broker.leases, sweep)
    if (orchestrator === undefined || (await readControl(broker, sweepToken(sweep)))?.wanted !== 'pause')
      return undefined
    await controlSweep(broker, sweep, { wanted: 'run', by: requester(), atMs: systemClock.now() })
    return orchestrator
  })
}

function requester(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return hostname()
  }
}

/** @throws MldsError for a sweep that never ran on NATS. */
function requireTarget(flags: NatsFlags, sweep: SweepFolder | undefined, wanted: string): NatsTarget {
  const target = targetOf(flags, sweep)
  if (target !== undefined) return target
  throw new MldsError('USAGE', `sweep ${wanted} did not run on NATS`, {
    hint: 'name its server with --nats URL; a sweep on threads is stopped with Ctrl-C',
  })
}

/** The sweep a person means, here or on the server, and the server. @throws UnknownNameError, MldsError */
export async function findSweepAndServer(
  store: Store,
  wanted: string,
  flags: NatsFlags,
): Promise<{ target: NatsTarget; sweep: string; folder: SweepFolder | undefined }> {
  const folder = await resolveSweepId(store, wanted).then(
    (id) => SweepFolder.open(store, id),
    (error: unknown) => {
      if (flags.nats === undefined || !meansAbsent(error)) throw error
      return undefined
    },
  )
  const target = requireTarget(flags, folder, wanted)
  const sweep = folder?.id ?? (await withTenant(target, async (broker) => (await findSweepOn(broker, wanted)).sweep))
  return { target, sweep, folder }
}
