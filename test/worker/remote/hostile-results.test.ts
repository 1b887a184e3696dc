import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nameProblem } from '../../../src/core/names.js'
import type { Assignment } from '../../../src/core/trial.js'
import { openStore } from '../../../src/system/store.js'
import {
  decode,
  encode,
  maxSavedBytes,
  protocolVersion,
  resultMessage,
  storedResult,
} from '../../../src/worker/remote/wire/protocol.js'
import { readResults } from '../../../src/worker/remote/wire/stored-results.js'
import { readTokens } from '../../../src/worker/remote/wire/sweep-registry.js'
import { toyAssignment } from '../../conformance/backend.js'
import { until } from '../../helpers/cli.js'
import { hasNats } from '../../helpers/nats.js'
import { recorded, RemoteLab, runKey } from '../../helpers/remote-lab.js'

const sha256 = 'a'.repeat(64)
const right = {
  ...{ v: protocolVersion, worker: 'w', nonce: 'n', attempt: 1, startedAtMs: 1, atMs: 2 },
  outcome: { state: 'finished', metrics: { loss: 666 }, artifacts: {} },
  reports: [{ step: 1, atMs: 1, metrics: { loss: 666 } }],
}
const finished = (metrics: object, artifacts: object = {}) => ({
  ...right,
  outcome: { state: 'finished', metrics, artifacts },
})

/** What a worker that was given the trial may write, but mlds never does. */
const hostile: Readonly<Record<string, object>> = {
  'a metric that is a path': finished({ '../../../etc/x': 1 }),
  'a metric that is an absolute path': finished({ '/etc/x': 1 }),
  'a metric with an escape sequence': finished({ '\u001b]0;mine\u0007': 1 }),
  'a metric that is the folder of another': finished({ 'a/b': 1, a: 2 }),
  'a report that is a path': { ...right, reports: [{ step: 1, atMs: 1, metrics: { '../x': 1 } }] },
  'metrics of a report and the end that are folders of each other': {
    ...finished({ loss: 1 }),
    reports: [{ step: 1, atMs: 1, metrics: { 'loss/x': 1 } }],
  },
  'a time that no date can say': { ...right, atMs: 1e17 },
  'a start that no date can say': { ...right, startedAtMs: -1e300 },
  'a report at no time': { ...right, reports: [{ step: 1, atMs: 9e15, metrics: { loss: 1 } }] },
  'a step that is no whole number': { ...right, reports: [{ step: 1.5, atMs: 1, metrics: { loss: 1 } }] },
  'the last attempt that can be counted': { ...right, attempt: Number.MAX_SAFE_INTEGER },
  'a file larger than memory': finished({ loss: 1 }, { weights: { sha256, sizeBytes: 9e15 } }),
  'a result that lies elsewhere and is larger than memory': { v: protocolVersion, object: { sha256, sizeBytes: 9e15 } },
  'a protocol that no mlds speaks yet': { ...right, v: protocolVersion + 1 },
  'a place elsewhere, in a protocol that no mlds speaks yet': {
    v: protocolVersion + 1,
    object: { sha256, sizeBytes: 9 },
  },
  'a file that was never sent': finished({ loss: 1 }, { weights: { sha256, sizeBytes: maxSavedBytes } }),
  'a result that was never sent': { v: protocolVersion, object: { sha256, sizeBytes: 2 ** 28 }, nonce: 'n' },
}

describe('a result', () => {
  it.each(Object.entries(hostile).filter(([what]) => !what.endsWith('never sent')))('with %s is none', (_, message) => {
    expect(decode(storedResult, JSON.stringify(message))).toBeUndefined()
  })

  it('is what it was before, where nothing is wrong with it', () => {
    expect(decode(storedResult, JSON.stringify(right))).toEqual(right)
  })

  it('of whatever names and times holds none that mlds would not have written', () => {
    const name = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('a', 'a/b', '..', '__proto__', 'x y'),
    )
    const numbers = fc.dictionary(name, fc.double({ noNaN: true, noDefaultInfinity: true }), { maxKeys: 4 })
    const time = fc.oneof(fc.nat(), fc.double({ noNaN: true, noDefaultInfinity: true }))
    fc.assert(
      fc.property(numbers, numbers, time, time, (metrics, reported, startedAtMs, atMs) => {
        const message = { ...finished(metrics), startedAtMs, reports: [{ step: 1, atMs, metrics: reported }] }
        const read = decode(resultMessage, JSON.stringify(message))
        if (read === undefined) return
        for (const told of [metrics, reported])
          for (const one of Object.keys(told)) expect(nameProblem(one)).toBeUndefined()
        for (const at of [startedAtMs, atMs]) expect(() => new Date(at).toISOString()).not.toThrow()
      }),
      { numRuns: 1_000 },
    )
  })

  it('keeps of an error as much as people read', () => {
    const error = { name: 'Error', message: 'x'.repeat(1e6), stack: 'y'.repeat(1e6) }
    const read = decode(resultMessage, JSON.stringify({ ...right, outcome: { state: 'failed', error } }))
    expect(read?.outcome).toMatchObject({ error: { message: 'x'.repeat(20_000), stack: 'y'.repeat(20_000) } })
  })
})

describe.skipIf(!hasNats)('a hostile worker', () => {
  const lab = RemoteLab.open()

  it('costs the trials that it was given one run each, and nothing else', async () => {
    const [tenant, sweep] = ['hostile', recorded()]
    const broker = await lab.broker(tenant)
    const { backend, listener, said } = await lab.backend(tenant, sweep)
    const tokens = await readTokens(broker, sweep.sweep)
    const messages = Object.values(hostile)
    const write = async (given: readonly Assignment[]): Promise<void> => {
      for (const [i, { trial }] of given.entries())
        broker.nc.publish(broker.names.result(tokens.keyOf(runKey(trial.id), 'result')), encode(messages[i]!))
      await broker.nc.flush()
    }
    const [waiting, earlier] = [messages.map(() => toyAssignment({})), messages.map(() => toyAssignment({}))]
    const assignments = [...waiting, ...earlier]
    for (const assignment of waiting) await backend.start(assignment)
    await write(waiting)
    await until(() => said.filter((line) => line.includes('runs anew')).length === waiting.length)
    // What came before its trial is asked for, as after a while without an orchestrator.
    await write(earlier)
    for (const assignment of earlier) await backend.start(assignment)
    const readable = [...(await readResults(broker, openStore(lab.folder), sweep.sweep)).values()]
    const saved = readable.flatMap(({ result }) => ('artifacts' in result.outcome ? [result.outcome.artifacts] : []))
    expect(saved).toEqual(Array(2).fill({ weights: { sha256, sizeBytes: maxSavedBytes } }))
    await lab.worker(tenant, { slots: 4 })
    await listener.untilEnded(assignments.map(({ trial }) => trial.id))
    for (const { trial } of assignments)
      expect(listener.of(trial.id).at(-1)).toMatchObject({ type: 'ended', outcome: { state: 'finished' } })
    expect(JSON.stringify(listener.seen)).not.toContain('"loss":666')

    expect(said.join('')).not.toMatch(/[\u0000-\u0009\u001b]/)
  })
})
