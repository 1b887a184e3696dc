import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMlflow } from '../test/helpers/mlflow.js'
import { round, table } from './measure.js'
import { writeSweep } from './tracked-sweep.js'

const program = join(import.meta.dirname, '..', 'bin', 'run.js')

/**
 * A finished sweep of 10,000 trials with 20 reports each, brought to MLflow on SQLite, and what each command then takes. About
 * a quarter of an hour. Needs MLDS_MLFLOW and a build.
 */
export async function benchLargeTracked(trials = 10_000): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
  const server = await startMlflow()
  try {
    await writeSweep(join(folder, '.mlds'), trials)
    const url = server.url
    const commands = [
      ['sync', 'rebuilt', '--track', url],
      ['sync', 'rebuilt', '--track', url],
      ['audit', url],
      ['audit', url, '--deep'],
      ['figure', '--from', url, '--sweep', 'rebuilt'],
    ]
    const rows = commands.map((words, i) => {
      const start = performance.now()
      const { status, stderr } = spawnSync(process.execPath, [program, ...words], { cwd: folder, encoding: 'utf8' })
      if (status !== 0) throw new Error(`mlds ${words.join(' ')}: ${stderr}`)
      return [
        i === 1
          ? 'sync again'
          : words
              .slice(0, 1)
              .concat(words.filter((word) => word === '--deep'))
              .join(' '),
        seconds(start),
      ]
    })
    console.log(table([`${trials} trials`, 's'], rows))
  } finally {
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

const seconds = (start: number): string => String(round((performance.now() - start) / 1000))
