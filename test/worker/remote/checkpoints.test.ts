import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeManifest, type Manifest } from '../../../src/worker/checkpoints/manifest.js'
import { readHead } from '../../../src/worker/remote/wire/checkpoints.js'
import { encode, oldestProtocol } from '../../../src/worker/remote/wire/protocol.js'
import { sealed, tagged } from '../../../src/worker/remote/wire/run-tokens.js'
import { subjectsOf, type OrchestratorBroker } from '../../../src/worker/remote/wire/streams.js'
import { readTokens } from '../../../src/worker/remote/wire/sweep-registry.js'
import type { RunKey } from '../../../src/worker/remote/wire/names.js'
import { toyAssignment, type Listener } from '../../conformance/backend.js'
import { hasNats } from '../../helpers/nats.js'
import { recorded, RemoteLab, runKey } from '../../helpers/remote-lab.js'

/** What a trial of so many steps comes to, worked out by hand: its reports, and what it saves after the second. */
function undisturbed(steps: number, init: number): { losses: number[]; second: string } {
  const values = [init]
  for (let i = 0; i < steps; i++) values.push((values.at(-1)! * 1103515245 + 12345) % 2147483648)
  const losses = values.slice(1).map((value) => value / 2147483648)
  return { losses, second: createHash('sha256').update(String(values[2])).digest('hex') }
}

function reportsOf(listener: Listener, trial: string, attempt: number) {
  return listener.of(trial).flatMap((event) => (event.type === 'report' && event.attempt === attempt ? [event] : []))
}

async function expectUndisturbed(listener: Listener, trial: string, steps: number): Promise<void> {
  const { losses, second } = undisturbed(steps, 7)
  const end = listener.of(trial).at(-1)
  expect(end).toMatchObject({ outcome: { state: 'finished', metrics: { loss: losses.at(-1) } } })
  expect(end).toMatchObject({ outcome: { artifacts: { second: { sha256: second } } } })
  const reports = reportsOf(listener, trial, end!.attempt)
  expect(reports.map(({ step, metrics }) => [step, metrics['loss']])).toEqual(losses.map((loss, i) => [i + 1, loss]))
}

describe.skipIf(!hasNats)('a trial on remote workers that keeps checkpoints', () => {
  const lab = RemoteLab.open()

  /** The run as whoever was given it knows it. */
  const givenRun = async (broker: OrchestratorBroker, trial: string): Promise<RunKey> =>
    (await readTokens(broker, recorded().sweep)).given(runKey(trial))

  it('goes on at another worker, with exactly the reports and results of before, and leaves nothing on the server', async () => {
    const broker = await lab.broker('moved')
    const { backend, listener } = await lab.backend('moved', recorded())
    const assignment = toyAssignment({ behaviour: 'keep-and-wait', steps: 6 }, { init: 7, interactive: true })
    const { id } = assignment.trial
    const first = await lab.startWorker('moved', { checkpointEveryMs: 0 })
    await backend.start(assignment)
    for (let reports = 1; reports <= 3; reports++) {
      await listener.until(({ type }) => type === 'report')
      backend.proceed(id)
    }
    // The fourth is made, and never answered: what the attempt does after its checkpoint counts for nothing.
    await listener.until(({ type }) => type === 'report')
    await first.end()
    await listener.until(({ type }) => type === 'lost')
    await lab.worker('moved', { checkpointEveryMs: 0 })
    for (let reports = 1; reports <= 6; reports++) {
      await listener.until(({ type }) => type === 'report')
      backend.proceed(id)
    }
    await listener.untilEnded([id])
    expect(reportsOf(listener, id, 2).map(({ carried }) => carried)).toEqual([
      ...[true, true, true],
      ...[undefined, undefined, undefined],
    ])
    await expectUndisturbed(listener, id, 6)
    const left = (): Promise<string[]> => subjectsOf(broker.jsm, broker.names.checkpoints, broker.names.checkpoint({}))
    await backend.close()
    expect(await left()).toEqual([])
  })

  it('is not called dead by attempts that vanish, as long as each gets further', async () => {
    const { backend, listener } = await lab.backend('further', recorded())
    await lab.worker('further', { checkpointEveryMs: 0 })
    const assignment = toyAssignment({ behaviour: 'keep-and-die', steps: 6 }, { init: 7 })
    await backend.start(assignment)
    await listener.until(({ type }) => type === 'ended')
    expect(listener.of(assignment.trial.id).filter(({ type }) => type === 'lost')).toHaveLength(5)
    await expectUndisturbed(listener, assignment.trial.id, 6)
  })

  it('does so in a process of its own too, whose crashes are its own, to the third', async () => {
    const { backend, listener } = await lab.backend('isolated', recorded())
    await lab.worker('isolated', { checkpointEveryMs: 0 })
    const of = (behaviour: string) => ({
      ...toyAssignment({ behaviour, steps: 3 }, { init: 7 }),
      isolate: true as const,
    })
    const [further, crash] = [of('keep-and-die'), of('crash')]
    for (const assignment of [further, crash]) await backend.start(assignment)
    for (let ended = 0; ended < 2; ended++) await listener.until(({ type }) => type === 'ended')
    await expectUndisturbed(listener, further.trial.id, 3)
    // It would have taken this very process along.
    const reason = '3 attempts vanished with their workers; the last: its process ended by SIGSEGV'
    expect(listener.of(crash.trial.id).at(-1)).toMatchObject({ outcome: { state: 'dead', reason } })
  })

  it('is handed back with one more checkpoint when its worker is told to go', async () => {
    const { backend, listener } = await lab.backend('told', recorded())
    const leave = new AbortController()
    const worker = await lab.startWorker('told', { checkpointEveryMs: 3_600_000, leave: leave.signal, slots: 1 })
    const assignment = toyAssignment({ behaviour: 'keep', steps: 4 }, { init: 7, interactive: true })
    await backend.start(assignment)
    await listener.until(({ type }) => type === 'report')
    leave.abort()
    const drained = worker.drain()
    backend.proceed(assignment.trial.id)
    await drained
    await lab.worker('told')
    await listener.until((event) => event.type === 'report' && event.attempt === 2 && event.carried === true)
    for (let reports = 1; reports < 4; reports++) {
      backend.proceed(assignment.trial.id)
      await listener.until(({ type }) => type === 'report')
    }
    backend.proceed(assignment.trial.id)
    await listener.untilEnded([assignment.trial.id])
    await expectUndisturbed(listener, assignment.trial.id, 4)
  })

  it('waits on the server for a later orchestrator, though nothing runs when the first one goes', async () => {
    const broker = await lab.broker('waiting')
    const left = (): Promise<string[]> => subjectsOf(broker.jsm, broker.names.checkpoints, broker.names.checkpoint({}))
    await lab.worker('waiting', { checkpointEveryMs: 3_600_000 })
    const assignment = toyAssignment({ behaviour: 'keep', steps: 4 }, { init: 7, interactive: true })
    const { id } = assignment.trial
    const first = await lab.backend('waiting', recorded())
    await first.backend.start(assignment)
    await first.listener.until(({ type }) => type === 'report')
    first.backend.proceed(id)
    await first.listener.until(({ type }) => type === 'report')
    await first.backend.stop(id, 'it waits at its rung', { keep: true })
    await first.listener.untilEnded([id])
    await first.backend.close()
    expect(await left()).not.toEqual([])

    const second = await lab.backend('waiting', recorded())
    await second.backend.start({ ...assignment, attempt: 2, pausedAfter: 2 })
    for (let reports = 1; reports <= 4; reports++) {
      await second.listener.until(({ type }) => type === 'report')
      second.backend.proceed(id)
    }
    await second.listener.untilEnded([id])
    const reports = second.listener.of(id).flatMap((event) => (event.type === 'report' ? [event.carried] : []))
    expect(reports).toEqual([true, true, undefined, undefined])
    await expectUndisturbed(second.listener, id, 4)
    await second.backend.close(true)
    expect(await left()).toEqual([])
  })

  const state = Buffer.from('{"step":5,"value":0}')
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  const file = (path: string, bytes = state) => ({ path, sha256: sha256(bytes), sizeBytes: bytes.length })
  const honest: Manifest = { attempt: 1, reports: [], saved: [], files: [file('state')] }
  const told = (facts: Partial<Manifest>): Buffer => Buffer.from(encodeManifest({ ...honest, ...facts }))
  const report = { step: 1, atMs: 1, metrics: { loss: 1 } }

  it('begins anew where the checkpoint is not what one may be, whatever is wrong with it, and writes nothing outside', async () => {
    const hostile: Readonly<Record<string, { manifest: Buffer; content?: Buffer; head?: object; seal?: string }>> = {
      'was written by someone who was not given the run': { manifest: told({}), seal: 'f'.repeat(32) },
      'leads out of its folder': { manifest: told({ files: [file('../../../outside')] }) },
      'leads out of its folder by a backslash': { manifest: told({ files: [file('..\\outside')] }) },
      'is an absolute path': { manifest: told({ files: [file('/tmp/mlds-outside')] }) },
      'has an escape sequence for a name': { manifest: told({ files: [file('\u001b[2Jstate')] }) },
      'names a file twice': { manifest: told({ files: [file('state'), file('state')] }) },
      'is a file and the folder of another': { manifest: told({ files: [file('state'), file('state/more')] }) },
      'says it is larger than any may be': { manifest: told({ files: [{ ...file('state'), sizeBytes: 2 ** 40 }] }) },
      'is shorter than it says': { manifest: told({ files: [{ ...file('state'), sizeBytes: 2 ** 30 }] }) },
      'was altered': { manifest: told({}), content: Buffer.from('{"step":5,"value":1}') },
      'has another manifest than it says': { manifest: told({}), head: { sha256: sha256(state) } },
      'is no manifest': { manifest: Buffer.from('[1, 2') },
      'names metrics that no trial may': { manifest: told({ reports: [{ ...report, metrics: { '../x': 1 } }] }) },
      'has no file': { manifest: told({ files: [] }) },
    }
    const broker = await lab.broker('hostile')
    const { publisher, names } = broker
    const { backend, listener } = await lab.backend('hostile', recorded())
    const started = Object.values(hostile).map((case_) => ({
      ...case_,
      assignment: toyAssignment({ behaviour: 'keep', steps: 6 }, { init: 7, interactive: true }),
    }))
    const slots = started.length
    const first = await lab.startWorker('hostile', { slots })
    for (const { assignment } of started) await backend.start(assignment)
    for (const _ of started) await listener.until(({ type }) => type === 'report')
    for (const { assignment, manifest, content = state, head, seal } of started) {
      const run = await givenRun(broker, assignment.trial.id)
      const key = tagged(run, 'checkpoint')
      await publisher.publish(names.checkpoint(key, 'a', 0), Buffer.concat([manifest, content]))
      const facts = { sha256: sha256(manifest), sizeBytes: manifest.length, ...head }
      const message = encode({ v: oldestProtocol, place: 'a', attempt: 1, manifest: facts })
      await publisher.publish(names.checkpoint(key, 'head', 0), sealed(message, seal ?? run.token!))
      expect((await readHead(broker, run)) === undefined).toBe(seal !== undefined)
    }
    await first.end()
    for (const _ of started) await listener.until(({ type }) => type === 'lost')
    const store = lab.store('hostile-store')
    await lab.worker('hostile', { store, slots })
    for (let ended = 0; ended < slots;) {
      const event = await listener.until(({ type }) => type === 'report' || type === 'ended')
      if (event.type === 'ended') ended++
      else backend.proceed(event.trial)
    }
    for (const { assignment } of started) {
      const { id } = assignment.trial
      await expectUndisturbed(listener, id, 6)
      expect(reportsOf(listener, id, 2).every(({ carried }) => carried === undefined)).toBe(true)
    }
    expect(existsSync('/tmp/mlds-outside')).toBe(false)
    for (const folder of [lab.folder, store.folder, join(store.folder, 'worker-checkpoints')])
      expect(readdirSync(folder).filter((name) => name.includes('outside'))).toEqual([])
  })
})
