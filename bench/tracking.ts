import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { MlflowClient } from '../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../src/tracking/mlflow/rest/settings.js'
import { MlflowTracker } from '../src/tracking/mlflow/tracker.js'
import { writeMlruns } from '../src/tracking/mlflow/mlruns.js'
import type { SweepStory } from '../src/tracking/mlflow/projection/story.js'
import type { SweepInfo } from '../src/tracking/tracker.js'
import type { TrialEvent } from '../src/core/trial.js'
import { startMlflow } from '../test/helpers/mlflow.js'
import { round, table } from './measure.js'

const [trials, points, fluentTrials, exported] = [100, 300, 4, 10_000]

function sweepOf(count: number): { info: SweepInfo; events: TrialEvent[] } {
  const plan = Array.from({ length: count }, (_, index) => ({
    id: index.toString(16).padStart(16, '0'),
    index,
    experiment: 'bench',
    version: 1,
    stage: 'main',
    params: { width: index },
    seeds: { data: 0, init: 0, shuffle: 0, corruption: 0 },
    parents: [],
    cost: 1,
  }))
  const events = plan.flatMap(({ id: trial }): TrialEvent[] => [
    { type: 'started', trial, attempt: 1, atMs: 1_700_000_000_000, worker: 'w' },
    ...Array.from({ length: points }, (_, i) => ({
      ...({ type: 'report', trial, attempt: 1, step: i + 1 } as const),
      atMs: 1_700_000_000_001 + i,
      metrics: { 'train/loss': 1 / (i + 1) },
    })),
    {
      ...({ type: 'ended', trial, attempt: 1 } as const),
      atMs: 1_700_000_001_000,
      outcome: { state: 'finished', metrics: { 'train/loss': 1 / points }, artifacts: {} },
    },
  ])
  const info = {
    sweep: `bench-${count}`,
    name: 'bench',
    experiment: 'bench',
    question: '',
    spec: {},
    planHash: '',
    codeVersion: '0',
    openedAtMs: 0,
    trials: plan,
  }
  return { info: { ...info, objective: { metric: 'train/loss', direction: 'minimize' } }, events }
}

/** Trials per second into one MLflow server on SQLite, ours and Python's, and the export of 10,000 trials. Needs MLDS_MLFLOW. */
export async function benchTracking(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
  const server = await startMlflow()
  const story: SweepStory = { verdicts: [], figures: [], files: new Map(), facts: {} }
  const seconds = async (work: () => Promise<unknown>): Promise<number> => {
    const start = performance.now()
    await work()
    return (performance.now() - start) / 1000
  }
  try {
    const python = (way: string, count: number): number =>
      Number(
        execFileSync(
          join(dirname(process.env['MLDS_MLFLOW']!), 'python'),
          [join(import.meta.dirname, 'peers', 'tracking_mlflow.py'), server.url, way, String(count), String(points)],
          { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
        )
          .trim()
          .split('\n')
          .at(-1),
      )
    python('batch', 5) // warm-up
    const { info, events } = sweepOf(trials)
    const own = await seconds(async () => {
      const tracker = new MlflowTracker({
        client: new MlflowClient(mlflowSettings(server.url, {})),
        experimentName: 'bench',
        acknowledgedFile: join(folder, 'acknowledged.jsonl'),
        history: () => events.map((event, offset) => ({ event, offset })),
        readLog: async () => undefined,
        warn: console.warn,
        linksTo: ({ parentRun }) => ({ link: '', parentLink: parentRun, compareLink: '' }),
      })
      await tracker.open(info)
      await tracker.finish(async () => story)
    })
    const rate = trials / own
    const rows = [['mlds sync', round(rate), '1']]
    for (const [name, way, count] of [
      ['Python, one log_batch per trial', 'batch', trials],
      ['Python, log_metrics per step', 'fluent', fluentTrials],
    ] as const) {
      const theirs = python(way, count)
      rows.push([name, theirs.toFixed(2), (rate / theirs).toFixed(2)])
    }
    console.log(table([`${points} points a trial`, 'trials/s', 'mlds is faster by'], rows))
    const large = sweepOf(exported)
    const exportS = await seconds(() =>
      writeMlruns({
        folder: join(folder, 'mlruns'),
        experimentName: 'bench',
        info: large.info,
        history: () => large.events,
        story,
        readLog: async () => undefined,
      }),
    )
    console.log(`export of ${exported} trials as mlruns: ${round(exportS)} s`)
  } finally {
    await server.close()
    rmSync(folder, { recursive: true })
  }
}
