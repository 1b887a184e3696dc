import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.js'
import { GridScheduler } from '../src/sweeps/scheduling/grid.js'
import { Journal } from '../src/sweeps/journal/journal.js'
import { makePlan } from '../src/sweeps/plan.js'
import { runSweep } from '../src/sweeps/run-sweep.js'
import { SweepState } from '../src/sweeps/journal/state.js'
import { SweepFolder } from '../src/sweeps/sweep-folder.js'
import { LogKeeper } from '../src/sweeps/trial-logs.js'
import { openStore } from '../src/system/store.js'
import { ThreadsBackend } from '../src/worker/threads/threads.js'
import { round, table } from './measure.js'
import { noopInfo, undisturbed } from './noop-info.js'
import { noopExperiment, noopCustom } from './noop-custom.js'

/** What a sweep costs besides its trials: planning, dispatch to threads with journal and logs, the decision to resume. */
const workers = 2

export async function benchOverhead(): Promise<void> {
  const experiment = noopExperiment
  const rows: string[][] = []
  for (const count of [1_000, 10_000]) {
    const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
    try {
      const store = openStore(folder)
      const timed = async <T>(work: () => Promise<T> | T): Promise<[T, number]> => {
        const start = performance.now()
        return [await work(), performance.now() - start]
      }
      const [plan, planMs] = await timed(() =>
        makePlan(
          experiment,
          { experiment: noopCustom.name, axes: { n: Array.from({ length: count }, (_, i) => i) } },
          () => '',
        ),
      )
      const sweep = await SweepFolder.create(store, plan, { codeVersion: '0', createdAtMs: 0 })
      const backend = new ThreadsBackend({
        workers,
        clock: systemClock,
        storeFolder: folder,
        logsFolder: sweep.logsFolder,
        checkpointsFolder: sweep.checkpointsFolder,
        datasets: [],
        custom: [noopCustom],
      })
      const journal = Journal.open(sweep.journalFile)
      const logs = new LogKeeper(sweep.logsFolder)
      let firstAtMs = 0
      const info = noopInfo(sweep.id, experiment, plan)
      await runSweep({
        ...undisturbed,
        info,
        engine: 'compiled',
        state: new SweepState(plan.trials),
        journal,
        keepLog: (trial, attempt, text) => logs.keep(trial, attempt, text),
        scheduler: new GridScheduler(plan.trials),
        backend,
        clock: systemClock,
        onEvent: () => void (firstAtMs ||= performance.now()),
      })
      const runMs = performance.now() - firstAtMs
      logs.close()
      journal.close()
      const [, resumeMs] = await timed(async () => {
        const reopened = await SweepFolder.open(store, sweep.id)
        const scheduler = new GridScheduler(reopened.plan.trials)
        for (const { trial, outcome } of reopened.restore().trials.values())
          if (outcome !== undefined) scheduler.recordEnd(trial, outcome)
        return scheduler.suggest()
      })
      rows.push([
        String(count),
        round(planMs),
        round(runMs / count),
        round(resumeMs),
        round(process.memoryUsage.rss() / 1e6),
      ])
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  console.log(
    table(['no-op trials', 'plan ms', 'ms per trial', 'resume decision ms', 'RSS MB (2 threads included)'], rows),
  )
}
