import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import * as fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connectNats } from '../../../../src/worker/remote/wire/connect.js'
import {
  attemptMessage,
  controlMessage,
  decode,
  encode,
  eventMessage,
  orderMessage,
  protocolVersion,
  queuedTrial,
  resultMessage,
  storedResult,
} from '../../../../src/worker/remote/wire/protocol.js'
import { defaultLane } from '../../../../src/worker/remote/wire/needs.js'
import { namesOf, sweepToken } from '../../../../src/worker/remote/wire/names.js'
import { toyAssignment } from '../../../conformance/backend.js'
import { hasNats, withNats } from '../../../helpers/nats.js'
import { withLabOrchestrator, withLabWorker } from '../../../helpers/remote-lab.js'

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

const v = protocolVersion
const report = { step: 1, atMs: 2, metrics: { loss: 0.5 } }
const whole = {
  trial: {
    v,
    codeVersion: '0.1.0',
    maxAttempts: 3,
    datasets: [{ name: 'd', fingerprint: 'f'.repeat(64) }],
    assignment: toyAssignment({}),
  },
  result: {
    v,
    worker: 'w',
    nonce: 'n',
    attempt: 1,
    startedAtMs: 1,
    atMs: 2,
    outcome: { state: 'finished', metrics: { loss: 1 }, artifacts: { a: { sha256: 'a'.repeat(64), sizeBytes: 3 } } },
    reports: [report],
  },
  attempt: {
    v,
    attempt: 1,
    vanished: 0,
    worker: 'w',
    nonce: 'n',
    startedAtMs: 1,
    standing: 'lost',
    atMs: 2,
    reason: 'r',
  },
  event: { type: 'progress', v, worker: 'w', attempt: 1, startedAtMs: 1, from: 0, reports: [report] },
  order: { type: 'proceed', until: 1 },
  control: { v, wanted: 'run', by: 'someone', atMs: 1 },
} as unknown as Record<'trial' | 'result' | 'attempt' | 'event' | 'order' | 'control', Json>

/** Values that programs trip over. */
const odd = fc.oneof(
  fc.constantFrom<Json>(null, '', 0, -1, 1e308, 2 ** 53, 'NaN', '__proto__', '../../etc/passwd', [], {}, [[]], true),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
)

/** A valid message with one to three of its parts replaced, left out, or joined by strangers. */
function mangled(message: Json): fc.Arbitrary<string> {
  const step = fc.record({
    at: fc.nat(),
    how: fc.constantFrom('replace', 'remove', 'add'),
    with: odd,
    key: fc.string(),
  })
  return fc.array(step, { minLength: 1, maxLength: 3 }).map((steps) => {
    const copy = JSON.parse(JSON.stringify(message)) as Json
    for (const { at, how, with: value, key } of steps) {
      const places = placesOf(copy)
      if (places.length === 0) break
      const [holder, name] = places[at % places.length]!
      if (how === 'remove') Reflect.deleteProperty(holder, name)
      else Reflect.set(holder, how === 'add' ? key : name, value)
    }
    return JSON.stringify(copy)
  })
}

function placesOf(value: Json): [object, string][] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [[value, key] as [object, string], ...placesOf(inner)])
}

/** Text that is no message of this kind: noise, other JSON, or nearly one. */
function malformed(kind: keyof typeof whole, isValid: (text: string) => boolean): fc.Arbitrary<string> {
  return fc
    .oneof(
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
      { weight: 1, arbitrary: fc.json() },
      { weight: 4, arbitrary: mangled(whole[kind]) },
    )
    .filter((text) => !isValid(text))
}

const hex = fc.stringMatching(/^[0-9a-f]{16}$/)
const token = fc.oneof(hex, fc.constantFrom('x', '0', '-1', 'a'.repeat(200), '%2e%2e', '__proto__'))

it('counts no attempt so high that the next, or the sum of all runs, could not be written down', () => {
  const schemas = { result: resultMessage, attempt: attemptMessage, event: eventMessage }
  for (const [kind, schema] of Object.entries(schemas)) {
    const counting = (attempt: number) =>
      decode<unknown>(schema, encode({ ...(whole[kind as keyof typeof schemas] as object), attempt }))
    expect(counting(1_000_000), kind).toBeDefined()
    for (const attempt of [1_000_001, 2 ** 31, Number.MAX_SAFE_INTEGER, 1e300])
      expect(counting(attempt), `${kind}, ${attempt}`).toBeUndefined()
  }
})

describe.skipIf(!hasNats)('with 10,000 malformed messages among the good ones', () => {
  it('no worker and no orchestrator crashes, and no trial is lost', async () => {
    const { url } = await withNats('')
    const place = { url, tenant: 'fuzz' }
    const orchestrator = await withLabOrchestrator(place)
    const worker = await withLabWorker(place, { slots: 4 })
    const vandal = await connectNats(url, 'vandal', { env: {} })
    onTestFinished(() => vandal.close())
    const js = jetstream(vandal)
    const names = namesOf('fuzz')
    const ours = sweepToken('toy-sweep')
    const real = Array.from({ length: 40 }, () => toyAssignment({ steps: 30 }))
    const ids = real.map(({ trial }) => trial.id)

    // The orders, events and controls are aimed at trials that run; results, attempts and queued trials at ones that
    // do not exist, since the first result and the last attempt of a real one count, whoever wrote them.
    const aimed = fc.oneof(fc.constantFrom(...ids), token)
    const kinds = {
      trial: malformed('trial', (text) => decode(queuedTrial, text) !== undefined),
      result: malformed('result', (text) => decode(storedResult, text) !== undefined),
      attempt: malformed('attempt', (text) => decode(attemptMessage, text) !== undefined),
      event: malformed('event', (text) => decode(eventMessage, text) !== undefined),
      order: malformed('order', (text) => decode(orderMessage, text) !== undefined),
      control: malformed('control', (text) => decode(controlMessage, text) !== undefined),
    }
    expect(decode(queuedTrial, encode(whole.trial as object))).toBeDefined()
    expect(decode(resultMessage, encode(whole.result as object))).toBeDefined()
    const sample = <T>(arbitrary: fc.Arbitrary<T>, numRuns = 2_000): T[] => fc.sample(arbitrary, { numRuns, seed: 20 })
    const messages = [
      ...sample(fc.tuple(token, token, fc.nat({ max: 99 }), kinds.trial)).map(([sweep, trial, generation, text]) => ({
        subject: names.trial({ sweep, trial, generation }, defaultLane),
        text,
      })),
      ...sample(fc.tuple(hex, fc.nat({ max: 99 }), kinds.result)).map(([trial, generation, text]) => ({
        subject: names.result({ sweep: ours, trial, generation }),
        text,
      })),
      ...sample(fc.tuple(hex, fc.nat({ max: 99 }), kinds.attempt), 1_000).map(([trial, generation, text]) => ({
        subject: names.attempt({ sweep: ours, trial, generation }),
        text,
      })),
      ...sample(fc.tuple(aimed, fc.nat({ max: 1 }), kinds.event), 1_000).map(([trial, generation, text]) => ({
        subject: names.event({ sweep: ours, trial, generation }),
        text,
      })),
      ...sample(fc.tuple(aimed, fc.nat({ max: 1 }), kinds.order)).map(([trial, generation, text]) => ({
        subject: names.order({ sweep: ours, trial, generation }),
        text,
      })),
      ...sample(fc.tuple(fc.oneof(fc.constant(ours), hex), kinds.control)).map(([sweep, text]) => ({
        subject: `$KV.${names.controls}.${sweep}`,
        text,
      })),
    ].sort((a, b) => (a.text < b.text ? -1 : 1))
    expect(messages).toHaveLength(10_000)

    const every = messages.length / real.length
    for (const [index, { subject, text }] of messages.entries()) {
      if (index % every === 0) await orchestrator.backend.start(real[index / every]!)
      if (subject.startsWith(names.trial({}).slice(0, 15))) await js.publish(subject, text).catch(() => {})
      else vandal.publish(subject, text)
    }
    await vandal.flush()
    const { listener } = orchestrator
    const open = new Set(ids)
    for (const { trial, type } of listener.seen) if (type === 'ended') open.delete(trial)
    while (open.size > 0) {
      const ended = await listener.until((event) => event.type === 'ended')
      open.delete(ended.trial)
    }
    for (const id of ids)
      expect(listener.of(id).filter((event) => event.type === 'ended')).toMatchObject([
        { outcome: { state: 'finished' }, attempt: 1 },
      ])
    // They were met, not passed by: thrown away by the one, complained of by the other.
    const thrown = worker.said.filter((line) => line.includes('malformed'))
    expect(thrown.length).toBeGreaterThan(1_000)
    expect(orchestrator.said.join('\n')).toContain('malformed')
    const { state } = await (await jetstreamManager(vandal)).streams.info(names.trials)
    // What is left speaks another version: it is for workers of that version.
    expect(state.messages).toBeLessThan(200)
  })
})
