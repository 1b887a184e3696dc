import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SimulatedClock } from '../src/core/clock.js'
import type { Experiment } from '../src/experiments/experiment.js'
import { openStore } from '../src/system/store.js'
import { GridScheduler } from '../src/sweeps/scheduling/grid.js'
import { Journal } from '../src/sweeps/journal/journal.js'
import { makePlan } from '../src/sweeps/plan.js'
import { runSweep } from '../src/sweeps/run-sweep.js'
import { SweepState } from '../src/sweeps/journal/state.js'
import { SweepFolder } from '../src/sweeps/sweep-folder.js'
import { SimulatedBackend } from '../src/worker/simulated.js'
import { round, table } from './measure.js'
import { noopInfo, undisturbed } from './noop-info.js'

/** What one orchestrator can take: the real loop and journal over workers that only a simulated clock knows. */
export async function benchScale(): Promise<void> {
  const module = pathToFileURL(join(import.meta.dirname, 'noop-experiment.mjs')).href
  const { default: experiment } = (await import(module)) as { default: Experiment }
  const rows: string[][] = []
  for (const [trials, workers] of [
    [10_000, 50],
    [100_000, 500],
  ] as const)
    rows.push(await simulate(experiment, trials, workers))
  const header = ['trials', 'workers', 'reports each', 'plan s', 'loop ms a trial', 'journal MB', 'resume s', 'RSS MB']
  console.log(table(header, rows))
}

const reportsEach = 10

async function simulate(experiment: Experiment, count: number, workers: number): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-scale-'))
  try {
    const clock = new SimulatedClock()
    const seconds = (since: number): string => round((performance.now() - since) / 1_000)
    let since = performance.now()
    const axes = { n: Array.from({ length: count }, (_, n) => n) }
    const plan = makePlan(experiment, { experiment: 'noop', axes }, () => '')
    const planned = seconds(since)
    const sweep = await SweepFolder.create(openStore(folder), plan, { codeVersion: '0', createdAtMs: 0 })
    const backend = new SimulatedBackend(workers, clock, ({ trial }) => ({
      reports: Array.from({ length: reportsEach }, (_, i) => ({
        afterMs: 1_000 * (i + 1),
        step: i,
        metrics: { n: i },
      })),
      endAfterMs: 10_000 + (trial.index % 7) * 1_000,
      end: { state: 'finished', metrics: { n: trial.index }, artifacts: {} },
    }))
    const journal = Journal.open(sweep.journalFile)
    since = performance.now()
    await runSweep({
      ...undisturbed,
      info: noopInfo(sweep.id, experiment, plan),
      engine: 'compiled',
      state: new SweepState(plan.trials),
      journal,
      scheduler: new GridScheduler(plan.trials),
      backend,
      clock,
    })
    const perTrial = round((performance.now() - since) / count)
    journal.close()
    since = performance.now()
    const { finished } = (await SweepFolder.open(openStore(folder), sweep.id)).restore().counts()
    if (finished !== count) throw new Error(`${finished} of ${count} trials finished`)
    const resumed = seconds(since)
    const megabytes = round(statSync(sweep.journalFile).size / 1e6)
    const rss = round(process.memoryUsage.rss() / 1e6)
    return [String(count), String(workers), String(reportsEach), planned, perTrial, megabytes, resumed, rss]
  } finally {
    rmSync(folder, { recursive: true })
  }
}
