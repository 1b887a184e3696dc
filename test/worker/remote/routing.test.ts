import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import { toyAssignment } from '../../conformance/backend.js'
import { until } from '../../helpers/cli.js'
import { hasNats } from '../../helpers/nats.js'
import { recorded, RemoteLab } from '../../helpers/remote-lab.js'
import { subjectsOf } from '../../../src/worker/remote/wire/streams.js'

describe.skipIf(!hasNats)('a trial goes to workers that can run it', () => {
  const lab = RemoteLab.open()
  const able = { labels: ['a100', 'big'], gpus: ['0', '1'], memoryGb: 16 }
  const needs = { labels: ['a100'], gpu: 1, memoryGb: 8 }

  it.each([
    ['does not have the experiment', { ...able, custom: [] }],
    ['has mlds 99.0.0', { ...able, codeVersion: '99.0.0' }],
    ['has no label a100', { ...able, labels: ['big'] }],
    ['has 0 GPUs', { ...able, gpus: [] }],
    ['has 4 GB of memory', { ...able, memoryGb: 4 }],
  ])('and is never given to one that %s; the sweep says so, and one that comes later is enough', async (why, unfit) => {
    const tenant = why.replaceAll(/[^a-z0-9]+/g, '-')
    const broker = await lab.broker(tenant)
    let begun = 0
    const ear = broker.nc.subscribe(`mlds.${tenant}.event.>`, { callback: () => void begun++ })
    onTestFinished(() => ear.unsubscribe())
    const other = await lab.worker(tenant, unfit)
    const { backend, listener, said } = await lab.backend(tenant, { ...recorded(), needs })
    const assignments = [toyAssignment({}), toyAssignment({})]
    for (const assignment of assignments) await backend.start(assignment)
    await until(() => said.some((line) => line.includes(why)))
    expect(said.join('\n')).toContain('no worker can run 2 trials of toy')
    expect(said.join('\n')).toContain(other.name)
    // It was not even asked: nobody has said a word of any trial.
    await broker.nc.flush()
    expect([begun, other.said.filter((line) => line.includes('left to other workers'))]).toEqual([0, []])
    await lab.worker(tenant, able)
    await listener.untilEnded(assignments.map(({ trial }) => trial.id))
    for (const { trial } of assignments)
      expect(listener.of(trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'finished' } })
    // The next look at the fleet tells of it, unless the trials have ended before.
    expect(other.said.filter((line) => line.includes('left to other workers'))).toEqual([])
  })

  it.each([
    ['that may take 1 min 00 s could end', { timeLimitMs: 60_000 }],
    ['as one did there, could end', {}],
  ])('and not to one that leaves before another trial, %s; the sweep says so', async (why, limits) => {
    const isKnown = 'timeLimitMs' in limits
    const tenant = isKnown ? 'limited' : 'measured'
    let skippedMs = 0
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + skippedMs }
    const leaving = await lab.worker(tenant, { timeLimitMs: 59_000, clock, slots: 1 })
    const { backend, listener, said } = await lab.backend(tenant, { ...recorded(), needs: limits })
    if (!isKnown) {
      // The first may be tried, since nothing is known of it. It takes half a minute, and less is left then.
      const first = toyAssignment({ steps: 1 }, { interactive: true })
      await backend.start(first)
      await listener.until(({ type }) => type === 'report')
      skippedMs = 31_000
      backend.proceed(first.trial.id)
      await listener.untilEnded([first.trial.id])
    }
    const assignment = toyAssignment({})
    await backend.start(assignment)
    await until(() => said.some((line) => line.includes(why)))
    expect(said.join('\n')).toContain(leaving.name)
    expect(said.join('\n')).toContain('with a longer --time-limit is enough')
    expect(said.join('\n').includes('or a shorter timeout')).toBe(isKnown)
    expect(listener.of(assignment.trial.id)).toEqual([])
    await lab.worker(tenant, {})
    await listener.untilEnded([assignment.trial.id])
    expect(listener.of(assignment.trial.id)[0]).toMatchObject({
      worker: expect.not.stringMatching(leaving.name) as string,
    })
  })

  it('says of a trial that outlasts its workers that each of them hands it back', async () => {
    const { backend, listener, said } = await lab.backend('outlasted', recorded())
    await backend.start(toyAssignment({ behaviour: 'wait' }))
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(said).toEqual(expect.not.arrayContaining([expect.stringContaining('was handed back') as string]))
      const worker = await lab.startWorker('outlasted', {})
      await listener.until((event) => event.type === 'started' && event.attempt === attempt)
      await worker.end()
      await listener.until((event) => event.type === 'lost' && event.attempt === attempt)
    }
    await until(() => said.some((line) => line.includes('was handed back 3 times by workers that had to leave')))
  })

  it('says that there is no worker at all', async () => {
    const { backend, said } = await lab.backend('empty', recorded())
    await backend.start(toyAssignment({}))
    await until(() => said.some((line) => line.includes('there is no worker at all')))
  })

  it('and at most as many run at once as the devices and the memory allow', async () => {
    const worker = await lab.worker('shares', { slots: 8, gpus: ['7'], memoryGb: 16 })
    const { backend, listener } = await lab.backend('shares', { ...recorded(), needs: { gpu: 0.5 } })
    const assignments = Array.from({ length: 4 }, () => toyAssignment({}, { interactive: true }))
    for (const assignment of assignments) await backend.start(assignment)
    const running = new Set<string>()
    const untilRunning = async (count: number): Promise<void> => {
      while (running.size < count) running.add((await listener.until(({ type }) => type === 'report')).trial)
    }
    await untilRunning(2)
    const broker = await lab.broker('shares')
    const [lane] = (await broker.jsm.consumers.list(broker.names.trials).next()).filter(
      ({ name }) => name !== broker.names.consumer(),
    )
    // Six slots are free, and ask for nothing of this lane.
    expect([lane!.num_pending, lane!.num_ack_pending]).toEqual([2, 2])
    for (const trial of [...running]) await backend.stop(trial, 'seen enough')
    await untilRunning(4)
    for (const trial of [...running]) await backend.stop(trial, 'seen enough')
    const ended = () => listener.seen.filter(({ type }) => type === 'ended')
    while (ended().length < 4) await listener.until(({ type }) => type === 'ended')
    expect(ended().map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1])
    expect(worker.said.join()).not.toContain('left to other')
  })

  it('by turns where trials of several needs wait', async () => {
    const wide = await lab.backend('turns', { ...recorded('wide'), needs: { labels: ['big'] } })
    const narrow = await lab.backend('turns', { ...recorded('narrow') })
    const first = Array.from({ length: 20 }, () => toyAssignment({}))
    const second = Array.from({ length: 20 }, () => toyAssignment({}))
    for (const one of first) await wide.backend.start({ ...one, sweep: 'wide' })
    for (const one of second) await narrow.backend.start({ ...one, sweep: 'narrow' })
    await lab.worker('turns', { slots: 1, ...able })
    const ids = (all: typeof first) => all.map(({ trial }) => trial.id)
    await Promise.all([wide.listener.untilEnded(ids(first)), narrow.listener.untilEnded(ids(second))])
    const ends = (listener: typeof wide.listener) =>
      listener.seen.flatMap((event) => (event.type === 'ended' ? event.atMs : []))
    // Neither sweep waited for the end of the other.
    expect(Math.min(...ends(narrow.listener))).toBeLessThan(Math.max(...ends(wide.listener)))
    expect(Math.min(...ends(wide.listener))).toBeLessThan(Math.max(...ends(narrow.listener)))
  })

  it('and leaves no lane behind when the last sweep that used it has ended', async () => {
    const broker = await lab.broker('tidy')
    const lanes = async () => ({
      entries: await subjectsOf(broker.jsm, `KV_${broker.names.lanes}`, '>').catch(() => []),
      consumers: (await broker.jsm.consumers.list(broker.names.trials).next()).map(({ name }) => name),
    })
    const worker = await lab.worker('tidy')
    const [first, second] = [await lab.backend('tidy', recorded('one')), await lab.backend('tidy', recorded('two'))]
    const assignments = [toyAssignment({}), toyAssignment({})]
    await first.backend.start(assignments[0]!)
    await second.backend.start(assignments[1]!)
    await first.listener.untilEnded([assignments[0]!.trial.id])
    await second.listener.untilEnded([assignments[1]!.trial.id])
    // An acknowledgement goes with the next request.
    await worker.drain()
    await first.backend.close()
    expect((await lanes()).consumers).toHaveLength(2)
    await second.backend.close()
    expect((await lanes()).consumers).toEqual([broker.names.consumer()])
  })
})
