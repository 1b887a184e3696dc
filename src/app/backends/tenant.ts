import { StoreError, UnavailableError, UnknownNameError } from '../../core/errors.js'
import { latest } from '../../core/names.js'
import type { SweepMessage } from '../../worker/remote/wire/protocol.js'
import type { OrchestratorBroker } from '../../worker/remote/wire/streams.js'
import type { NatsTarget } from './nats-target.js'

/**
 * Looks at what a tenant has on its server, or changes it; makes no streams.
 * @throws UnavailableError when the server does not answer or nothing of this tenant is there.
 */
export async function withTenant<T>(target: NatsTarget, act: (broker: OrchestratorBroker) => Promise<T>): Promise<T> {
  const { connectNats } = await import('../../worker/remote/wire/connect.js')
  const { findBroker } = await import('../../worker/remote/wire/streams.js')
  const { namesOf } = await import('../../worker/remote/wire/names.js')
  const connection = await connectNats(target.nats, 'mlds')
  try {
    const broker = await findBroker(connection, namesOf(target.tenant))
    if (broker === undefined)
      throw new UnavailableError(`no sweep ever ran on this NATS server for the tenant ${target.tenant}`, {
        hint: 'start a sweep with: mlds sweep params --nats URL, or name another --tenant',
      })
    return await act(broker)
  } finally {
    await connection.close()
  }
}

/** The sweep that the server knows by this id, the beginning of it, or `latest`. @throws UnknownNameError */
export async function findSweepOn(broker: OrchestratorBroker, wanted: string): Promise<SweepMessage> {
  const { listSweeps } = await import('../../worker/remote/wire/sweep-registry.js')
  const known = await listSweeps(broker)
  const exact = wanted === latest ? known[0] : known.find(({ sweep }) => sweep === wanted)
  if (exact !== undefined) return exact
  const fitting = known.filter(({ sweep }) => sweep.startsWith(wanted))
  if (fitting.length > 1)
    throw new StoreError(`several sweeps begin with ${wanted}: ${fitting.map(({ sweep }) => sweep).join(', ')}`, {
      exitCode: 2,
    })
  if (fitting[0] !== undefined) return fitting[0]
  throw new UnknownNameError(
    'sweep on the NATS server',
    wanted,
    known.map(({ sweep }) => sweep),
  )
}
