import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMlflow } from '../test/helpers/mlflow.js'
import { measureMlds, type Cost } from './measure-mlds.js'
import { round, table } from './measure.js'
import { waitingExperiment } from './tracked-sweep.js'

/**
 * A sweep of 10,000 trials that wait 0.1 s over 20 reports, 8 at once, untracked and then told to MLflow on SQLite while it runs;
 * and what each command then takes. About half an hour. Needs MLDS_MLFLOW and a build.
 */
export async function benchLargeTracked(trials = 10_000): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
  const server = await startMlflow()
  try {
    writeFileSync(join(folder, 'waiting.ts'), waitingExperiment(5))
    const mlds = (...words: string[]): Cost => measureMlds(folder, words)
    const sweep = (name: string, ...more: string[]): Cost =>
      mlds('sweep', './waiting.ts', '--set', `n=1..${trials}`, '--name', name, '--workers', '8', '--fresh', ...more)
    const { url } = server
    const steps: [string, () => Cost][] = [
      ['the sweep, untracked', () => sweep('untracked')],
      ['the sweep, tracked', () => sweep('tracked', '--track', url)],
      ['`mlds sync`, of the rest', () => mlds('sync', 'tracked', '--track', url, '--json')],
      ['`mlds sync` again', () => mlds('sync', 'tracked', '--track', url, '--json')],
      ['`mlds audit`', () => mlds('audit', url)],
      ['`mlds audit --deep`', () => mlds('audit', url, '--deep')],
      ['`mlds figure --from`', () => mlds('figure', '--from', url, '--sweep', 'tracked', '--trust-code')],
    ]
    const rows: string[][] = []
    for (const [what, act] of steps) {
      const { seconds, cpuSeconds, memoryMb, stdout } = act()
      const sent = /"sent":\s*(\d+)/.exec(stdout)?.[1]
      const rate = sent === undefined ? '' : `${sent} runs, ${round(Number(sent) / seconds)} a second`
      rows.push([what, round(seconds), round(cpuSeconds), round(memoryMb), rate])
      console.error(rows.at(-1)!.join(' | '))
    }
    console.log(table([`${trials} trials`, 's', 'processor s', 'MB', 'brought'], rows))
  } finally {
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
