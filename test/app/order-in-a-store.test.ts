import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { planRemoval, removeSweeps } from '../../src/app/remove.js'
import { rememberTarget } from '../../src/app/backends/nats-target.js'
import { renameSweep } from '../../src/app/rename.js'
import { describeSweep } from '../../src/app/stored-sweep.js'
import type { Outcome, Trial } from '../../src/core/trial.js'
import type { JournalEvent } from '../../src/sweeps/journal/journal.js'
import { findEarlierResults } from '../../src/sweeps/reuse.js'
import { requireFullName, SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { readNote, writeNote } from '../../src/sweeps/sweep-note.js'
import { lockHolder, lockSweep } from '../../src/system/lock.js'
import { openStore, type Store } from '../../src/system/store.js'
import { SweepProjection } from '../../src/tracking/mlflow/projection/projection.js'
import { temporaryFolder } from '../helpers/cli.js'
import { writeSweep } from '../helpers/written-sweep.js'

const emptyStore = (): Store => openStore(join(temporaryFolder(), 'store'))
const about = { question: '', objective: { metric: 'loss', direction: 'minimize' } } as const
const keyOf = (sweep: SweepFolder): string =>
  new SweepProjection(describeSweep({ sweep, experiment: about }), { readLog: async () => undefined }).sweepKey

/** A sweep whose trials have finished and saved a file each, which holds what `saves` says; some are taken over. */
async function finished(
  store: Store,
  name: string,
  steps: readonly number[],
  options: { saves?: (step: number) => string; from?: string; closed?: string } = {},
): Promise<SweepFolder> {
  const { saves = String, from, closed = 'done' } = options
  const files = new Map<number, { sha256: string; sizeBytes: number }>()
  for (const step of steps) files.set(step, await store.putObject(Buffer.from(saves(step))))
  const ended = ({ params, id }: Trial): JournalEvent[] => {
    const artifacts = { saved: files.get(params['steps'] as number)! }
    const outcome: Outcome = { state: 'finished', metrics: { loss: 1 }, artifacts }
    return [
      ...(from === undefined ? [] : [{ type: 'reused', trial: id, from, atMs: 1 } as const]),
      { type: 'started', trial: id, attempt: 1, worker: 'w', atMs: 1 },
      { type: 'ended', trial: id, attempt: 1, atMs: 2, outcome },
    ]
  }
  return writeSweep(store, name, steps, (trials) => [
    ...trials.flatMap(ended),
    { type: 'closed', reason: closed, atMs: 3 },
  ])
}

const objectsOf = (store: Store): string[] => {
  const folder = join(store.folder, 'objects')
  return existsSync(folder) ? readdirSync(folder).flatMap((name) => readdirSync(join(folder, name))) : []
}

describe('a sweep that is renamed', () => {
  it('keeps its trials, its note and the key by which MLflow knows it; its lock is free', async () => {
    const store = emptyStore()
    const before = await finished(store, 'old', [1, 2])
    await writeNote(before.folder, { note: 'mine', tags: ['paper'] })
    expect(await renameSweep(store, 'old', 'new')).toEqual({ sweep: 'new', was: 'old' })
    const after = await SweepFolder.open(store, 'new')
    expect(after.id).toBe('new')
    expect(after.plan.trials).toEqual(before.plan.trials)
    expect(after.restore().counts().finished).toBe(2)
    expect(readNote(after.folder).tags).toEqual(['paper'])
    expect(keyOf(after)).toBe(keyOf(before))
    expect(await store.sweepIds()).toEqual(['new'])
    expect(lockHolder(after.lockFile)).toBeUndefined()
    expect(readdirSync(after.folder).filter((name) => name.startsWith('lock'))).toEqual([])
  })

  it('leaves its old name free for another sweep, which is another to MLflow only by when it was planned', async () => {
    const store = emptyStore()
    await finished(store, 'old', [1])
    await renameSweep(store, 'old', 'new')
    await finished(store, 'old', [2])
    expect(await store.sweepIds()).toEqual(['new', 'old'])
    await expect(renameSweep(store, 'new', 'old')).rejects.toThrow('there is a sweep of that name: old')
  })

  it('still speaks for itself where another has results from it: void there, they are void for all', async () => {
    const store = emptyStore()
    const first = await finished(store, 'first', [1])
    await finished(store, 'second', [1], { from: 'first' })
    await renameSweep(store, 'first', 'renamed')
    const third = { id: 'third', plan: first.plan }
    const found = await findEarlierResults(store, third, new Set(first.plan.trials.map(({ id }) => id)))
    expect([...found.values()].map(({ from }) => from)).toEqual(['renamed'])
  })

  it.each(['latest', '../up', '', '.hidden', 'a/b', 'x'.repeat(101)])('is not called %j', async (name) => {
    const store = emptyStore()
    await finished(store, 'old', [1])
    await expect(renameSweep(store, 'old', name)).rejects.toMatchObject({ exitCode: 2 })
    expect(await store.sweepIds()).toEqual(['old'])
  })

  it('is refused while it runs, and while workers have trials of it', async () => {
    const store = emptyStore()
    const sweep = await finished(store, 'old', [1])
    const lock = lockSweep(sweep.lockFile, 'old')
    onTestFinished(() => lock.release())
    await expect(renameSweep(store, 'old', 'new')).rejects.toThrow('is being run by another process')
    await writeSweep(store, 'away', [3], () => [{ type: 'closed', reason: 'detached', atMs: 1 }])
    await expect(renameSweep(store, 'away', 'new')).rejects.toThrow('may have trials with workers')
    // Whoever ran it was killed, or lost its server, before anything was called back.
    for (const [name, events] of [
      ['killed', []],
      ['cut', [{ type: 'closed', reason: 'no server', atMs: 1 }]],
    ] as const) {
      await writeSweep(store, name, [3], () => [...events])
      await rememberTarget(await SweepFolder.open(store, name), { nats: 'nats://far:1', tenant: 'mlds' }, false)
      await expect(renameSweep(store, name, 'new')).rejects.toThrow('may have trials with workers')
    }
  })
})

describe('a sweep that is removed', () => {
  it('takes its folder along and what its trials alone saved, and is counted before to the byte', async () => {
    const store = emptyStore()
    const { folder } = await finished(store, 'going', [1, 2, 3], { saves: (step) => 'x'.repeat(step * 10) })
    await finished(store, 'staying', [3, 4], { saves: (step) => 'x'.repeat(step * 10) })
    const bytes = ['plan.json', 'journal.jsonl'].reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
    const planned = await planRemoval(store, ['going'])
    expect(planned.sweeps).toMatchObject([
      { sweep: 'going', trials: 3, bytes, takenBy: [], learntBy: [], onServer: false },
    ])
    expect(planned.objects).toEqual({ count: 2, bytes: 30 })
    expect(objectsOf(store)).toHaveLength(4)
    expect(await removeSweeps(store, ['going'])).toEqual(planned)
    expect(await planRemoval(store, [])).toMatchObject({ objects: { count: 0 } })
    expect(objectsOf(store)).toHaveLength(2)
    expect(readdirSync(join(store.folder, 'sweeps'))).toEqual(['staying'])
  })

  it('is named with those that took results over from it, which keep them whole', async () => {
    const store = emptyStore()
    await finished(store, 'source', [1, 2])
    const taker = await finished(store, 'taker', [2], { from: 'source' })
    const { sweeps } = await removeSweeps(store, ['source'])
    expect(sweeps[0]!.takenBy).toEqual([{ sweep: 'taker', results: 1 }])
    const { outcome } = [...taker.restore().trials.values()][0]!
    const saved = outcome?.state === 'finished' ? outcome.artifacts['saved']! : undefined
    expect(Buffer.from(await store.readObject(saved!)).toString()).toBe('2')
  })

  it('stays while a process runs it, and so do those that were named with it', async () => {
    const store = emptyStore()
    await finished(store, 'idle', [1])
    const sweep = await finished(store, 'busy', [2])
    const lock = lockSweep(sweep.lockFile, 'busy')
    onTestFinished(() => lock.release())
    await expect(removeSweeps(store, ['idle', 'busy'])).rejects.toThrow('sweep busy is in use by process')
    expect(await store.sweepIds()).toEqual(['busy', 'idle'])
  })

  it('leaves what a trial that runs elsewhere has just saved, though no journal says so yet', async () => {
    const store = emptyStore()
    await finished(store, 'going', [1])
    const running = await writeSweep(store, 'running', [5], () => [])
    const lock = lockSweep(running.lockFile, 'running')
    onTestFinished(() => lock.release())
    await store.putObject(Buffer.from('1'))
    await removeSweeps(store, ['going'])
    expect(objectsOf(store)).toHaveLength(1)
  })

  it('leaves all that trials saved where a sweep that stays can not be read, and goes even if it can not be read itself', async () => {
    const store = emptyStore()
    await finished(store, 'going', [1])
    const newer = await finished(store, 'newer', [1])
    const text = readFileSync(newer.journalFile, 'utf8')
    writeFileSync(newer.journalFile, '')
    await mkdir(join(store.folder, 'sweeps', 'broken'))
    writeFileSync(join(store.folder, 'sweeps', 'broken', 'plan.json'), 'no plan')
    const { objects, sweeps } = await planRemoval(store, ['going', 'broken'])
    expect(sweeps.map(({ trials }) => trials)).toEqual([1, undefined])
    expect(objects.count).toBe(1)
    writeFileSync(newer.journalFile, text)
    await removeSweeps(store, ['going', 'broken'])
    expect(await store.sweepIds()).toEqual(['newer'])
    expect(objectsOf(store)).toHaveLength(1)
  })

  it('that was interrupted half way is finished by the next', async () => {
    const store = emptyStore()
    await finished(store, 'half', [1])
    await finished(store, 'other', [2])
    await import('node:fs/promises').then(({ rename }) =>
      rename(store.sweepFolder('half'), join(store.folder, 'sweeps', '.removed-1')),
    )
    expect(await store.sweepIds()).toEqual(['other'])
    await removeSweeps(store, ['other'])
    expect(readdirSync(join(store.folder, 'sweeps'))).toEqual([])
    expect(objectsOf(store)).toEqual([])
  })

  it('is named in full: neither its beginning nor latest will do', async () => {
    const store = emptyStore()
    await finished(store, 'widths', [1])
    expect(await requireFullName(store, 'sweeps/widths')).toBe('widths')
    for (const typed of ['wid', 'latest']) await expect(requireFullName(store, typed)).rejects.toThrow('unknown sweep')
  })
})
