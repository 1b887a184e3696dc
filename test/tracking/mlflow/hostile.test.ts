import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drawFromMlflow } from '../../../src/app/from-mlflow.js'
import { recoverFromMlflow } from '../../../src/app/recover.js'
import { syncSweep } from '../../../src/app/sync.js'
import type { Metrics, Trial } from '../../../src/core/trial.js'
import { unreadExperiment } from '../../../src/experiments/vocabulary/unread.js'
import { drawFigures } from '../../../src/figures/draw.js'
import type { JournalEvent } from '../../../src/sweeps/journal/journal.js'
import { readRecords } from '../../../src/sweeps/verdicts.js'
import { openStore } from '../../../src/system/store.js'
import { MlflowClient } from '../../../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../../../src/tracking/mlflow/rest/settings.js'
import type { Run } from '../../../src/tracking/mlflow/rest/wire.js'
import { hasMlflow, startMlflow, type MlflowServer } from '../../helpers/mlflow.js'
import { writeSweep } from '../../helpers/written-sweep.js'

interface Course {
  /** [milliseconds since the start, step, metrics]. */
  readonly reports: readonly (readonly [number, number, Metrics])[]
  readonly final: Metrics
  /** Milliseconds from the start to the end. */
  readonly endMs: number
}
const many = Array.from({ length: 19 }, (_, i) => i)
const loss = (value: number): Metrics => ({ loss: value })

/** What a program may print: each is one trial. */
const courses: Readonly<Record<string, Course>> = {
  'one step in one millisecond, falling': {
    reports: many.map((i) => [5, 0, loss(1 / (2 + i))]),
    ...{ final: loss(1 / 20), endMs: 9 },
  },
  'one step in one millisecond, with equal values': {
    reports: many.map((i) => [5, 0, loss(i % 2)]),
    ...{ final: loss(0), endMs: 5 },
  },
  'steps that begin again': {
    reports: [
      ...many.map((i) => [i, i, loss(1)] as const),
      ...many.map((i) => [30 + i, i % 7, loss(1 / (1 + i))] as const),
    ],
    ...{ final: loss(1 / 19), endMs: 60 },
  },
  'the largest double, and infinities': {
    reports: [1, 2, 3, 4].map((i) => [
      i,
      i,
      { loss: i, size: [Number.MAX_VALUE, Infinity, -Number.MAX_VALUE, -Infinity][i - 1]! },
    ]),
    ...{ final: { loss: 4, size: Number.MAX_VALUE }, endMs: 9 },
  },
  'a clock that is set back': {
    reports: many.map((i) => [50 - i, i, loss(i)]),
    ...{ final: loss(18), endMs: 3 },
  },
  'a result as an earlier report, in the millisecond of the end': {
    reports: [
      [9, 1, loss(1)],
      [9, 2, loss(2)],
    ],
    ...{ final: loss(1), endMs: 9 },
  },
  'names out of order, not all at once': {
    reports: [
      [1, 1, { 'z/loss': 1, loss: 2 }],
      [2, 2, { loss: 3, accuracy: NaN }],
      [3, 3, { accuracy: 1, 'z/loss': 4 }],
    ],
    ...{ final: { loss: 9, 'z/loss': 4, accuracy: 1 }, endMs: 4 },
  },
  'negative steps': { reports: [-3, -2, -1].map((step, i) => [i, step, loss(step)]), final: loss(0), endMs: 9 },
  'no report': { reports: [], final: loss(7), endMs: 1 },
}

function happened(trials: readonly Trial[]): JournalEvent[] {
  return trials.flatMap(({ id: trial, index }) => {
    const { reports, final, endMs } = Object.values(courses)[index]!
    const startMs = 1_700_000_000_000 + 1_000 * index
    const of = { trial, attempt: 1 }
    return [
      { ...of, type: 'started', worker: 'w', atMs: startMs },
      ...reports.map(([ms, step, metrics]) => ({ ...of, type: 'report', step, metrics, atMs: startMs + ms }) as const),
      { ...of, type: 'ended', atMs: startMs + endMs, outcome: { state: 'finished', metrics: final, artifacts: {} } },
    ]
  })
}

// MLflow takes 5 to 25 s to start.
describe.skipIf(!hasMlflow)('a sweep whose programs print what nobody expects', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-hostile-'))
  const store = openStore(join(folder, 'store'))
  const warn = (message: string): void => expect.fail(message)
  let server: MlflowServer
  let runs: Map<string, Run>
  let client: MlflowClient
  const names = Object.keys(courses)
  beforeAll(async () => {
    server = await startMlflow()
    await writeSweep(
      store,
      'hostile',
      names.map((_, i) => i + 1),
      happened,
    )
    await syncSweep(store, 'hostile', { url: server.url, warn })
    client = new MlflowClient(mlflowSettings(server.url, {}))
    const found = await client.searchRuns(await client.experimentIds(), `tags."mlds.sweep" = 'hostile'`)
    runs = new Map(found.map((run) => [names[Number(run.tags['mlds.index'])] ?? 'parent', run]))
  })
  afterAll(async () => {
    await server.close()
    rmSync(folder, { recursive: true })
  })

  it.each(Object.entries(courses))(
    'has every report as a point, in order, and the result as the latest: %s',
    async (name, course) => {
      const run = runs.get(name)!
      for (const [key, value] of Object.entries(course.final)) {
        const is = run.latest.get(key)!.value
        expect(Math.abs(is) === Infinity ? Math.sign(is) * Number.MAX_VALUE : is, key).toBe(value)
        const reported = course.reports.flatMap(([, step, metrics]) =>
          Object.hasOwn(metrics, key)
            ? [[step, Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, metrics[key]!))]]
            : [],
        )
        const points = (await client.history(run.id, key)).sort((a, b) => a.timestamp - b.timestamp)
        const held = points.map((point) => [
          point.step,
          Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, point.value)),
        ])
        // One more where the last of the highest step is not the result.
        expect(held.length - reported.length).toBeLessThanOrEqual(1)
        if (!name.startsWith('a clock')) expect(held.slice(0, reported.length)).toEqual(reported)
      }
    },
  )

  it('gives the journal’s records back, its figures byte for byte, and is not sent again', async () => {
    const copy = openStore(join(folder, 'copy'))
    const { sweep: recovered } = await recoverFromMlflow(copy, server.url, 'hostile', warn)
    const { SweepFolder } = await import('../../../src/sweeps/sweep-folder.js')
    const sweep = await SweepFolder.open(store, 'hostile')
    const [here, there] = [readRecords(sweep), readRecords(recovered)]
    expect(there).toEqual(here)

    const general = unreadExperiment(sweep.plan)
    const read = async (): Promise<Uint8Array> => expect.fail('nothing was saved')
    const drawn = await drawFigures(general.figures, here, read, join(folder, 'here'), warn)
    const said: string[] = []
    const options = { warn: (message: string): void => void said.push(message) }
    const { figures } = await drawFromMlflow(server.url, 'hostile', join(folder, 'there'), options, warn)
    expect(figures.map((file) => basename(file))).toEqual(drawn.map((file) => basename(file)))
    expect(drawn.length).toBeGreaterThan(0)
    drawn.forEach((file, i) => expect(readFileSync(figures[i]!).equals(readFileSync(file)), file).toBe(true))
    expect(said).toEqual([expect.stringContaining("another user's and is not run")])
    const again = await syncSweep(store, 'hostile', { url: server.url, warn, deep: true })
    expect(again.sent).toBe(0)
  })
})
