import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInbox, headers, type Msg, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { writeAccess } from '../../../../src/worker/remote/admin/access.js'
import { startNatsServer, type NatsServer } from '../../../../src/worker/remote/admin/nats-server.js'
import { accountKeyOf } from '../../../../src/worker/remote/wire/confinement.js'
import { apiPrefixOf, connectNats } from '../../../../src/worker/remote/wire/connect.js'
import { DirectReads } from '../../../../src/worker/remote/wire/direct-reads.js'
import { defaultLane } from '../../../../src/worker/remote/wire/needs.js'
import { namesOf, runOf, sweepToken } from '../../../../src/worker/remote/wire/names.js'
import { encode, oldestProtocol, protocolVersion } from '../../../../src/worker/remote/wire/protocol.js'
import { openBroker, subjectsOf, type OrchestratorBroker } from '../../../../src/worker/remote/wire/streams.js'
import { toyAssignment } from '../../../conformance/backend.js'
import { hasNats } from '../../../helpers/nats.js'
import {
  laneConsumer,
  leaseMs,
  recorded,
  runKey,
  withLabOrchestrator,
  withLabWorker,
} from '../../../helpers/remote-lab.js'

/** The server on PATH, and a newer one where the environment names its program. */
const programs = ['nats-server', process.env['MLDS_NEWER_NATS_SERVER'] ?? ''].filter((program) => program !== '')

/** Starts a server by this program: a folder of PATH comes first, since servers are found there. */
async function startBy(program: string, folder: string, config: string): Promise<NatsServer> {
  const { PATH = '' } = process.env
  if (existsSync(program)) process.env['PATH'] = [dirname(program), PATH].join(delimiter)
  try {
    return await startNatsServer(folder, 0, config)
  } finally {
    process.env['PATH'] = PATH
  }
}

describe.skipIf(!hasNats).each(programs)('whoever has nothing but a worker’s key, on %s', (program) => {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-attack-'))
  const access = join(folder, 'access')
  const [names, others] = [namesOf('lab'), namesOf('other')]
  const sweep = sweepToken(recorded().sweep)
  let server: NatsServer
  let broker: OrchestratorBroker
  let mallory: NatsConnection

  const env = (role: string, tenant = 'lab') => ({ NATS_CONTEXT: join(access, tenant, `${role}.json`) })
  beforeAll(async () => {
    const options = { folder: access, host: '127.0.0.1', port: 4222, url: 'nats://lab:4222' }
    writeAccess({ ...options, tenant: 'other' })
    const { config } = writeAccess({ ...options, tenant: 'lab', workers: ['honest'] })
    server = await startBy(program, join(folder, 'nats'), config)
    const orchestrator = await connectNats(server.url, 'onlooker', { env: env('orchestrator') })
    broker = await openBroker(orchestrator, names, { leaseMs })
    const elsewhere = await connectNats(server.url, 'onlooker', { env: env('orchestrator', 'other') })
    await openBroker(elsewhere, others, { leaseMs })
    await elsewhere.close()
    mallory = await connectNats(server.url, 'mallory', { env: env('worker') })
  })
  afterAll(async () => {
    for (const connection of [mallory, broker.nc]) await connection.close()
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  /** What others than a worker write, and what there is at all. */
  const state = async (): Promise<unknown> => {
    const { jsm } = broker
    const streams: unknown[] = []
    for await (const { config, state: held } of jsm.streams.list()) {
      const consumers: string[] = []
      for await (const consumer of jsm.consumers.list(config.name)) consumers.push(consumer.name)
      const areWorkers = [names.results, names.attempts, names.uploads, `KV_${names.workers}`, names.trials]
      streams.push([config, consumers, areWorkers.includes(config.name) ? '' : [held.messages, held.last_seq]])
    }
    const { state: queue } = await jsm.streams.info(names.trials)
    const kept = [
      await subjectsOf(jsm, names.trials, reserved),
      await subjectsOf(jsm, names.results, result),
      await subjectsOf(jsm, `KV_${names.workers}`, present),
    ]
    return { streams, queued: queue.last_seq, kept }
  }
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 2; i++) for (const connection of [mallory, broker.nc]) await connection.flush()
  }
  /** An answer, if one comes before what the server says to another request after it. */
  const ask = async (subject: string, payload: string): Promise<Msg | undefined> => {
    let answer: Msg | undefined
    const inbox = createInbox(inboxPrefixOf('worker'))
    const subscription = mallory.subscribe(inbox, {
      callback: (error, message) => void (answer ??= error ? undefined : message),
    })
    mallory.publish(subject, payload, { reply: inbox })
    for (let i = 0; i < 50 && answer === undefined; i++) await settle()
    subscription.unsubscribe()
    return answer
  }
  const inboxPrefixOf = (role: string): string =>
    (JSON.parse(readFileSync(env(role).NATS_CONTEXT, 'utf8')) as { inbox_prefix: string }).inbox_prefix

  /** A message that a worker would run, as bytes that a worker may store. */
  const forgedTrial = toyAssignment({})
  const forgedTrialText = encode({
    ...{ v: oldestProtocol, codeVersion: '0.1.0', maxAttempts: 3, datasets: [] },
    assignment: forgedTrial,
  })
  const trialSubject = names.trial(runKey(forgedTrial.trial.id), defaultLane)
  /** What is there and must stay: a trial of another pool, a worker's word, and a result. */
  const reserved = names.trial(runKey('a'.repeat(16)), 'reserve')
  const present = `$KV.${names.workers}.ANOTHER.worker`
  const result = names.result(runKey('a'.repeat(16)))
  const prepare = async (): Promise<void> => {
    // A consumer of its own for each attack: those before may have left requests open.
    await broker.jsm.consumers.delete(names.trials, names.consumer()).catch(() => {})
    broker = await openBroker(broker.nc, names, { leaseMs })
    await broker.jsm.streams.purge(names.trials)
    for (const subject of [reserved, present, result]) await broker.publisher.publish(subject, 'kept').catch(() => {})
  }
  const loot = names.result({ sweep: 'e'.repeat(16), trial: 'e'.repeat(16), generation: 0 })

  /** What a worker's key may send. */
  const requests = (taken: Msg | undefined): [string, string][] => {
    const api = (what: string): string => `${apiPrefixOf(mallory)}.${what}`
    const reads = [
      names.results,
      names.attempts,
      ...[names.controls, names.lanes].map((bucket) => `KV_${bucket}`),
      `OBJ_${names.objects}`,
    ]
    return [
      [api(`CONSUMER.INFO.${names.trials}.${names.consumer()}`), ''],
      [names.next(names.consumer()), JSON.stringify({ batch: 1, no_wait: true })],
      [names.next(names.consumer('reserve')), JSON.stringify({ batch: 1, no_wait: true })],
      ...reads.flatMap((stream): [string, string][] => [
        [api(`DIRECT.GET.${stream}`), JSON.stringify({ seq: 1 })],
        [api(`DIRECT.GET.${stream}`), JSON.stringify({ last_by_subj: loot })],
        [api(`DIRECT.GET.${stream}.${loot}`), ''],
        [api(`STREAM.MSG.GET.${stream}`), JSON.stringify({ seq: 1 })],
        [api(`STREAM.INFO.${stream}`), ''],
      ]),
      [api('INFO'), ''],
      ...(['result', 'attempt', 'event'] as const).map((kind): [string, string] => [
        names[kind]({ sweep: 'd'.repeat(16), trial: 'd'.repeat(16), generation: 1 }),
        forgedTrialText,
      ]),
      [names.upload({ sweep: 'd'.repeat(16), trial: 'd'.repeat(16), generation: 1 }, 'f'.repeat(64), 0), 'x'],
      [`$KV.${names.workers}.mallory`, 'x'],
      [`$KV.${names.workers}.${accountKeyOf(mallory) ?? 'none'}.mallory`, 'x'],
      [`${apiPrefixOf(mallory)}.$KV.${names.workers}.mallory`, 'x'],
      [`$O.${names.objects}.C.x`, 'x'],
      ...(taken?.reply === undefined
        ? []
        : ['+WPI', '+NXT', '-NAK {"delay":1}', '+ACK'].map((word): [string, string] => [taken.reply!, word])),
    ]
  }

  /** What it must not reach, by whichever way. */
  const subjects: [string, string][] = [
    ['queue a trial', trialSubject],
    ['tell workers to stop a trial', names.order(runKey('b'.repeat(16)))],
    ['cancel or pause a sweep', `$KV.${names.controls}.${sweep}`],
    ['announce a sweep', `$KV.${names.sweeps}.${sweep}`],
    ['suggest a setting', names.suggestion(sweep, 0, 8)],
    ['announce a lane', `$KV.${names.lanes}.${sweep}`],
    ['take a sweep from its orchestrator', `$KV.${names.leases}.${sweep}`],
    ['say that another worker is there', present],
    ['replace an object', `$O.${names.objects}.M.x`],
    ['empty the queue', `$JS.API.STREAM.PURGE.${names.trials}`],
    ['throw results away', `$JS.API.STREAM.PURGE.${names.results}`],
    ['remove a result', `$JS.API.STREAM.MSG.DELETE.${names.results}`],
    ['delete the results', `$JS.API.STREAM.DELETE.${names.results}`],
    ['change the queue', `$JS.API.STREAM.UPDATE.${names.trials}`],
    ['make a stream', '$JS.API.STREAM.CREATE.MINE'],
    ['take the consumer away from all', `$JS.API.CONSUMER.DELETE.${names.trials}.${names.consumer()}`],
    ['make a consumer', `$JS.API.CONSUMER.CREATE.${names.results}`],
    ['queue a trial of another tenant', others.trial(runKey('b'.repeat(16)), defaultLane)],
    ['write a result of another tenant', others.result(runKey('b'.repeat(16)))],
    ['delete the results of another tenant', `$JS.API.STREAM.DELETE.${others.results}`],
  ]

  it.each(subjects)('can’t %s: neither itself nor by any answer', async (_what, subject) => {
    await prepare()
    mallory.publish(loot, forgedTrialText)
    const taken = await takeOne()
    expect(taken?.subject).toBe(names.trial(runKey('c'.repeat(16)), defaultLane))
    await settle()
    const heard: string[] = []
    const ears = [names.order({}), '$JS.EVENT.ADVISORY.API'].map((heardSubject) =>
      broker.nc.subscribe(heardSubject, {
        callback: (_error, message) => void heard.push(`${message.subject} ${message.string().slice(0, 200)}`),
      }),
    )
    onTestFinished(() => ears.forEach((ear) => ear.unsubscribe()))
    await settle()
    heard.length = 0
    const before = await state()
    // Under its account's prefix as well, should there be one.
    const aliases = [subject, subject.replace('$JS.API', apiPrefixOf(mallory)), `${apiPrefixOf(mallory)}.${subject}`]
    const rollUp = headers()
    rollUp.set('Nats-Rollup', 'all')
    for (const alias of new Set(aliases)) {
      for (const [request, payload] of requests(taken)) {
        mallory.publish(request, payload, { reply: alias })
        mallory.publish(request, payload, { reply: alias, headers: rollUp })
      }
      mallory.publish(alias, forgedTrialText)
      mallory.publish(alias, '{"name":"MINE","subjects":["mine"]}', { headers: rollUp })
      for (const stream of [names.results, `OBJ_${names.objects}`, names.trials])
        for (const create of ['CONSUMER.CREATE', 'CONSUMER.DURABLE.CREATE'])
          for (const api of new Set(['$JS.API', apiPrefixOf(mallory)])) {
            const config = { deliver_subject: alias, ack_policy: 'none', deliver_policy: 'all', durable_name: 'mine' }
            const request = JSON.stringify({ stream_name: stream, config })
            for (const end of [stream, `${stream}.mine`]) mallory.publish(`${api}.${create}.${end}`, request)
          }
    }
    await settle()
    expect(heard.filter((line) => !line.startsWith('$JS'))).toEqual([])
    expect(server.process.exitCode).toBeNull()
    expect(await state()).toEqual(before)
    expect(await subjectsOf(broker.jsm, names.results, loot)).toEqual([loot])
  })

  it('brings no server down, and reaches nothing, by answers to what it may send itself', async () => {
    await prepare()
    const taken = await takeOne()
    await settle()
    const before = await state()
    const all = requests(taken)
    for (const [request, payload] of all) for (const [reply] of all) mallory.publish(request, payload, { reply })
    await settle()
    expect(server.process.exitCode).toBeNull()
    expect(await state()).toEqual(before)
  })

  it('changes no trial that it was not given, whatever it reads, writes over and says again', async () => {
    await prepare()
    const place = (role: string) => ({ url: server.url, tenant: 'lab', env: env(role) })
    const { backend, listener } = await withLabOrchestrator(place('orchestrator'), recorded())
    await withLabWorker(place('worker-honest'), { slots: 1 })
    const [first, second] = [toyAssignment({ behaviour: 'save' }), toyAssignment({}, { interactive: true })]
    for (const { trial } of [first, second])
      mallory.publish(names.result(runKey(trial.id)), encode(forgedResult), { reply: 'nobody' })
    await backend.start(first)
    await listener.untilEnded([first.trial.id])
    await backend.start(second)
    await listener.until(({ type }) => type === 'report')
    // What is stored it may read, by wildcards too.
    const reads = new DirectReads(mallory)
    const [result, attempt] = await Promise.all([
      reads.last(names.results, names.result({ trial: first.trial.id })),
      reads.last(names.attempts, names.attempt({ trial: second.trial.id })),
    ])
    const { tag } = runOf(attempt!.subject)!
    expect(tag).toBeDefined()
    for (const text of [attempt!.text.replace('running', 'lost'), encode(deadly), attempt!.text, 'noise'])
      for (const key of [runKey(second.trial.id), { ...runKey(second.trial.id), tag: tag! }]) {
        mallory.publish(names.attempt(key), text)
        mallory.publish(names.event(key), text)
        for (const words of [text, result!.text, encode(forgedResult)]) mallory.publish(names.result(key), words)
      }
    await settle()
    await backend.stop(second.trial.id, 'seen enough')
    await listener.untilEnded([second.trial.id])
    expect(listener.of(second.trial.id).map(({ type }) => type)).toEqual(['started', 'report', 'ended'])
    expect(listener.of(second.trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'stopped' } })
    expect(listener.of(first.trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { artifacts: { numbers: {} } } })
  })

  it('makes no trial dead, and none run twice, by handing back what another runs', async () => {
    await prepare()
    const place = (role: string) => ({ url: server.url, tenant: 'lab', env: env(role) })
    const { backend, listener } = await withLabOrchestrator(place('orchestrator'), recorded())
    for (let i = 0; i < 2; i++) await withLabWorker(place('worker-honest'), { slots: 2 })
    const assignment = toyAssignment({}, { interactive: true })
    await backend.start(assignment)
    await listener.until(({ type }) => type === 'report')
    const lane = await laneConsumer(broker)
    const consumer = async () => (await broker.jsm.consumers.info(names.trials, lane)).delivered
    const before = await consumer()
    // More often than the server delivers a message at all: then it gives it up, and it is queued anew.
    let last = before
    for (let i = 0; i < 1_000 && last.consumer_seq < before.consumer_seq + 120; i++) {
      const { state: queue } = await broker.jsm.streams.info(names.trials)
      for (let sequence = before.stream_seq; sequence <= queue.last_seq; sequence++)
        mallory.publish(`$JS.ACK.${names.trials}.${lane}.1.${sequence}.${last.consumer_seq}.1.0`, '-NAK')
      await settle()
      last = await consumer()
    }
    expect(last.consumer_seq - before.consumer_seq).toBeGreaterThan(100)
    await backend.stop(assignment.trial.id, 'seen enough')
    await listener.untilEnded([assignment.trial.id])
    expect(listener.of(assignment.trial.id).map(({ type }) => type)).toEqual(['started', 'report', 'ended'])
    expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'stopped' } })
  })

  const deadly = {
    ...{ v: oldestProtocol, attempt: 1, vanished: 3, worker: 'mallory', nonce: 'n', startedAtMs: 1, atMs: 2 },
    standing: 'lost',
  }
  const forgedResult = {
    ...{ v: protocolVersion, worker: 'mallory', nonce: 'n', attempt: 1, startedAtMs: 1, atMs: 2, reports: [] },
    outcome: { state: 'finished', metrics: { loss: 666 }, artifacts: {} },
  }

  /** A trial that mallory is given, and may do with as it likes. */
  const takeOne = async (): Promise<Msg | undefined> => {
    await broker.publisher.publish(names.trial(runKey('c'.repeat(16)), defaultLane), forgedTrialText)
    return ask(names.next(names.consumer()), '{"batch":1,"expires":5000000000}')
  }
})
