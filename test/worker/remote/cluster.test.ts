import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { writeAccess } from '../../../src/worker/remote/admin/access.js'
import { connectNats } from '../../../src/worker/remote/wire/connect.js'
import { startNatsServer, type NatsServer } from '../../../src/worker/remote/admin/nats-server.js'
import { namesOf } from '../../../src/worker/remote/wire/names.js'
import { openBroker, subjectsOf, type OrchestratorBroker } from '../../../src/worker/remote/wire/streams.js'
import { toyAssignment } from '../../conformance/backend.js'
import { hasNats } from '../../helpers/nats.js'
import { leaseMs, recorded, withLabOrchestrator, withLabWorker } from '../../helpers/remote-lab.js'
import { freePort } from '../../helpers/services.js'

const tenant = 'three'

interface Cluster {
  /** By name. */
  readonly servers: Map<string, NatsServer>
  /** The environment of one who has this role's key. */
  readonly env: (role: 'orchestrator' | 'worker') => NodeJS.ProcessEnv
}

/** Three servers on this host that keep three copies of everything, with the accounts that `nats init` writes. */
async function withCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-cluster-'))
  const access = { folder: join(folder, 'access'), tenant, host: '127.0.0.1', port: 4222, url: 'nats://lab:4222' }
  const { contexts } = writeAccess(access)
  const names = ['a', 'b', 'c']
  const ports = await Promise.all(names.map(() => freePort()))
  const routes = ports.map((port) => `nats-route://127.0.0.1:${port}`).join(', ')
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const servers = await Promise.all(
    names.map(async (name, i) => {
      const home = join(folder, name)
      mkdirSync(home)
      const config = join(home, 'server.conf')
      const accounts = 'include "../access/accounts.conf"'
      const cluster = `cluster { name: lab, listen: "127.0.0.1:${ports[i]}", routes: [${routes}] }`
      writeFileSync(
        config,
        `server_name: ${name}\nhost: "127.0.0.1"\njetstream { store_dir: "${home}" }\n${cluster}\n${accounts}\n`,
      )
      const server = await startNatsServer(home, 0, config)
      onTestFinished(() => server.stop('SIGKILL'))
      return [name, server] as const
    }),
  )
  return { servers: new Map(servers), env: (role) => ({ NATS_CONTEXT: contexts[role] }) }
}

describe.skipIf(!hasNats)('a cluster of three servers', () => {
  it('loses one of them in the middle of a sweep, and nothing with it', async () => {
    const { servers, env } = await withCluster()
    // Whoever connects is given all of them, as one address.
    const url = [...servers.values()].map((server) => server.url).join(',')
    const place = (role: 'orchestrator' | 'worker') => ({ url, tenant, env: env(role) })
    const connection = await connectNats(url, 'onlooker', { env: env('orchestrator') })
    onTestFinished(() => connection.close())
    // They first have to find each other, and to choose a leader.
    let broker: OrchestratorBroker | undefined
    const make = async (): Promise<void> => {
      broker = await openBroker(connection, namesOf(tenant), { leaseMs })
    }
    await expect.poll(() => make().then(() => 'made', String), { interval: 200 }).toBe('made')
    const { jsm, names } = broker!
    const { config, cluster } = await jsm.streams.info(names.trials)
    expect(config.num_replicas).toBe(3)

    const worker = await withLabWorker(place('worker'))
    const { backend, listener, said } = await withLabOrchestrator(place('orchestrator'), recorded())
    const assignments = Array.from({ length: 40 }, () => toyAssignment({ steps: 50 }))
    const ids = assignments.map(({ trial }) => trial.id)
    for (const assignment of assignments) await backend.start(assignment)
    await listener.until(({ type }) => type === 'ended')
    // The one that has the queue in hand, so that another must take it over.
    await servers.get(cluster!.leader!)!.stop('SIGKILL')
    const open = new Set(ids)
    const forget = (): void => {
      for (const event of listener.seen) if (event.type === 'ended') open.delete(event.trial)
    }
    for (forget(); open.size > 0; forget()) await listener.until(({ type }) => type === 'ended')
    const ends = listener.seen.filter(({ type }) => type === 'ended')
    expect(ends).toHaveLength(ids.length)
    for (const end of ends) expect(end, said.join('\n')).toMatchObject({ outcome: { state: 'finished' } })
    expect(await subjectsOf(jsm, names.results, names.result({}))).toHaveLength(ids.length)
    expect(worker.said.join()).not.toContain('ended the connection')
  })
})
