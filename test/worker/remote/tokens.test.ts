import { describe, expect, it } from 'vitest'
import type { ResultMessage } from '../../../src/worker/remote/wire/protocol.js'
import {
  decode,
  encode,
  oldestProtocol,
  protocolVersion,
  tokensSince,
  queuedTrial,
} from '../../../src/worker/remote/wire/protocol.js'
import { remoteStatus } from '../../../src/worker/remote/admin/remote-status.js'
import type { RunKey } from '../../../src/worker/remote/wire/names.js'
import { defaultLane } from '../../../src/worker/remote/wire/needs.js'
import { sweepToken } from '../../../src/worker/remote/wire/names.js'
import { subjectsOf, type OrchestratorBroker } from '../../../src/worker/remote/wire/streams.js'
import { readSweep, readTokens } from '../../../src/worker/remote/wire/sweep-registry.js'
import { SweepTokens } from '../../../src/worker/remote/wire/sweep-tokens.js'
import { Listener, toyAssignment } from '../../conformance/backend.js'
import { until } from '../../helpers/cli.js'
import { hasNats } from '../../helpers/nats.js'
import { recorded, RemoteLab, runKey } from '../../helpers/remote-lab.js'

const tag = 'f'.repeat(32)
const forged = (loss = 666): ResultMessage => ({
  ...{ v: protocolVersion, worker: 'mallory', nonce: 'forged', attempt: 1, startedAtMs: 1, atMs: 2 },
  outcome: { state: 'finished', metrics: { loss }, artifacts: {} },
  reports: [],
})

/** Everything that one may write of a run without having been given it, with no tag and with a wrong one. */
async function forge({ nc, names }: OrchestratorBroker, run: RunKey): Promise<void> {
  const begun = { v: oldestProtocol, attempt: 1, vanished: 3, worker: 'mallory', nonce: 'n', startedAtMs: 1, atMs: 1 }
  const news = { v: oldestProtocol, worker: 'mallory', attempt: 1, startedAtMs: 1 }
  for (const key of [run, { ...run, tag }]) {
    nc.publish(names.result(key), encode(forged()))
    for (const standing of ['running', 'lost'])
      nc.publish(names.attempt(key), encode({ ...begun, standing, attempt: 9 }))
    nc.publish(
      names.event(key),
      encode({ type: 'progress', ...news, from: 0, reports: [{ step: 1, atMs: 1, metrics: { loss: 666 } }] }),
    )
  }
  await nc.flush()
}

describe.skipIf(!hasNats)('a run whose message carries a token', () => {
  const lab = RemoteLab.open()

  it('is changed by nothing that comes without it, before it begins and while it runs', async () => {
    const broker = await lab.broker('forged')
    const assignment = toyAssignment({}, { interactive: true })
    const { id } = assignment.trial
    for (const generation of [0, 1, 2]) await forge(broker, runKey(id, generation))
    const { backend, listener, said } = await lab.backend('forged', recorded())
    await backend.start(assignment)
    await lab.worker('forged')
    await listener.until(({ type }) => type === 'report')
    await forge(broker, runKey(id))
    const status = await remoteStatus(broker, lab.store('onlooker'), recorded().sweep)
    expect(status).toMatchObject({ ended: {}, dead: [], running: [{ trial: id, message: { attempt: 1 } }] })
    expect(status.running[0]!.message.worker).not.toBe('mallory')
    await backend.stop(id, 'seen enough')
    await listener.until(({ type }) => type === 'ended')
    expect(listener.of(id).map(({ type }) => type)).toEqual(['started', 'report', 'ended'])
    expect(listener.of(id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'stopped' } })
    expect(JSON.stringify(listener.of(id))).not.toContain('"loss":666')
    expect(said.join('\n')).toContain(`a result of trial ${id} was thrown away`)
  })

  it('runs although a result without it came while no orchestrator was there', async () => {
    const broker = await lab.broker('away')
    const assignment = toyAssignment({})
    const { id } = assignment.trial
    const first = await lab.openBackend('away', { ...recorded(), detach: true })
    await first.start(assignment)
    await first.close()
    await forge(broker, runKey(id))
    const { backend, listener } = await lab.backend('away', { ...recorded(), store: lab.store('elsewhere') })
    await backend.start(assignment)
    await lab.worker('away')
    await listener.untilEnded([id])
    expect(listener.of(id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'finished' } })
    expect(listener.of(id).at(-1)).not.toMatchObject({ outcome: { metrics: { loss: 666 } } })
  })

  it('is taken over with what it saved, and a large course, by whoever resumes the sweep on another host', async () => {
    const [saver, talker] = [toyAssignment({ behaviour: 'save' }), toyAssignment({ steps: 3_000 })]
    const worker = await lab.worker('saved')
    const first = await lab.openBackend('saved', { ...recorded(), detach: true })
    for (const assignment of [saver, talker]) await first.start(assignment)
    await new Listener(first).untilEnded([saver.trial.id, talker.trial.id])
    await first.close()
    await worker.end()
    const store = lab.store('far-away')
    const { backend, listener } = await lab.backend('saved', { ...recorded(), store })
    for (const assignment of [saver, talker]) await backend.start(assignment)
    await listener.untilEnded([saver.trial.id, talker.trial.id])
    const end = listener.of(saver.trial.id).at(-1)
    if (end?.type !== 'ended' || end.outcome.state !== 'finished') throw new Error('it did not finish')
    expect([...(await store.readObject(end.outcome.artifacts['numbers']!))]).toEqual([1, 2, 3])
    expect(listener.of(talker.trial.id).filter(({ type }) => type === 'report')).toHaveLength(3_000)
    // What a child needs is brought to all.
    const parents = [{ trial: saver.trial, metrics: end.outcome.metrics, artifacts: end.outcome.artifacts }]
    const child = toyAssignment({ behaviour: 'load' }, { parents })
    await lab.worker('saved')
    await backend.start(child)
    await listener.untilEnded([child.trial.id])
    expect(listener.of(child.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished', metrics: { sum: 6 } } })
  })

  it('is left alone by a worker of an earlier version, of which the sweep tells without failing', async () => {
    const broker = await lab.broker('earlier')
    const { backend, listener, said } = await lab.backend('earlier', recorded())
    const assignment = toyAssignment({})
    const { id } = assignment.trial
    await backend.start(assignment)
    const message = await broker.jsm.streams.getMessage(broker.names.trials, {
      last_by_subj: broker.names.trial(runKey(id)),
    })
    expect(message!.json()).toMatchObject({
      v: tokensSince,
      token: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    })
    const error = { name: 'MldsError', message: 'this worker speaks protocol 5: 6' }
    broker.nc.publish(
      broker.names.event(runKey(id)),
      encode({ type: 'refused', v: oldestProtocol, worker: 'old', error }),
    )
    await until(() =>
      said.some((line) => line.includes('old leaves trials to others: this worker speaks protocol 5: 6')),
    )
    await lab.worker('earlier')
    await listener.untilEnded([id])
    expect(listener.of(id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'finished' } })
  })
})

describe.skipIf(!hasNats)('a sweep that an earlier version began', () => {
  const lab = RemoteLab.open()

  /** The server's word of the sweep as protocol 5 wrote it. */
  async function withoutSecret(broker: OrchestratorBroker): Promise<void> {
    const { secret: _, ...message } = (await readSweep(broker, recorded().sweep))!
    await broker.sweeps.put(sweepToken(recorded().sweep), encode({ ...message, v: 4 }))
  }

  it('keeps its results, lets what runs end, and has what waits run with a token', async () => {
    const broker = await lab.broker('old')
    const { names, publisher, jsm } = broker
    await (await lab.openBackend('old', recorded())).close()
    await withoutSecret(broker)
    const [stored, running, waiting] = [toyAssignment({}), toyAssignment({}), toyAssignment({})]
    const [doneKey, runningKey, waitingKey] = [stored, running, waiting].map(({ trial }) => runKey(trial.id))
    await publisher.publish(names.result(doneKey!), encode({ ...forged(1), v: 4 }))
    for (const key of [runningKey!, waitingKey!])
      await publisher.publish(names.trial(key, defaultLane), encode({ v: 4 }))
    const begun = {
      v: 3,
      attempt: 1,
      vanished: 0,
      worker: 'w',
      nonce: 'n',
      startedAtMs: 1,
      atMs: 1,
      standing: 'running',
    }
    await publisher.publish(names.attempt(runningKey!), encode(begun))

    const { backend, listener } = await lab.backend('old', recorded())
    for (const assignment of [stored, running, waiting]) await backend.start(assignment)
    await listener.untilEnded([stored.trial.id])
    expect(listener.of(stored.trial.id).at(-1)).toMatchObject({ outcome: { metrics: { loss: 1 } } })
    const queued = async (key: RunKey) =>
      decode(queuedTrial, (await jsm.streams.getMessage(names.trials, { last_by_subj: names.trial(key) }))!.string())
    expect(await queued(runningKey!)).toBeUndefined()
    expect(await queued(waitingKey!)).toMatchObject({ token: expect.any(String) as string })

    // Its worker, of that version, shows no token; of the other run none is taken without.
    await publisher.publish(names.result(waitingKey!), encode(forged()))
    await publisher.publish(names.result(runningKey!), encode({ ...forged(2), v: 4 }))
    await listener.untilEnded([running.trial.id])
    expect(listener.of(running.trial.id).at(-1)).toMatchObject({ outcome: { metrics: { loss: 2 } } })
    expect(listener.of(waiting.trial.id)).toEqual([])
    // And so for whoever comes later.
    await backend.close()
    const tokens = await readTokens(broker, recorded().sweep)
    expect(tokens.given(runningKey!).token).toBeUndefined()
    expect(tokens.allows(runningKey!, 1_000)).toBe(true)
    expect(tokens.allows(waitingKey!, 1_000)).toBe(false)
    expect(tokens.allows(doneKey!, 1)).toBe(true)
    expect(await subjectsOf(jsm, names.trials, '>')).toEqual([])
  })

  it('has its secret kept through announcements', async () => {
    const broker = await lab.broker('kept')
    await (await lab.openBackend('kept', recorded())).close()
    const { facts } = await readTokens(broker, recorded().sweep)
    await (await lab.openBackend('kept', { ...recorded(), fresh: true })).close()
    expect((await readTokens(broker, recorded().sweep)).facts).toEqual(facts)
    expect(facts.secret).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('the tokens of a sweep', () => {
  const tokens = new SweepTokens({ secret: 'a'.repeat(64) })
  const run = runKey('0000000000000001')

  it('differ for each run and each thing that is written of it', () => {
    const given = [run, { ...run, generation: 1 }, { ...run, sweep: 'b'.repeat(16) }, runKey('0000000000000002')]
    const writings = ['result', 'event', 'attempt 1', 'attempt 2', 'end of attempt 1', 'upload n'] as const
    const all = given.flatMap((one) => [
      tokens.given(one).token,
      ...writings.map((what) => tokens.keyOf(one, what).tag),
    ])
    expect(new Set(all).size).toBe(4 * 7)
    // Of another secret, none is the same.
    const others = new SweepTokens({ secret: 'b'.repeat(64) })
    expect(all).not.toContain(others.given(run).token)
  })

  it('are none where an earlier version alone ran the sweep, whose runs show none', () => {
    const none = new SweepTokens()
    expect(none.given(run).token).toBeUndefined()
    expect(none.allows(run, 7)).toBe(true)
    expect(none.allows({ ...run, tag }, 7)).toBe(false)
    expect(tokens.allows(run, 7)).toBe(false)
    expect(tokens.allows(tokens.keyOf(run, 'result'), 7)).toBe(true)
    expect(tokens.allows(tokens.keyOf(run, 'event'), 7)).toBe(false)
  })
})
