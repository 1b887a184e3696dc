import { writeFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { makeFolder } from '../system/make-folder.js'
import { StoreError } from '../core/errors.js'
import type { Store } from '../system/store.js'
import { Journal, plainFormat } from '../sweeps/journal/journal.js'
import { withAdditions } from '../sweeps/journal/additions.js'
import { buildRecords } from '../sweeps/journal/records.js'
import { isResult } from '../sweeps/journal/state.js'
import { encodePlan, parsePlan } from '../sweeps/stored-plan.js'
import { SweepFolder } from '../sweeps/sweep-folder.js'
import { MlflowClient } from '../tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../tracking/mlflow/rest/settings.js'
import { isCheckpoint } from '../tracking/mlflow/projection/projection.js'
import { readStanding } from '../tracking/mlflow/audit/contents.js'
import { readTrackedSweep } from '../tracking/mlflow/projection/read-sweep.js'
import type { SweepSource } from '../core/sweep-source.js'
import { engineNames, type TrialId, type TrialRecord } from '../core/trial.js'
import { readSaved, warnIfAltered } from './from-mlflow.js'

export interface Recovered {
  readonly sweep: SweepFolder
  /** Files that trials had saved, fetched into the store. */
  readonly fetched: number
  /** Trials that run again, for files they saved are nowhere and are needed. */
  readonly leftOut: readonly TrialId[]
  /** Trials that keep their results although their checkpoints are nowhere: nothing that is left to run needs them. */
  readonly withoutFiles: readonly TrialId[]
}

/**
 * Rebuilds a lost sweep from MLflow well enough to resume it: its plan, a journal of what the runs remember, and what
 * trials saved as far as it is in the store or in MLflow.
 * @throws StoreError when the store has the sweep: a journal is never written over.
 */
export async function recoverFromMlflow(
  store: Store,
  url: string,
  sweep: string,
  warn: (message: string) => void,
): Promise<Recovered> {
  const client = new MlflowClient(mlflowSettings(url, process.env))
  const tracked = await readTrackedSweep(client, sweep)
  const { added, ...plan } = parsePlan(tracked.plan, `${client.url}, sweep ${sweep}`)
  const id = plan.sweep
  if ((await store.sweepIds()).includes(id)) {
    throw new StoreError(`the store has this sweep already: ${id}`, {
      hint: 'nothing was changed; to rebuild it, move its folder away or name another --store',
    })
  }
  const records = buildRecords(plan.trials, withAdditions(tracked.events, added))
  warnIfAltered(tracked, records, warn)
  let fetched = 0
  /** Names of files that are nowhere, by trial. */
  const missing = new Map<TrialId, string[]>()
  for (const record of records) {
    for (const [name, artifact] of Object.entries(record.artifacts)) {
      if (await store.hasObject(artifact)) continue
      try {
        await store.putObject(await readSaved(client, tracked, record, name))
        fetched++
      } catch (error) {
        if (error instanceof StoreError) throw error
        missing.set(record.trial.id, [...(missing.get(record.trial.id) ?? []), name])
      }
    }
  }
  const leftOut = needed(records, missing)
  const folder = store.sweepFolder(id)
  await makeFolder(folder)
  await writeFile(`${folder}/plan.json`, Buffer.concat([...encodePlan(plan)]), { flag: 'wx' })
  const recovered = await SweepFolder.open(store, id)
  const { hash: planHash, codeVersion, createdAtMs: atMs } = plan
  const engines = tracked.manifest?.['engines']
  const engine = Array.isArray(engines) ? engineNames.find((name) => name === engines.at(-1)) : undefined
  const journal = Journal.open(recovered.journalFile)
  try {
    const opened = {
      ...({ type: 'opened', format: plainFormat, sweep: id, planHash, codeVersion, atMs } as const),
      ...(engine === undefined ? {} : { engine }),
    }
    journal.append(opened)
    const kept = tracked.events.filter(({ trial }) => !leftOut.has(trial))
    let source: SweepSource | undefined
    for (const event of withAdditions(kept, added)) {
      const told = event.type === 'trials-added' ? undefined : tracked.sourceOf(event)
      if (told !== undefined && !isDeepStrictEqual(told, source)) {
        source = told
        journal.append({ ...opened, source, atMs: event.atMs })
      }
      journal.append(event)
    }
    const reason = readStanding(tracked.parent)?.closed ?? 'recovered from MLflow'
    journal.append({ type: 'closed', reason, atMs: tracked.events.at(-1)?.atMs ?? atMs })
  } finally {
    journal.close()
  }
  const withoutFiles = [...missing.keys()].filter((trial) => !leftOut.has(trial))
  return { sweep: recovered, fetched, leftOut: [...leftOut], withoutFiles }
}

/**
 * Which of the trials with missing files must run again: those that lack what a figure may read, and those whose
 * checkpoints a trial needs that has no result yet.
 */
function needed(records: readonly TrialRecord[], missing: ReadonlyMap<TrialId, readonly string[]>): Set<TrialId> {
  const again = new Set<TrialId>()
  for (const [trial, names] of missing) if (!names.every(isCheckpoint)) again.add(trial)
  // Children come after their parents in a plan, so that one pass backwards reaches every ancestor.
  for (const { trial, outcome } of records.toReversed()) {
    if (isResult(outcome) && !again.has(trial.id)) continue
    for (const parent of trial.parents) if (missing.has(parent)) again.add(parent)
  }
  return again
}
