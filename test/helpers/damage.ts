import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import type { MlflowClient } from '../../src/tracking/mlflow/rest/client.js'
import type { Run } from '../../src/tracking/mlflow/rest/wire.js'
import type { MlflowServer } from './mlflow.js'

/** What a person, a program or a broken disk can do to a sweep's runs on a server. */
export interface Damage {
  readonly what: string
  /** Harms runs, and says how many have to be brought again. */
  harm(held: HeldSweep): Promise<number>
  /** True of what only a look at every point and file can find. */
  readonly isDeep?: true
  /** True of what only the journal can tell. */
  readonly isSilent?: true
}

export interface HeldSweep {
  readonly server: MlflowServer
  readonly client: MlflowClient
  readonly parent: Run
  /** Oldest first. */
  readonly children: readonly Run[]
  /** A child that finished, and the only attempt at its trial. */
  readonly child: Run
}

const post = async ({ server }: HeldSweep, path: string, body: object): Promise<void> => {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${server.url}/api/2.0/mlflow/${path}`, {
    ...{ method: 'POST', headers, body: JSON.stringify(body) },
  })
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
}

/** What no request can do, done to the database; `?` stands for the child's id. */
function alter({ server, child }: HeldSweep, ...statements: string[]): void {
  const script = `import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=60) as database:
    for statement in sys.argv[3:]:
        assert database.execute(statement, [sys.argv[2]]).rowcount > 0, statement`
  const python = join(dirname(process.env['MLDS_MLFLOW']!), 'python')
  execFileSync(python, ['-c', script, join(server.folder, 'mlflow.db'), child.id, ...statements])
}

const one =
  (act: (held: HeldSweep) => unknown): Damage['harm'] =>
  async (held) => {
    await act(held)
    return 1
  }
const withoutTag = (key: string): Damage['harm'] =>
  one((held) => post(held, 'runs/delete-tag', { run_id: held.child.id, key }))
const update = (change: object): Damage['harm'] =>
  one((held) => post(held, 'runs/update', { run_id: held.child.id, ...change }))

export const damages: readonly Damage[] = [
  { what: 'a run set to RUNNING', harm: update({ status: 'RUNNING' }) },
  { what: 'a run set to FAILED', harm: update({ status: 'FAILED' }) },
  {
    what: 'a run that ends at another time',
    isSilent: true,
    harm: update({ status: 'FINISHED', end_time: 1_800_000_000_000 }),
  },
  { what: 'a run deleted', harm: one(({ client, child }) => client.deleteRun(child.id)) },
  ...['mlflow.parentRunId', 'mlds.state', 'mlds.outcome'].map((tag) => ({
    what: `a run without its tag ${tag}`,
    harm: withoutTag(tag),
  })),
  ...[
    { tag: 'mlds.series', value: 'series.jsonl', isDeep: true },
    { tag: 'mlds.outcome_file', value: 'outcome.json', isDeep: true },
    { tag: 'mlds.metrics', value: '[]', isDeep: true },
    { tag: 'mlds.final', value: '["loss"]', isSilent: true },
  ].map(({ tag, value, ...seen }) => ({
    what: `a false tag ${tag}`,
    ...(seen as Pick<Damage, 'isDeep' | 'isSilent'>),
    harm: one(({ client, child }) => client.log(child.id, { tags: { [tag]: value } })),
  })),
  {
    what: 'a run called the repetition of another trial’s',
    isSilent: true,
    harm: one(({ client, child, children }) => {
      const other = children.find(({ tags }) => tags['mlds.trial'] !== child.tags['mlds.trial'])!
      return client.log(child.id, { tags: { 'mlds.duplicate_of': other.id } })
    }),
  },
  {
    what: 'results called void',
    harm: one(({ client, parent }) => client.log(parent.id, { tags: { 'mlds.voided_at_ms': '1900000000000' } })),
  },
  {
    what: 'the parent copied into another experiment',
    harm: one(async ({ client, parent: { name, startMs, tags } }) => {
      const elsewhere = await client.ensureExperiment('a copy of the parent')
      const copy = await client.createRun(elsewhere, { name, startMs, tags }, 'mlds.run_key')
      await client.updateRun(copy.id, { status: 'FINISHED', endMs: startMs })
    }),
  },
  { what: 'a run without its worker', isSilent: true, harm: withoutTag('mlds.worker') },
  {
    what: 'a run under another parent',
    harm: one(({ client, child }) => client.log(child.id, { tags: { 'mlflow.parentRunId': child.id } })),
  },
  {
    what: 'another outcome',
    harm: one(({ client, child }) => {
      const outcome = JSON.stringify({ state: 'finished', metrics: { loss: 0 }, artifacts: {} })
      return client.log(child.id, { tags: { 'mlds.outcome': outcome } })
    }),
  },
  {
    what: 'another word of its processes',
    harm: one(({ client, child }) => client.log(child.id, { tags: { 'mlds.usage': '{"peakBytes":1,"cpuShare":1}' } })),
  },
  {
    what: 'another memory of its processes',
    harm: one(({ client, child }) => {
      const key = 'system/process_peak_memory_megabytes'
      return client.log(child.id, { points: [{ key, value: 9, step: 0, timestamp: child.endMs! + 1 }] })
    }),
  },
  {
    what: 'a run there twice',
    harm: one(({ client, child: { experimentId, name, startMs, tags } }) =>
      client.createRun(experimentId, { name, startMs, tags }, 'mlds.run_key'),
    ),
  },
  {
    what: 'a parameter missing',
    isSilent: true,
    harm: one((held) => alter(held, 'DELETE FROM params WHERE run_uuid = ?')),
  },
  {
    what: 'a parameter of another value',
    isSilent: true,
    harm: one((held) => alter(held, "UPDATE params SET value = '7' WHERE run_uuid = ?")),
  },
  {
    what: 'a metric missing',
    harm: one((held) =>
      alter(held, ...['metrics', 'latest_metrics'].map((table) => `DELETE FROM ${table} WHERE run_uuid = ?`)),
    ),
  },
  {
    what: 'a false last point',
    harm: one(({ client, child }) =>
      client.log(child.id, { points: [{ key: 'loss', value: 9, step: 99, timestamp: child.endMs! }] }),
    ),
  },
  { what: 'an attempt deleted that a later one followed', isSilent: true, harm: one(deleteLost) },
  {
    what: 'the parent set to RUNNING',
    harm: one(({ client, parent }) => client.updateRun(parent.id, { status: 'RUNNING' })),
  },
  {
    what: 'the parent deleted',
    async harm({ client, parent, children }) {
      await client.deleteRun(parent.id)
      return children.length
    },
  },
  {
    what: 'all runs deleted but the parent',
    async harm({ client, children }) {
      for (const { id } of children) await client.deleteRun(id)
      return children.length
    },
  },
  {
    what: 'a point missing',
    isDeep: true,
    harm: one((held) => alter(held, 'DELETE FROM metrics WHERE run_uuid = ? AND step = 2')),
  },
  {
    what: 'a false point',
    isDeep: true,
    harm: one(({ client, child }) =>
      client.log(child.id, { points: [{ key: 'loss', value: 9, step: 1, timestamp: child.startMs }] }),
    ),
  },
  {
    what: 'a log of other bytes',
    isDeep: true,
    isSilent: true,
    harm: one(({ client, child }) => client.putArtifact(child, 'log.txt', Buffer.from('another'))),
  },
  {
    what: 'another note',
    isDeep: true,
    harm: one(({ client, parent }) => client.log(parent.id, { tags: { 'mlflow.note.content': 'mine' } })),
  },
  {
    what: 'other counts',
    harm: one(({ client, parent }) =>
      client.log(parent.id, { tags: { 'mlds.standing': '{"counts":{"finished":9}}' } }),
    ),
  },
  {
    what: 'another best trial',
    harm: one(({ client, parent, children }) => {
      const other = children.find(({ tags }) => tags['mlds.trial'] !== parent.tags['mlds.best_trial'])!
      return client.log(parent.id, { tags: { 'mlds.best_trial': other.tags['mlds.trial']! } })
    }),
  },
  {
    what: 'another verdict',
    isDeep: true,
    harm: one(({ client, parent }) => client.putArtifact(parent, 'sweep/verdicts.json', Buffer.from('[1]'))),
  },
]

async function deleteLost({ client, children }: HeldSweep): Promise<void> {
  await client.deleteRun(children.find(({ tags }) => tags['mlds.state'] === 'lost')!.id)
}
