import { sweepObjective } from '../core/objective.js'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../system/make-folder.js'
import { DataError } from '../core/errors.js'
import { isMapping } from '../core/is-mapping.js'
import type { Experiment } from '../experiments/experiment.js'
import { experimentToRead, type CodeTrust } from '../experiments/registry.js'
import type { DrawOptions } from '../figures/draw.js'
import type { ReadArtifact } from '../figures/figure.js'
import { lookUp } from '../core/names.js'
import type { PlanFacts, Report } from '../report/report.js'
import { judge } from '../sweeps/verdicts.js'
import type { Conclusion } from '../sweeps/conclusion.js'
import { parsePlan, type StoredPlan } from '../sweeps/stored-plan.js'
import { withAdditions } from '../sweeps/journal/additions.js'
import type { JournalEvent } from '../sweeps/journal/journal.js'
import { buildRecords } from '../sweeps/journal/records.js'
import { MlflowClient } from '../tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../tracking/mlflow/rest/settings.js'
import { readStanding } from '../tracking/mlflow/audit/contents.js'
import { identify } from '../tracking/mlflow/projection/identity.js'
import { isCheckpoint, savedPath } from '../tracking/mlflow/projection/projection.js'
import { NotInMlflowError, readTrackedSweep, type TrackedSweep } from '../tracking/mlflow/projection/read-sweep.js'
import { digestRecords } from '../tracking/mlflow/records-digest.js'
import type { TrialRecord } from '../core/trial.js'

/** A sweep as MLflow remembers it, with all that figures and reports are made of. */
interface RemoteSweep {
  readonly tracked: TrackedSweep
  readonly plan: StoredPlan
  readonly experiment: Experiment
  readonly records: readonly TrialRecord[]
  /** What the journal would say of trials. */
  readonly events: () => Iterable<JournalEvent>
  readonly read: ReadArtifact
  readonly client: MlflowClient
}

interface ReadOptions extends CodeTrust {
  readonly warn: (message: string) => void
  /** What MLflow may know the sweep by where it has none of the name: one that was renamed here. */
  readonly firstName?: string | undefined
}

async function openRemote(
  url: string,
  sweep: string,
  { warn, trustCode, firstName }: ReadOptions,
): Promise<RemoteSweep> {
  const client = new MlflowClient(mlflowSettings(url, process.env))
  const tracked = await readTrackedSweep(client, sweep).catch((error: unknown) => {
    if (!(error instanceof NotInMlflowError) || firstName === undefined || firstName === sweep) throw error
    return readTrackedSweep(client, firstName)
  })
  const plan = parsePlan(tracked.plan, `${client.url}, sweep ${sweep}`)
  const experiment = await experimentToRead({ plan, isMine: false }, { warn, trustCode })
  const events = (): Iterable<JournalEvent> => withAdditions(tracked.events, plan.added)
  const records = buildRecords(plan.trials, events())
  warnIfAltered(tracked, records, warn)
  const read: ReadArtifact = (record, name) => readSaved(client, tracked, record, name)
  return { tracked, plan, experiment, records, events, read, client }
}

/** Says so when what was read is not what was sent, or when nobody can tell any more. */
export function warnIfAltered(
  { parent, manifest, recordsDigest }: TrackedSweep,
  records: readonly TrialRecord[],
  warn: (message: string) => void,
): void {
  const sweep = parent.tags['mlds.sweep']
  // Whoever told how a sweep stood left a manifest beside it.
  if (manifest === undefined && readStanding(parent) !== undefined)
    warn(
      `whether the runs of sweep ${sweep} in MLflow are as they were sent can’t be told: manifest.json of its own run is not there, or no manifest (where its journal is, mlds sync ${sweep} --deep mends that)`,
    )
  if (recordsDigest === undefined || recordsDigest === digestRecords(records)) return
  warn(
    `the runs of sweep ${sweep} in MLflow are not as they were sent: something was changed or deleted there since (where its journal is, mlds sync ${sweep} --deep mends that)`,
  )
}

/** What a trial saved, from the run of the attempt that counts. @throws DataError when it is not there or altered. */
export async function readSaved(
  client: MlflowClient,
  { children }: TrackedSweep,
  record: TrialRecord,
  name: string,
): Promise<Uint8Array> {
  const artifact = lookUp(record.artifacts, name)
  const run = children.find((child) => {
    const { trial, attempt } = identify(child)
    return trial === record.trial.id && attempt === record.attempts
  })
  if (artifact === undefined || run === undefined)
    throw new DataError(`trial ${record.trial.id} saved nothing called ${name}, as far as MLflow knows`)
  const bytes = await client.getArtifact(run, savedPath(name)).catch((error: unknown) => {
    throw new DataError(`${name} of trial ${record.trial.id} is not in MLflow`, {
      hint: isCheckpoint(name)
        ? 'where the sweep is, run: mlds sync --track-checkpoints'
        : 'where the sweep is, run: mlds sync',
      cause: error,
    })
  })
  if (createHash('sha256').update(bytes).digest('hex') !== artifact.sha256)
    throw new DataError(`${name} of trial ${record.trial.id} was altered in MLflow: it does not match its hash`)
  return bytes
}

/**
 * Draws a sweep's figures from MLflow alone into `folder`, with a manifest that names the runs they rest on; a figure that
 * can't be drawn is told to `trouble`.
 */
export async function drawFromMlflow(
  url: string,
  sweep: string,
  folder: string,
  options: ReadOptions,
  trouble: (message: string) => void,
  drawing: DrawOptions = {},
): Promise<Conclusion> {
  const remote = await openRemote(url, sweep, options)
  const { experiment, records, read } = remote
  const { drawFigures } = await import('../figures/draw.js')
  const figures = await drawFigures(experiment.figures, records, read, folder, trouble, drawing)
  if (figures.length > 0) await writeManifest(remote, folder)
  return { figures, verdicts: judge(experiment.claims, records) }
}

/** The report of a sweep from MLflow alone: the same as from its journal. Writes a manifest into `folder`. */
export async function reportFromMlflow(
  url: string,
  sweep: string,
  folder: string,
  options: ReadOptions,
): Promise<Report> {
  const remote = await openRemote(url, sweep, options)
  const { experiment, records, read, tracked, plan, events } = remote
  const [{ buildReport }, { historyOf }] = await Promise.all([import('../report/report.js'), import('./report.js')])
  const report = await buildReport({
    ...{ experiment, objective: sweepObjective(plan.spec, experiment), records, read },
    facts: factsOf(tracked, plan),
    history: historyOf(plan, records, events),
  })
  await writeManifest(remote, folder)
  return report
}

/** As its host stated them when it told the sweep's story; before that, what the plan says. */
function factsOf({ manifest }: TrackedSweep, plan: StoredPlan): PlanFacts {
  const { sweep, profile, spec, hash: planHash, codeVersion, createdAtMs } = plan
  const { engines, data } = manifest ?? {}
  const isText = (value: unknown): value is string => typeof value === 'string'
  return {
    ...{ sweep, profile, spec, planHash, codeVersion, createdAtMs },
    engines: Array.isArray(engines) ? engines.filter(isText) : [],
    data: isMapping(data)
      ? Object.fromEntries(Object.entries(data).flatMap(([name, value]) => (isText(value) ? [[name, value]] : [])))
      : {},
  }
}

/** What was rebuilt, from which runs of which server. */
async function writeManifest({ tracked, plan, client }: RemoteSweep, folder: string): Promise<void> {
  const manifest = {
    ...{ sweep: plan.sweep, experiment: plan.experiment, planHash: plan.hash, codeVersion: plan.codeVersion },
    ...tracked.manifest,
    tracking: client.url,
    parentRun: tracked.parent.id,
    runs: tracked.children.map((child) => {
      const { trial, attempt } = identify(child)
      return { trial, attempt, run: child.id }
    }),
  }
  await makeFolder(folder)
  await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`)
}
