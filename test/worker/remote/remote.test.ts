import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { TrialEvent } from '../../../src/core/trial.js'
import type { Backend } from '../../../src/worker/backend.js'
import { connectNats } from '../../../src/worker/remote/wire/connect.js'
import { encode, protocolVersion } from '../../../src/worker/remote/wire/protocol.js'
import { namesOf, sweepToken } from '../../../src/worker/remote/wire/names.js'
import { backendSuite, copiesSuite, Listener, toyAssignment } from '../../conformance/backend.js'
import { defaultLane } from '../../../src/worker/remote/wire/needs.js'
import { hasNats } from '../../helpers/nats.js'
import { recorded, RemoteLab, type LabWorker } from '../../helpers/remote-lab.js'

describe.skipIf(!hasNats)('over a real nats-server', () => {
  const lab = RemoteLab.open()

  describe('with one worker', () => {
    let worker: LabWorker
    beforeAll(async () => {
      worker = await lab.startWorker('suite')
    })
    afterAll(() => worker.end())
    const connections = new Map<Backend, NatsConnection>()
    const open = async (window: number): Promise<Backend> => {
      const connection = await connectNats(lab.server.url, 'orchestrator', { env: {} })
      const backend = await lab.openBackend('suite', { ...recorded(), window, connection })
      connections.set(backend, connection)
      return backend
    }
    backendSuite('remote', open, {
      survivesCrashes: true,
      waitsForWorkers: true,
      loseFarSide: (backend) => connections.get(backend)!.close(),
    })
  })

  describe('with two workers', () => {
    const workers: LabWorker[] = []
    beforeAll(async () => {
      for (const slots of [1, 1]) workers.push(await lab.startWorker('copies', { slots }))
    })
    afterAll(() => Promise.all(workers.map((worker) => worker.end())))
    copiesSuite('remote', () => lab.openBackend('copies', recorded()))
  })

  const kinds = (events: readonly TrialEvent[]): string[] => events.map((event) => event.type)

  it('calls a trial that kills its thread dead after its attempts, and runs the others', async () => {
    await lab.worker('poison')
    const { backend, listener } = await lab.backend('poison')
    const [poison, calm] = [toyAssignment({ behaviour: 'die' }), toyAssignment({})]
    await backend.start(poison)
    await backend.start(calm)
    await listener.untilEnded([calm.trial.id])
    while (!listener.of(poison.trial.id).some((event) => event.type === 'ended'))
      await listener.until((event) => event.type === 'ended')
    expect(listener.of(poison.trial.id).at(-1)).toMatchObject({ attempt: 3, outcome: { state: 'dead' } })
    expect(listener.of(calm.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
  })

  it('lets all make the streams of a new tenant who come at once', async () => {
    for (let round = 0; round < 5; round++) {
      const brokers = await Promise.all(Array.from({ length: 12 }, () => lab.broker(`rush-${round}`)))
      const [first] = brokers
      expect(await Promise.all(brokers.map(async ({ sweeps }) => (await sweeps.status()).bucket))).toEqual(
        brokers.map(() => first!.names.sweeps),
      )
    }
  })

  it('takes over a result that came while no orchestrator listened, without running the trial again', async () => {
    const worker = await lab.worker('adopt')
    const first = await lab.openBackend('adopt')
    const assignment = toyAssignment({ behaviour: 'save' })
    await first.start(assignment)
    await new Listener(first).untilEnded([assignment.trial.id])
    await first.close()
    await worker.end()
    // No worker is left: only the stored result can answer, and its artifact comes by content hash.
    const { backend, listener } = await lab.backend('adopt', { store: lab.store('another-host') })
    await backend.start({ ...assignment, attempt: 2 })
    await listener.untilEnded([assignment.trial.id])
    expect(kinds(listener.of(assignment.trial.id))).toEqual(['started', 'ended'])
    const end = listener.of(assignment.trial.id).at(-1)
    if (end?.type !== 'ended' || end.outcome.state !== 'finished') throw new Error('it did not finish')
    expect(end.attempt).toBe(2)
    const bytes = await lab.store('another-host').readObject(end.outcome.artifacts['numbers']!)
    expect([...bytes]).toEqual([1, 2, 3])
  })

  it('hands a running trial to another worker when the first is told to go at once', async () => {
    const first = await lab.startWorker('handback')
    const { backend, listener } = await lab.backend('handback')
    // An interactive trial waits for its answer, so it is still running when its worker goes.
    const assignment = toyAssignment({}, { interactive: true })
    await backend.start(assignment)
    await listener.until((event) => event.type === 'report')
    await first.end()
    await lab.worker('handback')
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
    const { backend, listener } = await lab.backend('fence')
    const assignment = toyAssignment({})
    await backend.start(assignment)
    const other = await lab.connect()
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
    const worker = await lab.worker('garbage')
    const { backend, listener } = await lab.backend('garbage')
    const connection = await lab.connect()
    const js = jetstream(connection)
    const names = namesOf('garbage')
    const junk = ['', '{', 'null', '[]', '{"v":1}', '\u0000'.repeat(100), '{"__proto__":{}}']
    for (const [i, text] of junk.entries())
      await js.publish(names.trial({ sweep: 'junk', trial: String(i), generation: 0 }, defaultLane), text)
    const assignment = toyAssignment({})
    for (const text of junk) {
      const run = { sweep: sweepToken('toy-sweep'), trial: assignment.trial.id, generation: 0 }
      connection.publish(names.event(run), text)
      connection.publish(names.order(run), text)
    }
    await backend.start(assignment)
    await listener.untilEnded([assignment.trial.id])
    expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
    await expect
      .poll(() => worker.said.filter((line) => line.includes('malformed') && line.includes('.trial.')))
      .toHaveLength(junk.length)
  })

  it('empties its queue when it is closed before its trials ran', async () => {
    const backend = await lab.openBackend('empty')
    await backend.start(toyAssignment({}))
    await backend.close()
    const connection = await lab.connect()
    const { state } = await (await jetstreamManager(connection)).streams.info(namesOf('empty').trials)
    expect(state.messages).toBe(0)
  })
})
