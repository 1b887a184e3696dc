import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drawFromMlflow } from '../../../src/app/from-mlflow.js'
import { recoverFromMlflow } from '../../../src/app/recover.js'
import { syncSweep } from '../../../src/app/sync.js'
import type { Metrics, ProcessUsage, Trial } from '../../../src/core/trial.js'
import { unreadExperiment } from '../../../src/experiments/vocabulary/unread.js'
import { drawFigures } from '../../../src/figures/draw.js'
import type { JournalEvent } from '../../../src/sweeps/journal/journal.js'
import { readRecords } from '../../../src/sweeps/verdicts.js'
import { SweepFolder } from '../../../src/sweeps/sweep-folder.js'
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
  /** Of processes of its own. */
  readonly usage?: ProcessUsage
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
  'processes of its own': {
    reports: [
      [1, 0, loss(1)],
      [9, 1, loss(1)],
    ],
    ...{ final: loss(0.5), endMs: 9, usage: { peakBytes: 123_456_789, cpuShare: 1.1 / 3 } },
  },
  'processes of its own, and no report': {
    ...{ reports: [], final: loss(7), endMs: 1, usage: { peakBytes: 1, cpuShare: 0 } },
  },
  'metrics called like those of its processes': {
    reports: [[1, 0, { loss: 1, 'system/process_cpu_percentage': 3 }]],
    ...{ final: { loss: 1, 'system/process_cpu_percentage': 4 }, endMs: 9, usage: { peakBytes: 1, cpuShare: 2 } },
  },
  'a metric called like the folder of those': {
    ...{ reports: [[1, 0, { loss: 1, system: 3 }]], final: loss(1), endMs: 9, usage: { peakBytes: 1, cpuShare: 2 } },
  },
  'negative steps': { reports: [-3, -2, -1].map((step, i) => [i, step, loss(step)]), final: loss(0), endMs: 9 },
  'no report': { reports: [], final: loss(7), endMs: 1 },
}

/** Of its trials in order. */
function usagesIn(sweep: SweepFolder): (ProcessUsage | undefined)[] {
  const index = new Map(sweep.plan.trials.map((trial) => [trial.id, trial.index]))
  const found: (ProcessUsage | undefined)[] = []
  for (const { event } of sweep.entries()) if (event.type === 'ended') found[index.get(event.trial)!] = event.usage
  return found
}

function happened(trials: readonly Trial[]): JournalEvent[] {
  return trials.flatMap(({ id: trial, index }) => {
    const { reports, final, endMs, usage } = Object.values(courses)[index]!
    const startMs = 1_700_000_000_000 + 1_000 * index
    const of = { trial, attempt: 1 }
    return [
      { ...of, type: 'started', worker: 'w', atMs: startMs },
      ...reports.map(([ms, step, metrics]) => ({ ...of, type: 'report', step, metrics, atMs: startMs + ms }) as const),
      {
        ...({ ...of, type: 'ended', atMs: startMs + endMs, ...(usage && { usage }) } as const),
        outcome: { state: 'finished', metrics: final, artifacts: {} },
      },
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

  it('shows what a trial’s processes took as system metrics, unless the trial calls metrics of its own so', () => {
    const system = names.flatMap((name) => {
      const found = [...runs.get(name)!.latest].filter(([key]) => key.startsWith('system/'))
      return found.length === 0 ? [] : [[name, Object.fromEntries(found.map(([key, { value }]) => [key, value]))]]
    })
    const told = (memory: number, cpu: number) => ({
      'system/process_peak_memory_megabytes': memory,
      'system/process_cpu_percentage': cpu,
    })
    expect(Object.fromEntries(system)).toEqual({
      'processes of its own': told(123.456789, 100 * (1.1 / 3)),
      'processes of its own, and no report': told(1e-6, 0),
      'metrics called like those of its processes': { 'system/process_cpu_percentage': 4 },
    })
  })

  it('gives the journal’s records back, its figures byte for byte, and is not sent again', async () => {
    const copy = openStore(join(folder, 'copy'))
    const { sweep: recovered } = await recoverFromMlflow(copy, server.url, 'hostile', warn)
    const sweep = await SweepFolder.open(store, 'hostile')
    const [here, there] = [readRecords(sweep), readRecords(recovered)]
    expect(there).toEqual(here)
    expect(usagesIn(recovered)).toEqual(
      usagesIn(sweep).map((usage, i) => (/called like/.test(names[i]!) ? undefined : usage)),
    )

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
