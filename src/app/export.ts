import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MldsError, StoreError } from '../core/errors.js'
import { problemOf } from '../core/system-error.js'
import { experimentToRead } from '../experiments/registry.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import { writeOutput } from '../system/replace-file.js'
import type { Store } from '../system/store.js'
import { concludeAndDraw } from './conclude.js'
import { exportMlruns } from './mlflow/open-tracking.js'
import { describeSweep } from './stored-sweep.js'

/** Writes what is exported to a file. @throws StoreError when it can't be written. */
export async function writeExport(file: string, content: string | Uint8Array): Promise<void> {
  await writeOutput(file, content).catch((error: unknown) => {
    throw new StoreError(`the export could not be written: ${file}: ${problemOf(error)}`, { cause: error })
  })
}

/**
 * Writes a sweep as a tree of files that MLflow opens, figures included. @returns how many runs.
 * @throws MldsError when the folder is not empty.
 */
export async function exportRuns(
  store: Store,
  sweep: SweepFolder,
  folder: string,
  options: {
    /** Whether weights are written too. */
    readonly checkpoints: boolean
    readonly trustCode: boolean
    readonly warn: (message: string) => void
  },
): Promise<number> {
  const { checkpoints, trustCode, warn } = options
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new MldsError('USAGE', `the folder is not empty: ${folder} (mlruns are written into a new one)`)
  const experiment = await experimentToRead(sweep, { trustCode, warn })
  const stored = { store, sweep, experiment }
  // Figures go into the runs; the sweep's own stay as they are.
  const drawn = mkdtempSync(join(tmpdir(), 'mlds-figures-'))
  try {
    const told = await concludeAndDraw(stored, warn, { elsewhere: drawn })
    return await exportMlruns(stored, folder, describeSweep(stored), told, checkpoints)
  } finally {
    rmSync(drawn, { recursive: true, force: true })
  }
}
