import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditTracking, describeFindings } from '../../../src/app/audit.js'
import { drawFromMlflow } from '../../../src/app/from-mlflow.js'
import { recoverFromMlflow } from '../../../src/app/recover.js'
import { syncSweep } from '../../../src/app/sync.js'
import { systemClock } from '../../../src/core/clock.js'
import { MldsError } from '../../../src/core/errors.js'
import type { Trial } from '../../../src/core/trial.js'
import type { JournalEvent } from '../../../src/sweeps/journal/journal.js'
import { openStore, type Store } from '../../../src/system/store.js'
import { MlflowClient } from '../../../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../../../src/tracking/mlflow/rest/settings.js'
import type { Run } from '../../../src/tracking/mlflow/rest/wire.js'
import { hasMlflow, startMlflow, type MlflowServer } from '../../helpers/mlflow.js'
import { writeSweep } from '../../helpers/written-sweep.js'

/** What a tag or a file may be made of by whoever may write to the server; the first takes it away. */
const values = [
  undefined,
  'null',
  '{"state":"finished","metrics":null,"artifacts":7,"counts":null,"trials":[1],"metric":3,"files":7,"engines":7}',
  '[{"atMs":"x"}]',
]

function happened(trials: readonly Trial[]): JournalEvent[] {
  let atMs = 1_700_000_000_000
  const events: JournalEvent[] = trials.flatMap(({ id: trial }): JournalEvent[] => {
    const of = { trial, attempt: 1 }
    const artifacts = {}
    return [
      { ...of, type: 'started', worker: 'w', atMs: ++atMs },
      // Two of one step and time: their order is in a file.
      ...[3, 2].map((loss): JournalEvent => ({ ...of, type: 'report', step: 1, metrics: { loss }, atMs })),
      {
        ...{ ...of, type: 'ended', atMs: ++atMs, usage: { peakBytes: 1e8, cpuShare: 1 } },
        outcome: { state: 'finished', metrics: { loss: 1 }, artifacts },
      },
    ]
  })
  return [...events, { type: 'closed', reason: 'done', atMs }]
}

// MLflow takes 5 to 25 s to start.
describe.skipIf(!hasMlflow)('a sweep on a server where somebody altered', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-altered-'))
  const store = openStore(join(folder, 'store'))
  const warn = (): void => {}
  let server: MlflowServer
  let client: MlflowClient
  beforeAll(async () => {
    server = await startMlflow()
    client = new MlflowClient(mlflowSettings(server.url, {}))
    await writeSweep(
      store,
      'altered',
      values.map((_, i) => i + 1),
      happened,
    )
    await syncSweep(store, 'altered', { url: server.url, warn })
  })
  afterAll(async () => {
    await server.close()
    rmSync(folder, { recursive: true })
  })

  const post = async (path: string, body: object): Promise<void> => {
    const headers = { 'content-type': 'application/json' }
    const request = { method: 'POST', headers, body: JSON.stringify(body) }
    const answer = await fetch(`${server.url}/api/2.0/mlflow/${path}`, request)
    expect(answer.ok, await answer.text()).toBe(true)
  }
  const held = async (): Promise<{ parent: Run; children: Run[] }> => {
    const runs = await client.searchRuns(await client.experimentIds(), `tags."mlds.sweep" = 'altered'`)
    return {
      parent: runs.find(({ tags }) => !('mlds.trial' in tags))!,
      children: runs.filter(({ tags }) => 'mlds.trial' in tags),
    }
  }
  const auditIn = async (where: Store, deep = true): Promise<string[]> => {
    const options = { store: where, url: server.url, idleMs: 0, repair: false, deep, clock: systemClock }
    const { sweeps } = await auditTracking({ ...options, warn, say: warn })
    return sweeps.flatMap(({ findings }) => describeFindings(findings))
  }
  let copies = 0
  /** Whatever is read of it: what can't be is said in a sentence, and is no fault of mlds. */
  const read = async (): Promise<void> => {
    const ways = [
      () => drawFromMlflow(server.url, 'altered', join(folder, 'figures'), { warn, trustCode: true }, warn),
      () => recoverFromMlflow(openStore(join(folder, `copy-${copies++}`)), server.url, 'altered', warn),
    ]
    for (const way of ways)
      await way().catch((error: unknown) => expect(error, (error as Error).stack).toBeInstanceOf(MldsError))
  }
  /** An audit finds something, at least where the journal is; a sync mends all of it. */
  const expectSeenAndMended = async (isSilent: boolean): Promise<void> => {
    await read()
    const [here, elsewhere] = [await auditIn(store), await auditIn(openStore(join(folder, 'elsewhere')))]
    expect(here).not.toEqual([])
    if (!isSilent) expect(elsewhere).not.toEqual([])
    await syncSweep(store, 'altered', { url: server.url, warn, deep: true })
    expect(await auditIn(store)).toEqual([])
    expect(await auditIn(openStore(join(folder, 'elsewhere')))).toEqual([])
  }

  it('nothing: is sound', async () => {
    expect([...(await auditIn(store)), ...(await auditIn(openStore(join(folder, 'elsewhere'))))]).toEqual([])
  })

  // Only the journal tells these, or nothing does that is a fact of the sweep.
  const silent = ['mlds.worker', 'mlds.index', 'mlds.stage', 'mlds.experiment', 'mlds.best_trial', 'mlds.final']
  const childTags = [
    ...['mlds.run_key', 'mlds.sweep', 'mlds.sweep_key', 'mlds.trial', 'mlds.index', 'mlds.attempt', 'mlds.stage'],
    ...['mlds.worker', 'mlds.state', 'mlds.outcome', 'mlds.usage', 'mlds.series', 'mlds.final', 'mlflow.parentRunId'],
  ]
  it.each(childTags)('the tag %s of its trials', async (tag) => {
    const { children } = await held()
    for (const [i, { id }] of children.entries())
      if (values[i] === undefined) await post('runs/delete-tag', { run_id: id, key: tag })
      else await client.log(id, { tags: { [tag]: values[i] } })
    await expectSeenAndMended(silent.includes(tag))
    expect((await held()).children).toHaveLength(values.length)
  })

  const parentTags = [
    ...['mlds.run_key', 'mlds.sweep', 'mlds.sweep_key', 'mlds.experiment', 'mlds.state'],
    ...['mlds.best_trial', 'mlds.objective', 'mlds.standing'],
  ]
  it.each(parentTags)('the tag %s of its own run', async (tag) => {
    for (const value of values.slice(0, 3)) {
      const { parent } = await held()
      if (value === undefined) await post('runs/delete-tag', { run_id: parent.id, key: tag })
      else await client.log(parent.id, { tags: { [tag]: value } })
      // Earlier versions told neither.
      if (value === undefined && ['mlds.objective', 'mlds.standing'].includes(tag)) {
        await read()
        await auditIn(openStore(join(folder, 'elsewhere')))
        await syncSweep(store, 'altered', { url: server.url, warn, deep: true })
      } else await expectSeenAndMended(silent.includes(tag))
    }
  })

  it.each(['sweep/plan.json', 'manifest.json', 'sweep/verdicts.json', 'sweep/note.md'])('its file %s', async (path) => {
    for (const value of values.slice(0, 3)) {
      const { parent } = await held()
      if (value === undefined) rmSync(join(server.folder, 'artifacts', ...placeOf(parent), path))
      else await client.putArtifact(parent, path, Buffer.from(value))
      await read()
      const isSilent = path === 'manifest.json' && value !== undefined && value !== 'null'
      if (!isSilent) expect(await auditIn(openStore(join(folder, 'elsewhere')))).not.toEqual([])
      await syncSweep(store, 'altered', { url: server.url, warn, deep: true })
      expect(await auditIn(openStore(join(folder, 'elsewhere')))).toEqual([])
    }
  })

  it('the series of its trials', async () => {
    const { children } = await held()
    for (const [i, run] of children.entries())
      if (values[i] === undefined) rmSync(join(server.folder, 'artifacts', ...placeOf(run), 'series.jsonl'))
      else await client.putArtifact(run, 'series.jsonl', Buffer.from(values[i]))
    await expectSeenAndMended(false)
  })

  it('the experiment that a trial’s run lies in, or that of its own run', async () => {
    const other = await client.ensureExperiment('another')
    const { parent, children } = await held()
    for (const { id } of [children[0]!, parent]) {
      const script = `import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=60) as database:
    assert database.execute('UPDATE runs SET experiment_id = ? WHERE run_uuid = ?', sys.argv[2:]).rowcount == 1`
      const python = join(dirname(process.env['MLDS_MLFLOW']!), 'python')
      execFileSync(python, ['-c', script, join(server.folder, 'mlflow.db'), other, id])
      await expectSeenAndMended(false)
      const after = await held()
      expect(after.children).toHaveLength(values.length)
      expect(new Set([after.parent, ...after.children].map(({ experimentId }) => experimentId)).size).toBe(1)
    }
  })

  it('nothing but that all of it was copied into another experiment: both are sound, and sync keeps to its own', async () => {
    const copy = await client.ensureExperiment('copy')
    const { parent, children } = await held()
    const copied = new Map<string, string>()
    for (const { id, name, startMs, tags } of [parent, ...children]) {
      const moved = { ...tags, 'mlflow.parentRunId': copied.get(tags['mlflow.parentRunId'] ?? '') ?? '' }
      const made = await client.createRun(copy, { name, startMs, tags: moved }, 'mlds.none')
      copied.set(id, made.id)
    }
    const synced = await syncSweep(store, 'altered', { url: server.url, warn, deep: true })
    expect(synced.sent).toBe(0)
    const runs = await client.searchRuns([copy], '')
    expect(runs).toHaveLength(1 + children.length)
  })
})

/** Where a run's files lie below the folder of the server's artifacts. */
const placeOf = ({ artifactUri }: Run): string[] => artifactUri.replace(/^mlflow-artifacts:\/+/, '').split('/')
