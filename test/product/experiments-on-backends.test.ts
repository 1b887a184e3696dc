import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addPieces } from '../../src/data/added.js'
import { readPieces } from '../../src/data/formats.js'
import { experimentNames } from '../../src/experiments/registry.js'
import type { Where } from '../../src/app/backends/open-backend.js'
import { freezePlan } from '../../src/app/planning/freeze-plan.js'
import { planTarget } from '../../src/app/planning/plan.js'
import { run } from '../../src/app/run.js'
import type { SweepSummary } from '../../src/app/summary.js'
import { openStore } from '../../src/system/store.js'
import { readRecords } from '../../src/sweeps/verdicts.js'
import { exportRows, formatCsv, formatJsonLines } from '../../src/sweeps/journal/export.js'
import { startNatsServer, type NatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { spawnMlds, until, type Running } from '../helpers/cli.js'
import { mnistFiles } from '../helpers/image-files.js'
import { hasNats } from '../helpers/nats.js'

/** Experiments of a person's own: a module whose third stage reads what the first one names, and a program. */
const files: Readonly<Record<string, string>> = {
  'three-stages.mjs': readFileSync(new URL('../fixtures/three-stages.mjs', import.meta.url), 'utf8'),
  'double.sh': `echo "{\\"step\\": 1, \\"loss\\": $1}"
echo "{\\"twice\\": $(($1 * 2))}"
`,
  'double.yaml': 'experiment: { command: "sh double.sh {n}" }\naxes: { n: [1, 2, 3] }\n',
}
const own = ['three-stages.mjs', 'double.yaml']

/** What a sweep has come to, told without times and hosts. */
interface Result {
  readonly standing: Pick<SweepSummary, 'planned' | 'finished' | 'unique' | 'verdicts'>
  readonly failures: readonly string[]
  readonly csv: string
  readonly jsonl: string
  readonly courses: string
}

/**
 * One server, and one worker process whose store is empty, for all sweeps. Experiments come from the catalog: a new one
 * is held to this from its first day.
 */
describe.skipIf(!hasNats)('every experiment', () => {
  const root = mkdtempSync(join(tmpdir(), 'mlds-product-'))
  const hostOf = (name: string): string => join(root, name)
  let server: NatsServer
  let worker: Running
  beforeAll(async () => {
    server = await startNatsServer(join(root, 'nats'), 0)
    const pieces = Object.entries(mnistFiles(60, 20)).flatMap(([name, bytes]) => readPieces(name, bytes))
    for (const host of ['inline', 'threads', 'remote', 'worker']) {
      mkdirSync(hostOf(host))
      for (const [file, text] of Object.entries(files)) writeFileSync(join(hostOf(host), file), text)
      // The worker has none of a person's data: they come with the trials.
      if (host !== 'worker') await addPieces(openStore(join(hostOf(host), 'store')).dataFolder, pieces)
    }
    const experiments = own.flatMap((file) => ['--experiment', file])
    worker = spawnMlds(['worker', 'start', '--nats', server.url, '--slots', '2', ...experiments], {
      cwd: hostOf('worker'),
    })
    await until(() => worker.output().includes('is ready'))
  })
  afterAll(async () => {
    worker.child.kill('SIGKILL')
    await server.stop('SIGKILL')
    rmSync(root, { recursive: true, force: true })
  })

  /** The sweep at profile *smoke*, its figures left out: they are drawn from the same records. */
  const sweepOn = async (backend: 'inline' | 'threads' | 'remote', target: string): Promise<Result> => {
    const store = openStore(join(hostOf(backend), 'store'))
    const file = own.includes(target) ? join(hostOf(backend), target) : target
    const { plan, experiment } = await planTarget(file, { set: [], profile: 'smoke' }, store)
    const { sweep } = await freezePlan(store, plan, experiment)
    const where: Record<typeof backend, Where> = {
      inline: { inline: 1 },
      threads: { threads: 1 },
      remote: { nats: server.url, tenant: 'mlds', threads: 0 },
    }
    const { planned, finished, unique, verdicts } = await run(
      { store, sweep, experiment: { ...experiment, figures: [] } },
      { where: where[backend], limits: { failingAlike: 0 } },
      { say: () => {} },
    )
    const records = readRecords(sweep)
    const rows = exportRows(records)
    return {
      standing: { planned, finished, unique, verdicts },
      failures: records.flatMap(({ outcome }) => (outcome?.state === 'failed' ? [outcome.error.message] : [])),
      csv: formatCsv(rows),
      jsonl: formatJsonLines(rows),
      courses: JSON.stringify(records.map(({ series, artifacts }) => [series, artifacts])),
    }
  }

  it.each([...experimentNames, ...own])('%s ends complete and with the same bytes on every backend', async (target) => {
    const [inline, threads, remote] = await Promise.all([
      sweepOn('inline', target),
      sweepOn('threads', target),
      sweepOn('remote', target),
    ])
    for (const { standing, failures } of [inline, threads, remote]) {
      expect(failures).toEqual([])
      expect(standing).toMatchObject({ finished: standing.planned, unique: standing.planned })
    }
    expect(threads).toEqual(inline)
    expect(remote).toEqual(inline)
  })
})
