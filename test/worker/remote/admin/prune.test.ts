import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/core/clock.js'
import { prune, type Pruned } from '../../../../src/worker/remote/admin/prune.js'
import { subjectsOf, type OrchestratorBroker } from '../../../../src/worker/remote/wire/streams.js'
import { controlSweep } from '../../../../src/worker/remote/wire/sweep-control.js'
import { listSweeps } from '../../../../src/worker/remote/wire/sweep-registry.js'
import { Listener, toyAssignment } from '../../../conformance/backend.js'
import { hasNats } from '../../../helpers/nats.js'
import { recorded, RemoteLab } from '../../../helpers/remote-lab.js'
import { newSigner, programPack, shipped, shippedAssignment } from '../../../helpers/shipped.js'

describe.skipIf(!hasNats)('pruning a server', () => {
  const lab = RemoteLab.open()
  const store = lab.store.bind(lab)

  /** A sweep of one trial that saves something of its own, collected to its end unless it is left alone. */
  const runOne = async (tenant: string, sweep: string, steps: number, detach = false): Promise<string> => {
    const backend = await lab.openBackend(tenant, { ...recorded(sweep, 1), detach })
    const assignment = toyAssignment({ behaviour: 'save', steps })
    await backend.start(assignment)
    if (!detach) await new Listener(backend).untilEnded([assignment.trial.id])
    await backend.close()
    return assignment.trial.id
  }
  const look = (broker: OrchestratorBroker, options: object = {}): Promise<Pruned> =>
    prune(broker, store('pruner'), { remove: false, clock: systemClock, ...options })
  const standing = ({ removed, kept }: Pruned): Record<string, string> =>
    Object.fromEntries([...removed, ...kept].map(({ sweep, state }) => [sweep, state]))
  const objectsOf = async ({ objects }: OrchestratorBroker): Promise<number> =>
    (await objects.list()).filter(({ deleted }) => !deleted).length

  it('takes what is finished or cancelled, when told to, and leaves the rest alone', async () => {
    const broker = await lab.broker('prune')
    await lab.worker('prune')
    await runOne('prune', 'done', 5)
    await runOne('prune', 'left', 6, true)
    const cancelled = await lab.openBackend('prune', recorded('cancelled', 2))
    await cancelled.close()
    await controlSweep(broker, 'cancelled', { wanted: 'cancel', by: 'someone', atMs: 0 })
    await (await lab.openBackend('prune', recorded('half', 2))).close()
    await expect
      .poll(() => look(broker).then(standing))
      .toEqual({
        done: 'finished',
        left: 'uncollected',
        cancelled: 'cancelled',
        half: 'unfinished',
      })
    // Four plans; those of what is finished or cancelled would go.
    expect(await look(broker)).toMatchObject({ objects: { count: 2 } })
    expect(await look(broker, { olderThanMs: 3_600_000 })).toMatchObject({ removed: [], objects: { count: 0 } })
    expect(await objectsOf(broker)).toBe(4)

    const pruned = await look(broker, { remove: true })
    expect(pruned.removed.map(({ sweep }) => sweep).sort()).toEqual(['cancelled', 'done'])
    expect((await listSweeps(broker)).map(({ sweep }) => sweep).sort()).toEqual(['half', 'left'])
    for (const stream of [broker.names.results, broker.names.attempts, broker.names.uploads])
      expect(await subjectsOf(broker.jsm, stream, '>')).toHaveLength(1)
    expect(await objectsOf(broker)).toBe(2)
    // One that was left alone goes when it is named.
    await look(broker, { remove: true, sweep: 'left' })
    expect(await subjectsOf(broker.jsm, broker.names.results, '>')).toEqual([])
    await expect(look(broker, { sweep: 'left' })).rejects.toThrow('unknown sweep on the NATS server: left')
  })

  it('takes a sweep of which some trials ran elsewhere, once all have ended', async () => {
    const broker = await lab.broker('parts')
    await lab.worker('parts')
    for (const [steps, isOver] of [
      [5, false],
      [6, true],
    ] as const) {
      const backend = await lab.openBackend('parts', recorded('parts', 3))
      const assignment = toyAssignment({ behaviour: 'save', steps })
      await backend.start(assignment)
      await new Listener(backend).untilEnded([assignment.trial.id])
      await backend.close(isOver)
      expect(standing(await look(broker))).toEqual({ parts: isOver ? 'finished' : 'unfinished' })
    }
  })

  it('takes nothing from a sweep that runs, nor any object while one does', async () => {
    const broker = await lab.broker('alive')
    await lab.worker('alive')
    await runOne('alive', 'done', 7)
    const { backend, listener } = await lab.backend('alive', recorded('running', 1))
    const assignment = toyAssignment({}, { interactive: true })
    await backend.start(assignment)
    await listener.until((event) => event.type === 'report')
    const before = await objectsOf(broker)
    const pruned = await look(broker, { remove: true })
    expect(standing(pruned)).toEqual({ done: 'finished', running: 'running' })
    expect(pruned.removed.map(({ sweep }) => sweep)).toEqual(['done'])
    expect(pruned.objects).toBeUndefined()
    expect(await objectsOf(broker)).toBe(before)
    await expect(look(broker, { remove: true, sweep: 'running' })).rejects.toThrow('nothing of it was removed')
    await backend.stop(assignment.trial.id, 'seen enough')
    await listener.untilEnded([assignment.trial.id])
    expect(listener.of(assignment.trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'stopped' } })
    await backend.close()
    const later = await look(broker, { remove: true })
    expect(later.removed.map(({ sweep }) => sweep)).toEqual(['running'])
    expect(await objectsOf(broker)).toBe(0)
  })

  it('keeps the code of a sweep that may be resumed', async () => {
    const broker = await lab.broker('code')
    const code = shipped(programPack({ 'run.sh': 'true\n' }), 'program', newSigner(), 'code')
    const { sweep, record } = recorded('half', 2)
    const withCode = { ...record, code: code.object }
    const backend = await lab.openBackend('code', { sweep, record: withCode, code, detach: true })
    await backend.start(shippedAssignment(1))
    await backend.close()
    await broker.jsm.streams.purge(broker.names.trials)
    expect(standing(await look(broker, { remove: true }))).toEqual({ half: 'unfinished' })
    expect((await broker.objects.info(code.object.sha256))?.deleted).toBe(false)
    await look(broker, { remove: true, sweep: 'half' })
    expect(await objectsOf(broker)).toBe(0)
  })
})
