import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { createUser } from '@nats-io/nkeys'
import { PermissionViolationError, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { writeAccess } from '../../../../src/worker/remote/admin/access.js'
import { connectNats } from '../../../../src/worker/remote/wire/connect.js'
import { startNatsServer, type NatsServer } from '../../../../src/worker/remote/admin/nats-server.js'
import { findBroker, joinBroker, openBroker } from '../../../../src/worker/remote/wire/streams.js'
import { defaultLane } from '../../../../src/worker/remote/wire/needs.js'
import { namesOf } from '../../../../src/worker/remote/wire/names.js'
import { toyAssignment } from '../../../conformance/backend.js'
import { freePort } from '../../../helpers/services.js'
import { hasNats, withNats } from '../../../helpers/nats.js'
import { recorded, withLabOrchestrator, withLabWorker } from '../../../helpers/remote-lab.js'

const folder = mkdtempSync(join(tmpdir(), 'mlds-access-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const access = join(folder, 'access')
const write = (tenant: string) =>
  writeAccess({ folder: access, tenant, host: '127.0.0.1', port: 4222, url: 'nats://lab:4222' })

describe('the access that nats init writes', () => {
  it('can be read by its owner alone', () => {
    write('modes')
    const entries = readdirSync(access, { recursive: true, encoding: 'utf8' })
    expect(entries.length).toBeGreaterThan(5)
    for (const entry of entries) expect(statSync(join(access, entry)).mode & 0o077).toBe(0)
  })

  it('keeps keys and a changed server.conf, and makes what is missing', () => {
    const { config } = write('again')
    const keyOf = (role: string): string => readFileSync(join(access, 'again', `${role}.nk`), 'utf8')
    const [orchestrator, worker] = [keyOf('orchestrator'), keyOf('worker')]
    writeFileSync(config, `${readFileSync(config, 'utf8')}\n# mine\n`)
    rmSync(join(access, 'again', 'worker.nk'))
    expect(write('again').kept).toBe(true)
    expect(keyOf('orchestrator')).toBe(orchestrator)
    expect(keyOf('worker')).not.toBe(worker)
    expect(readFileSync(config, 'utf8')).toContain('# mine')
    // The server learns of users by public keys only.
    expect(readFileSync(join(access, 'accounts.conf'), 'utf8')).not.toMatch(/\bS[A-Z2-7]{50}/)
  })

  it('gives a named worker a key of its own, until that is deleted', () => {
    const named = { folder: access, tenant: 'named', host: '127.0.0.1', port: 4222, url: 'nats://lab:4222' }
    const { workers } = writeAccess({ ...named, workers: ['gpu-17', 'gpu-18'] })
    expect(workers).toEqual(['gpu-17', 'gpu-18'].map((name) => join(access, 'named', `worker-${name}.json`)))
    const accounts = (): number => readFileSync(join(access, 'accounts.conf'), 'utf8').split('  MLDS_named').length - 1
    expect(accounts()).toBe(1 + 3)
    const key = readFileSync(join(access, 'named', 'worker-gpu-17.nk'), 'utf8')
    expect(writeAccess(named)).toMatchObject({ workers: [], moved: false })
    expect([accounts(), readFileSync(join(access, 'named', 'worker-gpu-17.nk'), 'utf8')]).toEqual([4, key])
    rmSync(join(access, 'named', 'worker-gpu-17.nk'))
    writeAccess(named)
    expect(accounts()).toBe(3)
    // Where all workers shared the orchestrators' account, they have to be told.
    writeFileSync(join(access, 'accounts.conf'), 'accounts { MLDS_named { users: [] } }')
    expect(writeAccess(named).moved).toBe(true)
    rmSync(join(access, 'named'), { recursive: true })
  })

  it('goes on to say how the server is reached, in every context, when it is called again for one more worker', () => {
    const ca = join(access, 'lab-ca.pem')
    writeFileSync(ca, 'the authority')
    const place = { folder: join(access, 'reach'), tenant: 'mlds', host: '0.0.0.0', port: 4222 }
    writeAccess({ ...place, url: 'tls://lab:24222', domain: 'leafy', tls: { cert: 'c', key: 'k', ca } })
    const again = writeAccess({ ...place, workers: ['gpu-18'], defaultUrl: 'nats://localhost:4222' })
    expect(again).toMatchObject({ url: 'tls://lab:24222', hasAuthority: true, kept: true })
    const other = writeAccess({ ...place, tenant: 'other' })
    for (const file of [...again.workers, ...Object.values(again.contexts), ...Object.values(other.contexts)]) {
      const context = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>
      expect(context).toMatchObject({ url: 'tls://lab:24222', ca: 'ca.pem' })
      expect(readFileSync(join(dirname(file), 'ca.pem'), 'utf8')).toBe('the authority')
      expect(context['jetstream_domain']).toBe(file.endsWith('orchestrator.json') ? 'leafy' : undefined)
    }
    const moved = writeAccess({ ...place, url: 'tls://elsewhere:4222' })
    expect(JSON.parse(readFileSync(moved.contexts.worker, 'utf8'))).toMatchObject({ url: 'tls://elsewhere:4222' })
    rmSync(place.folder, { recursive: true })
  })

  it('says which file holds no key', () => {
    write('broken')
    writeFileSync(join(access, 'broken', 'worker.nk'), 'nothing\n')
    expect(() => write('broken')).toThrow(/no nkey is in this file: .*broken\/worker\.nk/)
    rmSync(join(access, 'broken'), { recursive: true })
  })
})

describe.skipIf(!hasNats)('a server with the written configuration', () => {
  let server: NatsServer
  beforeAll(async () => {
    write('lab')
    const { config } = write('other')
    server = await startNatsServer(join(folder, 'nats'), 0, config)
  })
  afterAll(() => server.stop('SIGKILL'))
  const place = (role: 'orchestrator' | 'worker', tenant = 'lab') => ({
    url: server.url,
    tenant,
    env: { NATS_CONTEXT: join(access, tenant, `${role}.json`) },
  })
  const connectAs = async (role: 'orchestrator' | 'worker', tenant = 'lab'): Promise<NatsConnection> => {
    const { url, env } = place(role, tenant)
    const connection = await connectNats(url, `test-${role}`, { env })
    onTestFinished(() => connection.close())
    return connection
  }

  it('lets a worker do all that it does: wait, run, save, load, report, stop', async () => {
    const worker = await withLabWorker(place('worker'))
    const { backend, listener } = await withLabOrchestrator(place('orchestrator'), recorded())
    const saver = toyAssignment({ behaviour: 'save' })
    // More than a message holds: the result goes by the object store.
    const talker = toyAssignment({ steps: 3_000 })
    const endless = toyAssignment({ behaviour: 'wait' }, { interactive: true })
    for (const assignment of [saver, talker]) await backend.start(assignment)
    await listener.untilEnded([saver.trial.id, talker.trial.id])
    const end = listener.of(saver.trial.id).at(-1)
    if (end?.type !== 'ended' || end.outcome.state !== 'finished')
      throw new Error(`it did not finish: ${JSON.stringify(end)}`)
    const parents = [{ trial: saver.trial, metrics: end.outcome.metrics, artifacts: end.outcome.artifacts }]
    const loader = toyAssignment({ behaviour: 'load' }, { parents })
    await backend.start(loader)
    await listener.untilEnded([loader.trial.id])
    await backend.start(endless)
    await listener.until((event) => event.type === 'report' && event.trial === endless.trial.id)
    await backend.stop(endless.trial.id, 'seen enough')
    await listener.untilEnded([endless.trial.id])
    const state = (id: string): unknown => listener.of(id).at(-1)
    expect(state(loader.trial.id)).toMatchObject({ outcome: { state: 'finished', metrics: { sum: 6 } } })
    expect(state(talker.trial.id)).toMatchObject({ outcome: { state: 'finished' } })
    expect(listener.of(talker.trial.id).filter((event) => event.type === 'report')).toHaveLength(3_000)
    expect(state(endless.trial.id)).toMatchObject({ outcome: { state: 'stopped' } })
    // It came before the streams did, and met no refusal.
    expect(worker.said.filter((line) => line.includes('Permissions Violation'))).toEqual([])
  })

  it('says to whoever looks with a worker’s key whose key it takes', async () => {
    const orchestrator = await connectAs('orchestrator')
    await openBroker(orchestrator, namesOf('lab'), { leaseMs: 2_000 })
    await expect(findBroker(await connectAs('worker'), namesOf('lab'))).rejects.toMatchObject({
      message: expect.stringContaining('the NATS server does not allow this') as string,
      hint: expect.stringContaining("an orchestrator's context") as string,
      exitCode: 3,
    })
    expect(await findBroker(orchestrator, namesOf('lab'))).toBeDefined()
  })

  it('refuses a deleted key once it was reloaded, and tells a new one when it counts', async () => {
    const options = { folder: join(folder, 'renewed'), tenant: 'lab', host: '127.0.0.1', port: await freePort() }
    const write = (workers: string[] = []) => writeAccess({ ...options, url: 'nats://lab:4222', workers })
    const { config, contexts } = write(['old', 'stays'])
    const renewed = await startNatsServer(join(folder, 'renewed-nats'), undefined, config)
    onTestFinished(() => renewed.stop('SIGKILL'))
    const comeAs = async (context: string) => {
      const connection = await connectNats(renewed.url, 'test', { env: { NATS_CONTEXT: context } })
      onTestFinished(() => connection.close())
      return joinBroker(connection, namesOf('lab'))
    }
    const orchestrator = await connectNats(renewed.url, 'test', { env: { NATS_CONTEXT: contexts.orchestrator } })
    onTestFinished(() => orchestrator.close())
    await openBroker(orchestrator, namesOf('lab'), { leaseMs: 2_000 })
    const worker = (name: string): string => join(options.folder, 'lab', `worker-${name}.json`)
    cpSync(join(options.folder, 'lab'), join(folder, 'thief'), { recursive: true })
    rmSync(join(options.folder, 'lab', 'worker-old.nk'))
    write(['new'])
    renewed.process.kill('SIGHUP')
    const stolen = join(folder, 'thief', 'worker-old.json')
    await expect.poll(() => comeAs(stolen).then(() => 'joined', String)).toMatch(/authorization/i)
    expect(await comeAs(worker('stays'))).toBeDefined()
    await expect(comeAs(worker('new'))).rejects.toThrow("gives this worker's account nothing")
  })

  it('refuses whoever comes without a key, or with one it does not know', async () => {
    await expect(connectNats(server.url, 'nobody', { env: {} })).rejects.toThrow('no connection to NATS')
    const key = join(folder, 'stranger.nk')
    writeFileSync(key, createUser().getSeed())
    await expect(connectNats(server.url, 'stranger', { env: { NATS_NKEY: key } })).rejects.toThrow(/authorization/i)
  })

  const names = namesOf('lab')
  const run = { sweep: 'a'.repeat(16), trial: 'b'.repeat(16), generation: 0 }
  const others = namesOf('other')
  it.each([
    ['queue a trial', names.trial(run, defaultLane)],
    ['tell others to stop a trial', names.order(run)],
    ['cancel or pause a sweep', `$KV.${names.controls}.${run.sweep}`],
    ['announce a sweep', `$KV.${names.sweeps}.${run.sweep}`],
    ['take a sweep from its orchestrator', `$KV.${names.leases}.${run.sweep}`],
    ['empty the queue', `$JS.API.STREAM.PURGE.${names.trials}`],
    ['throw results away', `$JS.API.STREAM.PURGE.${names.results}`],
    ['remove a result', `$JS.API.STREAM.MSG.DELETE.${names.results}`],
    ['delete the queue', `$JS.API.STREAM.DELETE.${names.trials}`],
    ['change the queue', `$JS.API.STREAM.UPDATE.${names.trials}`],
    ['make a stream of its own', '$JS.API.STREAM.CREATE.MINE'],
    ['read the queue without taking from it', `$JS.API.STREAM.MSG.GET.${names.trials}`],
    ['take trials by another consumer', `$JS.API.CONSUMER.CREATE.${names.trials}`],
    ['take the consumer away from all', `$JS.API.CONSUMER.DELETE.${names.trials}.${names.consumer()}`],
    ['write a result of another tenant', others.result(run)],
    ['read the results of another tenant', `$JS.API.DIRECT.GET.${others.results}`],
    ['take a trial of another tenant', `$JS.API.CONSUMER.MSG.NEXT.${others.trials}.${others.consumer()}`],
  ])('does not let a worker %s', async (_what, subject) => {
    const connection = await connectAs('worker')
    await expect(connection.request(subject, '{}', { timeout: 50_000 })).rejects.toSatisfy(
      (error: Error) => error instanceof PermissionViolationError || error.cause instanceof PermissionViolationError,
    )
  })

  it.each([
    ['listen to everything', '>'],
    ['listen to what others publish', names.event({})],
    ['hear replies to others', '_INBOX.>'],
    ['hear replies to orchestrators', `${inboxOf('orchestrator')}.>`],
    ['listen to another tenant', others.order({})],
  ])('does not let a worker %s', async (_what, subject) => {
    const connection = await connectAs('worker')
    const refused = new Promise((resolve) => {
      connection.subscribe(subject, { callback: (error) => resolve(error) })
    })
    expect(await refused).toBeInstanceOf(PermissionViolationError)
  })

  it('shows an orchestrator nothing of another tenant', async () => {
    const { backend } = await withLabOrchestrator(place('orchestrator', 'other'))
    const mine = await connectAs('orchestrator')
    const heard: string[] = []
    mine.subscribe('mlds.>', { callback: (_error, message) => void heard.push(message.subject) })
    await mine.flush()
    await backend.start(toyAssignment({}))
    const theirs = await connectAs('orchestrator', 'other')
    const streams = async (connection: NatsConnection): Promise<string[]> =>
      (await jetstreamManager(connection)).streams.names().next()
    expect(await streams(theirs)).toContain(others.trials)
    expect((await streams(mine)).filter((name) => name.includes('other'))).toEqual([])
    await mine.flush()
    expect(heard).toEqual([])
  })
})

/** What `nats init` of earlier versions let a worker do, in the account of its orchestrators. */
function earlierPermissions(tenant: string): { publish: string[]; subscribe: string[] } {
  const names = namesOf(tenant)
  const [workers, controls, objects] = [`KV_${names.workers}`, `KV_${names.controls}`, `OBJ_${names.objects}`]
  const read = [names.results, names.attempts, controls, objects]
  const api = (request: string): string => `$JS.API.${request}`
  return {
    publish: [
      api(`CONSUMER.INFO.${names.trials}.${names.consumer()}`),
      api(`CONSUMER.MSG.NEXT.${names.trials}.${names.consumer()}`),
      `$JS.ACK.${names.trials}.${names.consumer()}.>`,
      ...[names.result({}), names.attempt({}), names.event({}), `$KV.${names.workers}.*`, `$O.${names.objects}.>`],
      ...read.flatMap((stream) => [api(`DIRECT.GET.${stream}`), api(`DIRECT.GET.${stream}.>`)]),
      ...read.map((stream) => api(`STREAM.MSG.GET.${stream}`)),
      ...[workers, controls, objects].map((stream) => api(`STREAM.INFO.${stream}`)),
      ...[controls, objects].flatMap((stream) => [
        api(`CONSUMER.CREATE.${stream}.>`),
        api(`CONSUMER.DELETE.${stream}.>`),
      ]),
      ...['$JS.API.INFO', '$JS.FC.>'],
    ],
    subscribe: ['_INBOX.>', names.order({})],
  }
}

describe.skipIf(!hasNats)('a server with the configuration that an earlier version wrote', () => {
  it('goes on: trials run, save and load', async () => {
    const permissions = JSON.stringify(earlierPermissions('before'))
    const { url } = await withNats(
      `accounts { MLDS_before { jetstream: enabled, users: [
         { user: orchestrator, password: secret }
         { user: worker, password: secret, permissions: ${permissions} }
      ] } }`,
    )
    const place = (user: string) => ({ url, tenant: 'before', env: { NATS_USER: user, NATS_PASSWORD: 'secret' } })
    const { backend, listener } = await withLabOrchestrator(place('orchestrator'), recorded())
    await withLabWorker(place('worker'))
    const saver = toyAssignment({ behaviour: 'save' })
    await backend.start(saver)
    await listener.untilEnded([saver.trial.id])
    const end = listener.of(saver.trial.id).at(-1)
    if (end?.type !== 'ended' || end.outcome.state !== 'finished') throw new Error('it did not finish')
    const parents = [{ trial: saver.trial, metrics: end.outcome.metrics, artifacts: end.outcome.artifacts }]
    const loader = toyAssignment({ behaviour: 'load' }, { parents })
    await backend.start(loader)
    await listener.untilEnded([loader.trial.id])
    expect(listener.of(loader.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished', metrics: { sum: 6 } } })
  })
})

function inboxOf(role: string): string {
  write('lab')
  return (JSON.parse(readFileSync(join(access, 'lab', `${role}.json`), 'utf8')) as { inbox_prefix: string })
    .inbox_prefix
}
