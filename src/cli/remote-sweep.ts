import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DataError, StoreError } from '../errors.js'
import { findExperiment } from '../experiments/registry.js'
import type { Store } from '../store.js'
import { Journal, journalFormat } from '../sweeps/journal.js'
import { SweepFolder } from '../sweeps/sweep-folder.js'
import { judge, type ClaimVerdict } from '../sweeps/conclude.js'
import type { Plan } from '../sweeps/plan.js'
import { buildRecords } from '../sweeps/state.js'
import { MlflowClient } from '../tracking/mlflow-client.js'
import { mlflowSettings } from '../tracking/mlflow-settings.js'
import { readTrackedSweep } from '../tracking/read-sweep.js'

/** Draws a sweep's figures from MLflow alone into `folder`, with a manifest that names the runs they rest on. */
export async function drawFromMlflow(
  url: string,
  sweep: string,
  folder: string,
): Promise<{ figures: string[]; verdicts: ClaimVerdict[] }> {
  const client = new MlflowClient(mlflowSettings(url, process.env))
  const { parent, children, plan: bytes, events } = await readTrackedSweep(client, sweep)
  const plan = JSON.parse(Buffer.from(bytes).toString()) as Plan & { codeVersion: string }
  const experiment = await findExperiment(plan.experiment)
  const records = buildRecords(plan.trials, events)
  const runs = new Map(children.map((run) => [run.tags['mlds.trial']!, run]))
  const { drawFigures } = await import('../figures/draw.js')
  const figures = await drawFigures(
    experiment.figures,
    records,
    async (record, name) => {
      const run = runs.get(record.trial.id)
      if (run === undefined) throw new DataError(`trial ${record.trial.id} is not in MLflow`)
      return client.getArtifact(run, `artifacts/${name}`)
    },
    folder,
  )
  if (figures.length > 0) {
    const manifest = {
      sweep,
      experiment: plan.experiment,
      planHash: plan.hash,
      codeVersion: plan.codeVersion,
      tracking: client.url,
      parentRun: parent.id,
      runs: children.map((run) => ({
        trial: run.tags['mlds.trial'],
        attempt: Number(run.tags['mlds.attempt']),
        run: run.id,
      })),
    }
    await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`)
  }
  return { figures, verdicts: judge(experiment.claims, records) }
}

/**
 * Rebuilds a lost sweep from MLflow well enough to resume it: its plan, and a journal of what the runs remember. A trial
 * whose saved files are not in the store is left out, so that it runs again.
 * @throws StoreError when the store has the sweep: a journal is never written over.
 */
export async function recoverFromMlflow(
  store: Store,
  url: string,
  id: string,
): Promise<{ sweep: SweepFolder; leftOut: number }> {
  if ((await store.sweepIds()).includes(id)) {
    throw new StoreError(`the store has this sweep already: ${id}`, {
      hint: 'nothing was changed; to rebuild it, move its folder away or name another --store',
    })
  }
  const client = new MlflowClient(mlflowSettings(url, process.env))
  const { plan, events } = await readTrackedSweep(client, id)
  const without = new Set<string>()
  for (const event of events) {
    if (event.type !== 'ended' || !('artifacts' in event.outcome)) continue
    const refs = Object.values(event.outcome.artifacts)
    await Promise.all(refs.map((ref) => store.readObject(ref))).catch(() => without.add(event.trial))
  }
  const folder = store.sweepFolder(id)
  await mkdir(folder, { recursive: true })
  await writeFile(`${folder}/plan.json`, plan, { flag: 'wx' })
  const sweep = await SweepFolder.open(store, id)
  const { hash: planHash, codeVersion, createdAtMs: atMs } = sweep.plan
  const journal = Journal.open(sweep.journalFile)
  try {
    journal.append({ type: 'opened', format: journalFormat, sweep: id, planHash, codeVersion, atMs })
    for (const event of events) if (!without.has(event.trial)) journal.append(event)
    journal.append({ type: 'closed', reason: 'recovered from MLflow', atMs: events.at(-1)?.atMs ?? atMs })
  } finally {
    journal.close()
  }
  return { sweep, leftOut: without.size }
}
