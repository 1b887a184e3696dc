import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { systemClock } from '../../../src/clock.js'
import { openStore } from '../../../src/store.js'
import type { TrialEvent } from '../../../src/trial.js'
import { connectNats } from '../../../src/worker/remote/connect.js'
import { startNatsServer, type NatsServer } from '../../../src/worker/remote/nats-server.js'
import { encode, namesOf, protocolVersion, sweepToken } from '../../../src/worker/remote/protocol.js'
import { RemoteBackend } from '../../../src/worker/remote/remote-backend.js'
import { runWorker } from '../../../src/worker/remote/worker-process.js'
import { backendSuite, Listener, toyAssignment } from '../../conformance/backend.js'
import { hasNats } from '../../helpers/nats.js'

const folder = mkdtempSync(join(tmpdir(), 'mlds-remote-'))
const leaseMs = 2_000
let server: NatsServer

interface Worker {
  readonly drain: AbortController
  readonly abort: AbortController
  readonly done: Promise<void>
  readonly said: string[]
}
let workers = 0
async function startWorker(tenant: string, slots = 2): Promise<Worker> {
  const [drain, abort] = [new AbortController(), new AbortController()]
  const said: string[] = []
  const name = `worker-${++workers}`
  const done = runWorker({
    connection: await connectNats(server.url, name),
    tenant,
    name,
    slots,
    store: openStore(join(folder, name)),
    clock: systemClock,
    leaseMs,
    heapMb: 64,
    experimentModules: [new URL('../../fixtures/toy-experiment.mjs', import.meta.url).href],
    drain: drain.signal,
    abort: abort.signal,
    say: (message) => said.push(message),
  })
  return { drain, abort, done, said }
}

async function openRemote(tenant: string, options: { window?: number; store?: string } = {}): Promise<RemoteBackend> {
  return RemoteBackend.open({
    connection: await connectNats(server.url, 'orchestrator'),
    tenant,
    sweep: 'toy-sweep',
    store: openStore(join(folder, options.store ?? 'orchestrator')),
    clock: systemClock,
    window: options.window ?? 100,
    maxAttempts: 3,
    leaseMs,
    warn: () => {},
  })
}

describe.skipIf(!hasNats)('over a real nats-server', () => {
  beforeAll(async () => {
    server = await startNatsServer(join(folder, 'nats'), 0)
  })
  afterAll(async () => {
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  describe('with one worker', () => {
    let worker: Worker
    beforeAll(async () => {
      worker = await startWorker('suite')
    })
    afterAll(async () => {
      worker.drain.abort()
      worker.abort.abort()
      await worker.done
    })
    backendSuite('remote', (capacity) => openRemote('suite', { window: capacity }), { survivesCrashes: true })
  })

  const withWorker = async (tenant: string): Promise<Worker> => {
    const worker = await startWorker(tenant)
    onTestFinished(async () => {
      worker.drain.abort()
      worker.abort.abort()
      await worker.done
    })
    return worker
  }
  const withBackend = async (
    tenant: string,
    store?: string,
  ): Promise<{ backend: RemoteBackend; listener: Listener }> => {
    const backend = await openRemote(tenant, store === undefined ? {} : { store })
    onTestFinished(() => backend.close())
    return { backend, listener: new Listener(backend) }
  }
  const kinds = (events: readonly TrialEvent[]): string[] => events.map((event) => event.type)

  it('calls a trial that kills its thread dead after its attempts, and runs the others', async () => {
    await withWorker('poison')
    const { backend, listener } = await withBackend('poison')
    const [poison, calm] = [toyAssignment({ behaviour: 'die' }), toyAssignment({})]
    await backend.start(poison)
    await backend.start(calm)
    await listener.untilEnded([calm.trial.id])
    while (!listener.of(poison.trial.id).some((event) => event.type === 'ended'))
      await listener.until((event) => event.type === 'ended')
    expect(listener.of(poison.trial.id).at(-1)).toMatchObject({ attempt: 3, outcome: { state: 'dead' } })
    expect(listener.of(calm.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
  })

  it('takes over a result that came while no orchestrator listened, without running the trial again', async () => {
    const worker = await withWorker('adopt')
    const first = await openRemote('adopt')
    const assignment = toyAssignment({ behaviour: 'save' })
    await first.start(assignment)
    await new Listener(first).untilEnded([assignment.trial.id])
    await first.close()
    worker.drain.abort()
    await worker.done
    // No worker is left: only the stored result can answer, and its artifact comes by content hash.
    const { backend, listener } = await withBackend('adopt', 'another-host')
    await backend.start({ ...assignment, attempt: 2 })
    await listener.untilEnded([assignment.trial.id])
    expect(kinds(listener.of(assignment.trial.id))).toEqual(['started', 'ended'])
    const end = listener.of(assignment.trial.id).at(-1)
    if (end?.type !== 'ended' || end.outcome.state !== 'finished') throw new Error('it did not finish')
    expect(end.attempt).toBe(2)
    const bytes = await openStore(join(folder, 'another-host')).readObject(end.outcome.artifacts['numbers']!)
    expect([...bytes]).toEqual([1, 2, 3])
  })

  it('hands a running trial to another worker when the first is told to go at once', async () => {
    const first = await startWorker('handback')
    const { backend, listener } = await withBackend('handback')
    // An interactive trial waits for its answer, so it is still running when its worker goes.
    const assignment = toyAssignment({}, { interactive: true })
    await backend.start(assignment)
    await listener.until((event) => event.type === 'report')
    first.drain.abort()
    first.abort.abort()
    await first.done
    await withWorker('handback')
    await listener.until((event) => event.type === 'started' && event.attempt === 2)
    await backend.stop(assignment.trial.id, 'seen enough')
    await listener.until((event) => event.type === 'ended')
    expect(kinds(listener.of(assignment.trial.id).filter((event) => event.type !== 'report'))).toEqual([
      'started',
      'lost',
      'started',
      'ended',
    ])
  })

  it('keeps the first of two results and tells of no other', async () => {
    const { backend, listener } = await withBackend('fence')
    const assignment = toyAssignment({})
    await backend.start(assignment)
    const other = await connectNats(server.url, 'rival')
    onTestFinished(() => other.close())
    const subject = namesOf('fence').result({
      sweep: sweepToken('toy-sweep'),
      trial: assignment.trial.id,
      generation: 0,
    })
    const result = (loss: number): string =>
      encode({
        v: protocolVersion,
        worker: 'rival',
        nonce: String(loss),
        attempt: 1,
        startedAtMs: 1,
        atMs: 2,
        outcome: { state: 'finished', metrics: { loss }, artifacts: {} },
        reports: [],
      })
    const expecting = { expect: { lastSubjectSequence: 0 } }
    await jetstream(other).publish(subject, result(1), expecting)
    await expect(jetstream(other).publish(subject, result(2), expecting)).rejects.toThrow('wrong last sequence')
    await listener.untilEnded([assignment.trial.id])
    expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({ outcome: { metrics: { loss: 1 } } })
  })

  it('throws malformed messages away, counts them, and loses no trial', async () => {
    const worker = await withWorker('garbage')
    const { backend, listener } = await withBackend('garbage')
    const connection = await connectNats(server.url, 'vandal')
    onTestFinished(() => connection.close())
    const js = jetstream(connection)
    const names = namesOf('garbage')
    const junk = ['', '{', 'null', '[]', '{"v":1}', '\u0000'.repeat(100), '{"__proto__":{}}']
    for (const [i, text] of junk.entries())
      await js.publish(names.trial({ sweep: 'junk', trial: String(i), generation: 0 }), text)
    const assignment = toyAssignment({})
    for (const text of junk) {
      const run = { sweep: sweepToken('toy-sweep'), trial: assignment.trial.id, generation: 0 }
      connection.publish(names.event(run), text)
      connection.publish(names.order(run), text)
    }
    await backend.start(assignment)
    await listener.untilEnded([assignment.trial.id])
    expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
    expect(worker.said.filter((line) => line.includes('malformed') && line.includes('.trial.'))).toHaveLength(
      junk.length,
    )
  })

  it('empties its queue when it is closed before its trials ran', async () => {
    const backend = await openRemote('empty')
    await backend.start(toyAssignment({}))
    await backend.close()
    const connection = await connectNats(server.url, 'onlooker')
    onTestFinished(() => connection.close())
    const { state } = await (await jetstreamManager(connection)).streams.info(namesOf('empty').trials)
    expect(state.messages).toBe(0)
  })
})
