import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findExperiment } from '../src/experiments/registry.js'
import { openStore } from '../src/system/store.js'
import { Journal, journalFormat } from '../src/sweeps/journal/journal.js'
import { makePlan } from '../src/sweeps/plan.js'
import { SweepFolder } from '../src/sweeps/sweep-folder.js'
import { migrateFileStore, startMlflow } from '../test/helpers/mlflow.js'
import { round, show, summarize, table } from './measure.js'

const program = join(import.meta.dirname, '..', 'bin', 'run.js')
const [rounds, trials, rebuilt] = [2, 200, 1000]

/**
 * Trials that wait instead of working, 20 times so many milliseconds, so that the server, on the same cores here, takes nothing
 * from them.
 */
export const waitingExperiment = (ms: number): string => `import { defineExperiment, integer } from 'mlds'
export default defineExperiment({
  space: { n: integer({ default: 0 }) },
  async run({ n }, { report }) {
    for (let step = 1; step <= 20; step++) {
      await new Promise((wake) => setTimeout(wake, ${ms}))
      await report(step, { loss: n / step })
    }
    return { loss: n }
  },
})
`

interface Cost {
  readonly wallS: number
  readonly cpuS: number
}

/** What tracking costs a sweep of 200 trials of half a second, by the clock and in mlds' own processor time. Needs MLDS_MLFLOW and a build. */
export async function benchTrackedSweep(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
  const server = await startMlflow()
  try {
    writeFileSync(join(folder, 'waiting.ts'), waitingExperiment(25))
    const sweep = (name: string, more: readonly string[]): Promise<Cost> => {
      const args = ['./waiting.ts', '--set', `n=1..${trials}`, '--name', name, '--workers', '2', '--fresh', '--json']
      const preload = ['--import', join(import.meta.dirname, 'cpu-time.mjs')]
      return new Promise((resolve, reject) =>
        execFile(
          process.execPath,
          [...preload, program, 'sweep', ...args, ...more],
          { cwd: folder },
          (error, stdout, stderr) => {
            if (error !== null) return reject(new Error(stderr, { cause: error }))
            const { durationMs } = JSON.parse(stdout) as { durationMs: number }
            resolve({ wallS: durationMs / 1000, cpuS: Number(/cpu seconds: ([\d.]+)/.exec(stderr)![1]) })
          },
        ),
      )
    }
    const costs: Record<'off' | 'on', Cost[]> = { off: [], on: [] }
    for (let i = 0; i < rounds; i++) {
      costs.off.push(await sweep(`off-${i}`, []))
      costs.on.push(await sweep(`on-${i}`, ['--track', server.url]))
    }
    const row = (name: string, of: (cost: Cost) => number): string[] => {
      const ratios = costs.on.map((cost, i) => of(cost) / of(costs.off[i]!))
      return [name, show(summarize(costs.off.map(of))), show(summarize(costs.on.map(of))), show(summarize(ratios))]
    }
    const header = [`${trials} trials of 0.5 s, 2 workers`, 'untracked', 'tracked', 'ratio, in turn']
    console.log(
      table(header, [row('seconds', ({ wallS }) => wallS), row("mlds' processor seconds", ({ cpuS }) => cpuS)]),
    )
  } finally {
    await server.close()
    rmSync(folder, { recursive: true })
  }
}

/** How long `mlds figure --from` takes for 1,000 runs of 20 reports. The runs come by export and migration. Needs MLDS_MLFLOW and a build. */
export async function benchRebuild(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
  try {
    await writeSweep(join(folder, '.mlds'))
    const mlds = (...args: string[]): number => {
      const start = performance.now()
      execFileSync(process.execPath, [program, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
      return (performance.now() - start) / 1000
    }
    const tree = join(folder, 'mlruns')
    const exportS = mlds('export', 'rebuilt', '--format', 'mlruns', '-o', tree)
    migrateFileStore(tree, join(folder, 'mlflow.db'))
    const server = await startMlflow({ folder, args: ['--artifacts-destination', tree] })
    try {
      const figureS = mlds('figure', '--from', server.url, '--sweep', 'rebuilt')
      console.log(
        `export of ${rebuilt} trials with figures: ${round(exportS)} s; figures from their runs: ${round(figureS)} s`,
      )
    } finally {
      await server.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A sweep of `params` as if it had run: made-up numbers, real plan and journal. */
async function writeSweep(storeFolder: string, count = rebuilt): Promise<void> {
  const experiment = await findExperiment('params')
  const widths = Array.from({ length: count / 5 }, (_, i) => i + 1)
  const spec = { experiment: 'params', name: 'rebuilt', axes: { width: widths }, seeds: [0, 1, 2, 3, 4] }
  const plan = makePlan(experiment, spec, () => 'none')
  const sweep = await SweepFolder.create(openStore(storeFolder), plan, { codeVersion: '0', createdAtMs: 1 })
  const journal = Journal.open(sweep.journalFile)
  let atMs = 1_700_000_000_000
  journal.append({
    type: 'opened',
    format: journalFormat,
    sweep: sweep.id,
    planHash: plan.hash,
    codeVersion: '0',
    atMs,
  })
  for (const { id: trial, params } of plan.trials) {
    const metrics = (step: number): Record<string, number> => ({
      ...{ 'train/loss': 2 / step, 'validation/loss': 2.1 / step, 'train/accuracy': step / 21 },
      ...{ 'validation/accuracy': step / 22, parameters: 7860 + Number(params['width']), updates: 75 * step },
    })
    journal.append({ type: 'started', trial, attempt: 1, atMs: ++atMs, worker: 'w' })
    for (let step = 1; step <= 20; step++)
      journal.append({ type: 'report', trial, attempt: 1, atMs: ++atMs, step, metrics: metrics(step) })
    const outcome = { state: 'finished', metrics: metrics(20), artifacts: {} } as const
    journal.append({ type: 'ended', trial, attempt: 1, atMs: ++atMs, outcome })
  }
  journal.close()
}
