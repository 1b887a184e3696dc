import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/core/clock.js'
import type { ArtifactRef } from '../../../../src/core/trial.js'
import type { Store } from '../../../../src/system/store.js'
import { Commits } from '../../../../src/worker/remote/host/commit.js'
import type { RunKey } from '../../../../src/worker/remote/wire/names.js'
import { hasRemoteObject, sendObject } from '../../../../src/worker/remote/wire/objects.js'
import { encode, protocolVersion, type ResultMessage } from '../../../../src/worker/remote/wire/protocol.js'
import type { OrchestratorBroker } from '../../../../src/worker/remote/wire/streams.js'
import { until } from '../../../helpers/cli.js'
import { hasNats } from '../../../helpers/nats.js'
import { RemoteLab, runKey } from '../../../helpers/remote-lab.js'

/** A worker's commits of a run of its own, with something that it saved. */
interface Committing {
  readonly broker: OrchestratorBroker
  readonly store: Store
  readonly key: RunKey
  readonly result: ResultMessage
  readonly saved: ArtifactRef
}

const resultOf = (worker: string, artifacts: Record<string, ArtifactRef>): ResultMessage => ({
  v: protocolVersion,
  worker,
  nonce: worker,
  attempt: 1,
  startedAtMs: 1,
  atMs: 2,
  outcome: { state: 'finished', metrics: { loss: 1 }, artifacts },
  reports: [],
})

/** What the server holds when the commit comes; whether it counts then, and whether what it saved stays there. */
const table: [string, (committing: Committing) => Promise<string | undefined>, { counts: boolean; stays: boolean }][] =
  [
    ['nothing is stored', () => Promise.resolve(undefined), { counts: true, stays: true }],
    [
      'this very result is stored, and the answer was lost',
      ({ result }) => Promise.resolve(encode(result)),
      { counts: true, stays: true },
    ],
    [
      'the result of another is stored',
      () => Promise.resolve(encode(resultOf('rival', {}))),
      { counts: false, stays: false },
    ],
    [
      'the result of another is stored that saved the same',
      ({ saved }) => Promise.resolve(encode(resultOf('rival', { theirs: saved }))),
      { counts: false, stays: true },
    ],
    [
      'the result of another is stored as an object',
      async ({ broker, store, saved }) => {
        const bytes = Buffer.from(encode(resultOf('rival', { theirs: saved })))
        const object = await store.putObject(bytes)
        await sendObject(broker.objects, store, object)
        return encode({ v: protocolVersion, object })
      },
      { counts: false, stays: true },
    ],
    ['what is stored can not be read', () => Promise.resolve('{"v":1}'), { counts: false, stays: true }],
  ]

describe.skipIf(!hasNats)('the commit of a result', () => {
  const lab = RemoteLab.open()
  const store = () => lab.store('worker')

  it.each(table)('where %s', async (what, before, { counts, stays }) => {
    const broker = await lab.broker('table')
    const key = runKey(
      table
        .findIndex(([name]) => name === what)
        .toString(16)
        .padStart(16, '0'),
    )
    const saved = await store().putObject(new TextEncoder().encode(what))
    const result = resultOf('worker', { saved })
    const stored = await before({ broker, store: store(), key, result, saved })
    if (stored !== undefined) await broker.publisher.publish(broker.names.result(key), stored, 0)
    expect(await commits(broker).commitOutcome(key, result)).toBe(counts)
    const held = await broker.jsm.streams.getMessage(broker.names.results, { last_by_subj: broker.names.result(key) })
    expect(held!.string()).toBe(stored ?? encode(result))
    expect(await hasRemoteObject(broker.objects, saved)).toBe(stays)
  })

  it('fails at once where what was saved is gone, and repeats a full stream until the worker must go', async () => {
    const broker = await lab.broker('refused')
    const gone = { sha256: 'f'.repeat(64), sizeBytes: 1 }
    const key = runKey('00000000000000aa')
    await expect(commits(broker).commitOutcome(key, resultOf('worker', { gone }))).rejects.toThrow(
      'an artifact is missing',
    )
    await broker.jsm.streams.update(broker.names.results, { max_bytes: 100 })
    const abort = new AbortController()
    const said: string[] = []
    const refused = commits(broker, abort.signal, said).commitOutcome(key, resultOf('worker', {}))
    void refused.catch(() => {})
    await until(() => said.length > 1)
    abort.abort()
    await expect(refused).rejects.toThrow('maximum bytes exceeded')
    expect(said[0]).toMatch(/^a result could not be stored yet: .*maximum bytes/)
  })

  function commits(broker: OrchestratorBroker, abort = new AbortController().signal, said: string[] = []): Commits {
    const say = (line: string): void => void said.push(line)
    return new Commits(broker, { store: store(), clock: systemClock, connection: broker.nc, abort, say })
  }
})
