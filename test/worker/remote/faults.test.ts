import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock, type Clock } from '../../../src/core/clock.js'
import { addPieces } from '../../../src/data/added.js'
import type { Piece } from '../../../src/data/formats.js'
import { openData } from '../../../src/data/catalog.js'
import { until } from '../../helpers/cli.js'
import { connectNats } from '../../../src/worker/remote/wire/connect.js'
import { startNatsServer } from '../../../src/worker/remote/admin/nats-server.js'
import { decode, encode, protocolVersion, workerMessage } from '../../../src/worker/remote/wire/protocol.js'
import { controlSweep } from '../../../src/worker/remote/wire/sweep-control.js'
import { remoteStatus } from '../../../src/worker/remote/admin/remote-status.js'
import { defaultLane } from '../../../src/worker/remote/wire/needs.js'
import { subjectsOf } from '../../../src/worker/remote/wire/streams.js'
import { toyAssignment, type Listener } from '../../conformance/backend.js'
import { codeVersion } from '../../../src/core/version.js'
import { hasNats } from '../../helpers/nats.js'
import { withTcpProxy } from '../../helpers/tcp-proxy.js'
import { runEachOnce } from '../../helpers/each-once.js'
import { leaseMs, laneConsumer, RemoteLab, runKey, toySweep } from '../../helpers/remote-lab.js'
import { toyCustom } from '../../helpers/custom-modules.js'

const course = (listener: Listener, trial: string): string[] =>
  listener
    .of(trial)
    .filter(({ type }) => type !== 'report')
    .map(({ type, attempt }) => `${type} ${attempt}`)

describe.skipIf(!hasNats)('remote workers under faults', () => {
  const lab = RemoteLab.open()

  it('counts attempts that begin, not deliveries into the void', async () => {
    const { backend, listener } = await lab.backend('void')
    const broker = await lab.broker('void')
    const assignment = toyAssignment({})
    await backend.start(assignment)
    const consumer = await broker.js.consumers.get(broker.names.trials, await laneConsumer(broker))
    // Four workers get it and begin nothing: one more than a trial has attempts.
    for (let i = 0; i < 4; i++) (await consumer.next())!.nak()
    await lab.worker('void')
    await listener.untilEnded([assignment.trial.id])
    expect(course(listener, assignment.trial.id)).toEqual(['started 1', 'ended 1'])
  })

  it('keeps a trial that its workers leave to others until one comes who can run it, however often it was delivered', async () => {
    const store = lab.store('never-had')
    // What it reads is nowhere: that shows only when the trial is there.
    const offers = (fingerprint: string) => () => [{ message: { name: 'mine', fingerprint } }]
    const unfit = await lab.worker('left', { slots: 1 })
    const { backend, said } = await lab.backend('left', { store, datasets: offers('0'.repeat(64)) })
    await backend.start(toyAssignment({}))
    await until(() => said.some((line) => line.includes('leaves trials to others')))
    expect(unfit.said.join()).toContain('left to other workers')
    const broker = await lab.broker('left')
    expect(await subjectsOf(broker.jsm, broker.names.trials, '>')).toHaveLength(1)
    expect(await subjectsOf(broker.jsm, broker.names.results, '>')).toEqual([])
  })

  it('keeps a message of another protocol in the queue for workers that speak it', async () => {
    const broker = await lab.broker('future')
    const worker = await lab.worker('future')
    const subject = broker.names.trial(runKey('00000000000000aa'), defaultLane)
    await broker.js.publish(subject, encode({ v: protocolVersion + 1, anything: true }))
    await until(() => worker.said.some((line) => line.includes(`this worker speaks protocol ${protocolVersion}`)))
    expect(await broker.jsm.streams.getMessage(broker.names.trials, { last_by_subj: subject })).not.toBeNull()
  })

  it('takes no result of before a fresh start, also one that comes late, or after the process that began it', async () => {
    const broker = await lab.broker('void-results')
    const [early, late] = [toyAssignment({}), toyAssignment({})]
    const facts = { v: 3, worker: 'slow', nonce: 'n', attempt: 1, startedAtMs: 1, atMs: 2, reports: [] }
    const outcome = { state: 'finished', metrics: { loss: 7 }, artifacts: {} }
    const commit = (trial: string) =>
      broker.js.publish(broker.names.result(runKey(trial)), encode({ ...facts, outcome }))
    await commit(early.trial.id)
    // No worker yet: both wait.
    const first = await lab.backend('void-results', { fresh: true, voids: 1 })
    for (const assignment of [early, late]) await first.backend.start(assignment)
    await commit(late.trial.id)
    await first.backend.close()
    // The journal says by now that there was a fresh start.
    const { backend, listener } = await lab.backend('void-results', { voids: 1 })
    for (const assignment of [early, late]) await backend.start(assignment)
    await lab.worker('void-results')
    await listener.untilEnded([early.trial.id, late.trial.id])
    for (const { trial } of [early, late]) {
      const end = listener.of(trial.id).at(-1)
      expect(end).toMatchObject({ outcome: { state: 'finished' } })
      expect(end).not.toMatchObject({ outcome: { metrics: { loss: 7 } } })
    }
  })

  it('reads a divergence as a worker of protocol 3 tells it', async () => {
    const { backend, listener } = await lab.backend('old-worker')
    const broker = await lab.broker('old-worker')
    const assignment = toyAssignment({})
    await backend.start(assignment)
    const error = { name: 'DivergedError', message: 'loss is not a finite number: NaN at step 2' }
    const facts = { worker: 'old', nonce: 'n', attempt: 1, startedAtMs: 1, atMs: 2, reports: [] }
    const result = encode({ v: 3, ...facts, outcome: { state: 'failed', error } })
    await broker.js.publish(broker.names.result(runKey(assignment.trial.id)), result)
    await listener.untilEnded([assignment.trial.id])
    expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({
      outcome: { state: 'diverged', metric: 'loss', step: 2, metrics: { loss: NaN } },
    })
  })

  it('answers a trial of protocol 3 in its words, with which it says that it is there', async () => {
    await lab.worker('old-sweep')
    const broker = await lab.broker('old-sweep')
    const assignment = toyAssignment({ behaviour: 'diverge' })
    const key = runKey(assignment.trial.id)
    const facts = { codeVersion, maxAttempts: 3, datasets: [] }
    await broker.js.publish(broker.names.trial(key, defaultLane), encode({ v: 3, ...facts, assignment }))
    const stored = () => broker.jsm.streams.getMessage(broker.names.results, { last_by_subj: broker.names.result(key) })
    await expect.poll(stored).not.toBeNull()
    expect((await stored())!.json()).toMatchObject({
      v: 3,
      outcome: { state: 'failed', error: { message: 'loss is not a finite number: NaN at step 2' } },
    })
    const { attempts } = broker.names
    const attempt = await broker.jsm.streams.getMessage(attempts, { last_by_subj: broker.names.attempt(key) })
    expect(attempt!.json()).toMatchObject({ v: 3 })
    for await (const name of await broker.workers.keys())
      expect((await broker.workers.get(name))!.json()).toMatchObject({ v: 3 })
  })

  it('drops the result of a worker that comes too late, and takes away what it had uploaded', async () => {
    const worker = await lab.worker('late')
    const { backend, listener } = await lab.backend('late')
    const broker = await lab.broker('late')
    const assignment = toyAssignment({ behaviour: 'report-save' }, { interactive: true })
    const key = runKey(assignment.trial.id)
    await backend.start(assignment)
    await listener.until(({ type }) => type === 'report')
    // Another worker was faster while this one waits for its answer.
    const rival = {
      v: protocolVersion,
      worker: 'rival',
      nonce: 'n',
      attempt: 2,
      startedAtMs: 1,
      atMs: 2,
      reports: [],
      outcome: { state: 'finished', metrics: { loss: 7 }, artifacts: {} },
    }
    await broker.js.publish(broker.names.result(key), encode(rival), { expect: { lastSubjectSequence: 0 } })
    await listener.until(({ type }) => type === 'ended')
    broker.nc.publish(broker.names.order(key), encode({ type: 'proceed', until: 1 }))
    await until(() => worker.said.some((line) => line.includes('the result of rival came first')))
    expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({ attempt: 2, outcome: { metrics: { loss: 7 } } })
    const { sha256 } = await lab.store('elsewhere').putObject(new Uint8Array([1, 2, 3]))
    await expect.poll(async () => (await broker.objects.info(sha256))?.deleted).toBe(true)
  })

  it('runs a trial anew whose stored result is malformed or lacks what it saved', async () => {
    const worker = await lab.worker('unreadable')
    const broker = await lab.broker('unreadable')
    const [junk, robbed] = [toyAssignment({}), toyAssignment({ behaviour: 'save', steps: 5 })]
    await broker.js.publish(broker.names.result(runKey(junk.trial.id)), '{"v":1}')
    const first = await lab.backend('unreadable')
    for (const assignment of [junk, robbed]) await first.backend.start(assignment)
    await first.listener.untilEnded([junk.trial.id, robbed.trial.id])
    expect(first.listener.of(junk.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
    await first.backend.close()
    await worker.end()
    const { sha256 } = await lab.store('elsewhere').putObject(new Uint8Array([1, 2, 5]))
    await broker.objects.delete(sha256)
    const second = await lab.backend('unreadable', { store: lab.store('new-host') })
    await second.backend.start(robbed)
    await lab.worker('unreadable')
    await second.listener.untilEnded([robbed.trial.id])
    expect(second.said.join()).toContain(`trial ${robbed.trial.id} runs anew`)
    expect(second.listener.of(robbed.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
    expect([...(await lab.store('new-host').readObject({ sha256 }))]).toEqual([1, 2, 5])
  })

  it('brings a data set that a worker has not got, by its content', async () => {
    const store = lab.store('with-data')
    const rows = 20
    const labels = Array.from({ length: rows }, (_, i) => i % 10)
    const facts = await addPieces(store.dataFolder, [...digits('train', labels), ...digits('test', [3, 4])])
    await lab.worker('data')
    const catalog = openData(store)
    const { facts: stored, read } = catalog.stored('mnist')!
    const object = { sha256: facts.sha256, sizeBytes: 22 * 785 }
    const shape = [...stored.shape]
    const { backend, listener } = await lab.backend('data', {
      store,
      datasets: () => [
        {
          message: { name: 'mnist', fingerprint: facts.sha256, object, images: { rows: 22, trainRows: rows, shape } },
          read,
        },
      ],
    })
    const assignment = toyAssignment({ behaviour: 'digits' })
    await backend.start(assignment)
    await listener.untilEnded([assignment.trial.id])
    const sum = [...labels, 3, 4].reduce((a, b) => a + b, 0)
    expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({ outcome: { metrics: { rows: 22, sum } } })
  })

  it('begins no trial whose data came only after its worker was told to go', async () => {
    const labels = Array.from({ length: 10 }, (_, i) => i)
    const store = lab.store('going')
    const { sha256 } = await addPieces(store.dataFolder, [...digits('train', labels), ...digits('test', [3, 4])])
    const { facts, read } = openData(store).stored('mnist')!
    const object = { sha256, sizeBytes: 12 * 785 }
    const images = { rows: 12, trainRows: 10, shape: [...facts.shape] }
    const { backend } = await lab.backend('going', {
      datasets: () => [{ message: { name: 'mnist', fingerprint: sha256, object, images }, read }],
    })
    let ended: Promise<void> | undefined
    const atWorker = lab.store('going-worker')
    const readObject = atWorker.readObject.bind(atWorker)
    const worker = await lab.startWorker('going', {
      store: Object.assign(atWorker, {
        readObject(ref: { readonly sha256: string }) {
          ended ??= worker.end()
          return readObject(ref)
        },
      }),
    })
    await backend.start(toyAssignment({ behaviour: 'wait' }))
    await until(() => ended !== undefined)
    await ended
    const { jsm, names } = await lab.broker('going')
    expect(await subjectsOf(jsm, names.attempts, '>')).toEqual([])
    expect(await subjectsOf(jsm, names.trials, '>')).toHaveLength(1)
  })

  it('brings 50 MB of data to a worker once, which keeps them on its disk', async () => {
    const [rows, shape] = [64_000, [28, 28, 1]]
    const bytes = Buffer.alloc(rows * 785, 'no two neighbouring rows of this are alike')
    for (let row = 0; row < rows; row++) bytes[row] = row % 10
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const object = { sha256, sizeBytes: bytes.length }
    let reads = 0
    const offer = {
      message: { name: 'mnist', fingerprint: sha256, object, images: { rows, trainRows: 60_000, shape } },
      read: async () => (reads++, bytes),
    }
    const { backend, listener } = await lab.backend('large', { datasets: () => [offer] })
    const store = lab.store('large-worker')
    const worker = await lab.startWorker('large', { store, heapMb: 256 })
    const assignments = Array.from({ length: 4 }, () => toyAssignment({ behaviour: 'digits' }))
    for (const assignment of assignments.slice(0, 3)) await backend.start(assignment)
    await listener.untilEnded(assignments.slice(0, 3).map(({ trial }) => trial.id))
    await worker.end()
    // Another of the same host comes when the server has them no more.
    const last = assignments[3]!
    await backend.start(last)
    const broker = await lab.broker('large')
    await broker.objects.delete(sha256)
    await lab.worker('large', { store, heapMb: 256 })
    await listener.untilEnded([last.trial.id])
    const sum = (rows / 10) * 45
    for (const { trial } of assignments)
      expect(listener.of(trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { metrics: { rows, sum } } })
    expect(reads).toBe(1)
  })

  it('takes a trial from a frozen process, and the process lets go of it when it wakes', async () => {
    const frozen = toyWorker('frozen', lab.server.url, join(lab.folder, 'frozen-store'))
    await frozen.says('is ready')
    const { backend, listener } = await lab.backend('frozen')
    const assignment = toyAssignment({}, { interactive: true })
    await backend.start(assignment)
    await listener.until(({ type }) => type === 'report')
    frozen.signal('SIGSTOP')
    await lab.worker('frozen')
    await listener.until((event) => event.type === 'started' && event.attempt === 2)
    frozen.signal('SIGCONT')
    await frozen.says('another has it now')
    for (let step = 1; step <= 3; step++) {
      await listener.until((event) => event.type === 'report' && event.step === step && event.attempt === 2)
      backend.proceed(assignment.trial.id)
    }
    await listener.untilEnded([assignment.trial.id])
    expect(course(listener, assignment.trial.id)).toEqual(['started 1', 'lost 1', 'started 2', 'ended 2'])
  })

  it('goes on with an interactive attempt whose orchestrator is another one now, from its first report', async () => {
    const worker = await lab.worker('heir', { slots: 1 })
    const assignment = toyAssignment({ steps: 4 }, { interactive: true })
    const { id } = assignment.trial
    const before = await lab.backend('heir', { detach: true })
    await before.backend.start(assignment)
    await before.listener.until(({ type }) => type === 'report')
    before.backend.proceed(id)
    await before.listener.until((event) => event.type === 'report' && event.step === 2)
    await before.backend.close()

    const { backend, listener } = await lab.backend('heir')
    await backend.start({ ...assignment, attempt: 2 })
    for (let step = 1; step <= 4; step++) {
      await listener.until((event) => event.type === 'report' && event.step === step)
      backend.proceed(id)
    }
    await listener.untilEnded([id])
    expect(course(listener, id)).toEqual(['started 2', 'ended 2'])
    expect(listener.of(id).filter(({ type }) => type === 'report')).toHaveLength(4)
    expect(worker.said.join()).not.toContain('another has it now')
  })

  it('finishes everything when the server is killed and comes back', async () => {
    const folder = join(lab.folder, 'restarted')
    let server = await startNatsServer(folder, 0)
    onTestFinished(() => server.stop('SIGKILL'))
    const at = lab.at(server)
    await at.worker('restart', { slots: 4 })
    const { backend, listener } = await at.backend('restart')
    const assignments = Array.from({ length: 60 }, () => toyAssignment({ steps: 50 }))
    for (const assignment of assignments) await backend.start(assignment)
    await listener.until(({ type }) => type === 'ended')
    const port = Number(new URL(server.url).port)
    await server.stop('SIGKILL')
    server = await startNatsServer(folder, port)
    const open = new Set(assignments.map(({ trial }) => trial.id))
    const forget = (): void => {
      for (const event of listener.seen) if (event.type === 'ended') open.delete(event.trial)
    }
    for (forget(); open.size > 0; forget()) await listener.until(({ type }) => type === 'ended')
    const ends = listener.seen.filter(({ type }) => type === 'ended')
    expect(ends).toHaveLength(assignments.length)
    for (const end of ends) expect(end).toMatchObject({ outcome: { state: 'finished' } })
  })

  it('takes over a stored result that is asked for while the server is away', async () => {
    const folder = join(lab.folder, 'away')
    let server = await startNatsServer(folder, 0)
    onTestFinished(() => server.stop('SIGKILL'))
    const at = lab.at(server)
    await at.worker('away')
    const assignment = toyAssignment({})
    const before = await at.backend('away')
    await before.backend.start(assignment)
    await before.listener.untilEnded([assignment.trial.id])
    await before.backend.close()
    const { backend, listener } = await at.backend('away')
    const port = Number(new URL(server.url).port)
    await server.stop('SIGKILL')
    const started = backend.start(assignment)
    server = await startNatsServer(folder, port)
    await started
    await listener.untilEnded([assignment.trial.id])
    expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'finished' } })
  })

  it('learns of results that the server sent into a dead connection', async () => {
    const proxy = await withTcpProxy(Number(new URL(lab.server.url).port))
    const connection = await connectNats(`nats://127.0.0.1:${proxy.port}`, 'orchestrator')
    const { backend, listener, said } = await lab.backend('swallowed', { connection })
    const assignments = [toyAssignment({}), toyAssignment({})]
    for (const assignment of assignments) await backend.start(assignment)
    const broker = await lab.broker('swallowed')
    // No message follows that would tell of the gap.
    proxy.swallow()
    await lab.worker('swallowed')
    await expect.poll(() => subjectsOf(broker.jsm, broker.names.results, '>')).toHaveLength(2)
    proxy.reset()
    await listener.untilEnded(assignments.map(({ trial }) => trial.id))
    for (const { trial } of assignments)
      expect(listener.of(trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'finished' } })
    expect(said.join()).not.toContain('queued again')
  })

  it('repeats storing a result until a full stream has room for it', async () => {
    const broker = await lab.broker('full')
    await broker.jsm.streams.update(broker.names.results, { max_bytes: 100 })
    const worker = await lab.worker('full')
    const { backend, listener } = await lab.backend('full')
    const assignment = toyAssignment({})
    await backend.start(assignment)
    await until(() => worker.said.some((line) => line.includes('could not be stored yet')))
    await broker.jsm.streams.update(broker.names.results, { max_bytes: -1 })
    await listener.untilEnded([assignment.trial.id])
    expect(course(listener, assignment.trial.id)).toEqual(['started 1', 'ended 1'])
  })

  it('frees the slot of a trial whose saved file is gone before it was sent, and runs the trial again', async () => {
    const broker = await lab.broker('gone')
    const objects = `OBJ_${broker.names.objects}`
    await broker.jsm.streams.update(objects, { max_bytes: 100 })
    const store = lab.store('gone-store')
    const worker = await lab.worker('gone', { slots: 1, store })
    const { backend, listener } = await lab.backend('gone')
    const assignment = toyAssignment({ behaviour: 'save' })
    await backend.start(assignment)
    await until(() => worker.said.some((line) => line.includes('could not be stored yet')))
    rmSync(join(store.folder, 'objects'), { recursive: true })
    await broker.jsm.streams.update(objects, { max_bytes: -1 })
    while (course(listener, assignment.trial.id).at(-1) !== 'ended 2') await listener.until(() => true)
    expect(course(listener, assignment.trial.id)).toEqual(['started 1', 'lost 1', 'started 2', 'ended 2'])
    expect(listener.of(assignment.trial.id).find(({ type }) => type === 'lost')).toMatchObject({
      reason: expect.stringContaining('an artifact is missing') as string,
    })
    expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
  })

  it('serves workers on when their consumer is made anew under them', async () => {
    const worker = await lab.worker('anew')
    await until(() => worker.said.some((line) => line.includes('is ready')))
    const broker = await lab.broker('anew')
    const { backend, listener } = await lab.backend('anew')
    for (let i = 0; i < 2; i++) {
      const assignment = toyAssignment({})
      await backend.start(assignment)
      await listener.untilEnded([assignment.trial.id])
      expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({ outcome: { state: 'finished' } })
      for (const name of [broker.names.consumer(), await laneConsumer(broker)]) {
        const { config } = await broker.jsm.consumers.info(broker.names.trials, name)
        await broker.jsm.consumers.delete(broker.names.trials, name)
        await broker.jsm.consumers.add(broker.names.trials, config)
      }
    }
  })

  it('does not take a queue for stalled because its workers last spoke when they were free', async () => {
    const worker = await lab.worker('talk', { slots: 1 })
    // A worker that is still starting is rightly told of as missing.
    await until(() => worker.said.some((line) => line.includes('is ready')))
    let looks = 0
    // The watch looks ten times as often; workers speak as seldom as ever.
    const clock: Clock = {
      ...systemClock,
      after(delayMs, callback) {
        if (delayMs !== leaseMs) return systemClock.after(delayMs, callback)
        looks++
        return systemClock.after(delayMs / 10, callback)
      },
    }
    const { backend, listener, said } = await lab.backend('talk', { clock })
    const [busy, waiting] = [toyAssignment({}, { interactive: true }), toyAssignment({})]
    await backend.start(busy)
    await listener.until((event) => event.type === 'report')
    await backend.start(waiting)
    await until(() => looks > 8)
    await backend.stop(busy.trial.id, 'seen enough')
    await listener.untilEnded([waiting.trial.id])
    expect(said).toEqual([])
  })

  it('loses no trial and no worker when wall clocks jump', async () => {
    let offsetMs = 0
    let beats = 0
    const clock: Clock = { ...systemClock, now: () => Date.now() + offsetMs }
    // A worker reads this clock when it renews a trial's lease.
    const monotonic = (): number => {
      beats++
      return performance.now()
    }
    await lab.worker('jump', { slots: 10, clock: { ...clock, monotonic } })
    const { backend, listener, said } = await lab.backend('jump', { clock, interactive: true })
    await expect.poll(() => backend.capacity).toBe(20)
    const assignments = Array.from({ length: 12 }, () => toyAssignment({}, { interactive: true }))
    const running = new Set<string>()
    for (const assignment of assignments.slice(0, 6)) await backend.start(assignment)
    await listener.until((event) => event.type === 'report' && running.add(event.trial).size === 6)
    for (const dayMs of [86_400_000, -2 * 86_400_000]) {
      offsetMs += dayMs
      expect(backend.capacity).toBe(20)
      const before = beats
      await until(() => beats >= before + 2 * running.size)
    }
    for (const assignment of assignments.slice(6)) await backend.start(assignment)
    const ids = assignments.map(({ trial }) => trial.id)
    for (const id of ids) await backend.stop(id, 'seen enough')
    await listener.untilEnded(ids)
    for (const id of ids) expect(course(listener, id)).toEqual(['started 1', 'ended 1'])
    expect(said).toEqual([])
  })

  it('queues again what the queue has lost', async () => {
    const { backend, listener, said } = await lab.backend('lost')
    const broker = await lab.broker('lost')
    const assignment = toyAssignment({})
    await backend.start(assignment)
    await broker.jsm.streams.purge(broker.names.trials)
    await lab.worker('lost')
    await listener.untilEnded([assignment.trial.id])
    expect(said).toContain(`trial ${assignment.trial.id} was gone from the queue: queued again`)
  })

  it('queues a trial afresh that the server delivers no more, at once or when it is asked for again', async () => {
    const broker = await lab.broker('exhausted')
    const exhaust = async (): Promise<void> => {
      const name = await laneConsumer(broker)
      const { config } = await broker.jsm.consumers.info(broker.names.trials, name)
      await broker.jsm.consumers.delete(broker.names.trials, name)
      await broker.jsm.consumers.add(broker.names.trials, { ...config, max_deliver: 2 })
      const consumer = await broker.js.consumers.get(broker.names.trials, name)
      for (let i = 0; i < 2; i++) (await consumer.next())!.nak()
      // The server notices when it would deliver it once more.
      await consumer.next({ expires: 1_000 }).then((message) => message?.nak())
    }
    const { backend, listener } = await lab.backend('exhausted', { detach: true })
    const [first, second] = [toyAssignment({}), toyAssignment({})]
    await backend.start(first)
    await exhaust()
    const worker = await lab.worker('exhausted')
    await listener.untilEnded([first.trial.id])
    expect(listener.of(first.trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'finished' } })
    await worker.end()
    await backend.start(second)
    await backend.close()
    await exhaust()
    await lab.worker('exhausted')
    const again = await lab.backend('exhausted')
    await again.backend.start(second)
    await again.listener.untilEnded([second.trial.id])
    expect(again.listener.of(second.trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'finished' } })
  })

  it('pauses and goes on, and cancels, as a person on another host asks', async () => {
    const { backend, listener, said } = await lab.backend('halt')
    const broker = await lab.broker('halt')
    const want = (wanted: 'run' | 'pause' | 'cancel') =>
      controlSweep(broker, toySweep, { wanted, by: 'ann@elsewhere', atMs: 1 })
    const [first, second, third] = [toyAssignment({}), toyAssignment({}), toyAssignment({})]
    await backend.start(first)
    await want('pause')
    await until(() => said.some((line) => line.startsWith('paused by ann@elsewhere')))
    await backend.start(second)
    const status = () => remoteStatus(broker, lab.store('onlooker'), toySweep)
    await expect.poll(status).toMatchObject({ wanted: 'pause', queued: 0 })
    await want('run')
    await until(() => said.some((line) => line.startsWith('set going again')))
    const worker = await lab.worker('halt')
    await listener.untilEnded([first.trial.id, second.trial.id])
    await worker.end()
    await backend.start(third)
    await want('cancel')
    await listener.untilEnded([third.trial.id])
    const afterwards = toyAssignment({})
    await backend.start(afterwards)
    await listener.untilEnded([afterwards.trial.id])
    for (const { trial } of [third, afterwards])
      expect(listener.of(trial.id)).toMatchObject([
        { type: 'ended', outcome: { state: 'cancelled', reason: 'cancelled by ann@elsewhere' } },
      ])
    await expect.poll(status).toMatchObject({ wanted: 'cancel', queued: 0, running: [], ended: { finished: 2 } })
  })

  it('takes back what no worker has begun, and nothing else', async () => {
    await lab.worker('recall', { slots: 1 })
    const { backend, listener } = await lab.backend('recall')
    const [running, waiting] = [toyAssignment({}, { interactive: true }), toyAssignment({})]
    await backend.start(running)
    await listener.until(({ type }) => type === 'report')
    await backend.start(waiting)
    expect(await backend.recall()).toEqual([waiting.trial.id])
    await backend.stop(running.trial.id, 'enough')
    await listener.untilEnded([running.trial.id])
    expect(listener.of(waiting.trial.id)).toEqual([])
  })

  it.each(['recalled', 'paused', 'cancelled'] as const)(
    'does not queue a trial that is %s while its data are on the way to the server',
    async (how) => {
      const tenant = `underway-${how}`
      const read = withResolvers<Uint8Array>()
      const asked = withResolvers<void>()
      const bytes = new TextEncoder().encode(how)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      const message = { name: 'slow', fingerprint: sha256, object: { sha256, sizeBytes: bytes.length } }
      const { backend, said } = await lab.backend(tenant, {
        datasets: () => [
          {
            message,
            read() {
              asked.resolve()
              return read.promise
            },
          },
        ],
      })
      const broker = await lab.broker(tenant)
      const assignment = toyAssignment({})
      const started = backend.start(assignment)
      await asked.promise
      if (how === 'recalled') expect(await backend.recall()).toEqual([assignment.trial.id])
      else {
        const wanted = how === 'paused' ? 'pause' : 'cancel'
        await controlSweep(broker, toySweep, { wanted, by: 'ann@elsewhere', atMs: 1 })
        await until(() => said.some((line) => line.startsWith(`${how} by ann@elsewhere`)))
      }
      read.resolve(bytes)
      await started
      expect(await subjectsOf(broker.jsm, broker.names.trials, '>')).toEqual([])
    },
  )

  it('leaves its queue to the workers when it is detached, and takes the results over later', async () => {
    const { backend } = await lab.backend('detach', { detach: true })
    const assignments = [toyAssignment({}), toyAssignment({ behaviour: 'fail' })]
    for (const assignment of assignments) await backend.start(assignment)
    await backend.close()
    const worker = await lab.worker('detach')
    const broker = await lab.broker('detach')
    await expect.poll(async () => (await broker.jsm.streams.info(broker.names.results)).state.messages).toBe(2)
    await worker.end()
    const later = await lab.backend('detach')
    await later.backend.start(assignments[0]!)
    await later.listener.untilEnded([assignments[0]!.trial.id])
    expect(course(later.listener, assignments[0]!.trial.id)).toEqual(['started 1', 'ended 1'])
  })

  it('says of itself what it does', async () => {
    const worker = await lab.worker('heard', { codeVersion: '0.1.7' })
    const broker = await lab.broker('heard')
    await until(() => worker.said.some((line) => line.includes('is ready')))
    const keys: string[] = []
    for await (const key of await broker.workers.keys()) keys.push(key)
    const words = decode(workerMessage, (await broker.workers.get(keys[0]!))!.string())
    expect(words).toMatchObject({ slots: 2, free: 2, running: [], codeVersion: '0.1.7', malformed: 0, draining: false })
    // It came first, and made the queue with its lease.
    const { said } = await lab.backend('heard', { leaseMs: 60_000 })
    expect(said.join()).toContain('the queue MLDS_heard_TRIALS has a lease of 2s, and keeps it: --lease 1m')
    await worker.end()
    const after: string[] = []
    for await (const key of await broker.workers.keys()) after.push(key)
    expect(after).toEqual([])
  })

  it('runs two thousand trials, each once', () => runEachOnce(lab, 2_000))
})

/** A promise and the means to settle it. */
function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((take) => (resolve = take))
  return { promise, resolve }
}

/** Files of digits with these labels. */
function digits(part: 'train' | 'test', labels: readonly number[]): Piece[] {
  const rows = labels.length
  const pixels = Uint8Array.from({ length: rows * 784 }, (_, i) => i % 251)
  return [
    { file: `${part}-images`, part, kind: 'images', rows, shape: [28, 28, 1], pixels },
    { file: `${part}-labels`, part, kind: 'labels', rows, labels: Uint8Array.from(labels) },
  ]
}

/** A worker in a process of its own, so that it can be frozen. */
function toyWorker(tenant: string, url: string, store: string) {
  const program = join(import.meta.dirname, '..', '..', 'fixtures', 'toy-worker.mjs')
  const child = spawn(process.execPath, [program, url, tenant, store, JSON.stringify(toyCustom), String(leaseMs)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  onTestFinished(() => void child.kill('SIGKILL'))
  return {
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    says: (words: string) => until(() => output.includes(words)),
  }
}
