import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { makeFolder } from '../../system/make-folder.js'
import { MldsError } from '../../core/errors.js'
import type { TrialId } from '../../core/trial.js'
import { attemptsOf, type Attempt, type HistoryEvent } from './projection/attempts.js'
import { runPage } from './projection/first-look.js'
import type { DatasetInput } from './rest/client.js'
import type { RunStatus, Tags } from './rest/wire.js'
import {
  primaryMetricTags,
  SweepProjection,
  type ProjectedRun,
  type ProjectionSources,
} from './projection/projection.js'
import { SweepCourse, type SweepStory } from './projection/story.js'
import type { SweepInfo } from '../tracker.js'

export interface MlrunsOptions extends ProjectionSources {
  /** Must not exist, or be empty. */
  readonly folder: string
  readonly experimentName: string
  /** A whole number. Default: made from the name. */
  readonly experimentId?: string
  readonly info: SweepInfo
  /** Read twice. */
  readonly history: () => Iterable<HistoryEvent>
  readonly story: SweepStory
}

/** Codes of MLflow's file store (store/tracking/file_store.py). */
const statusCodes: Record<RunStatus, number> = { RUNNING: 1, FINISHED: 3, FAILED: 4, KILLED: 5 }

/**
 * Writes a sweep as MLflow's file store lays it out: the same projection that tracking sends. Run ids are hashes of the
 * run keys. Returns how many runs were written. @throws MldsError when `experimentId` is not a whole number, or a metric's
 * name would leave its run's folder.
 */
export async function writeMlruns(options: MlrunsOptions): Promise<number> {
  const { info, story } = options
  const projection = new SweepProjection(info, options)
  const experiment = await writeExperiment(options)
  const parentRun = runIdOf(projection.parentKey)
  const children = attemptsOf(info.trials, options.history())
  for (const attempt of children) await writeRun(experiment, projection.child(attempt, parentRun))

  const course = new SweepCourse(info.objective, info.trials, info.openedAtMs)
  for (const event of options.history()) course.apply(event)
  // A copy that was lost may have begun after the attempt that counts.
  const hasResult = ({ end }: Attempt): number => Number(end !== undefined && 'metrics' in end.outcome)
  const inOrder = [...children].sort((a, b) => hasResult(a) - hasResult(b))
  const newest = new Map(inOrder.map((attempt) => [attempt.trial.id, runIdOf(projection.childKey(attempt))]))
  const pageOf = (trial: TrialId): string | undefined => {
    const run = newest.get(trial)
    return run && runPage(experiment.id, run)
  }
  const parent = projection.parent(course, story, { run: parentRun, pageOf })
  const keys = [projection.parentKey, ...children.map((attempt) => projection.childKey(attempt))]
  const manifest = await projection.manifest(
    story,
    keys.map((key) => ({ key, run: runIdOf(key) })),
    parent.files,
    course,
  )
  await writeRun(experiment, { ...parent, files: [...parent.files, manifest] })
  return children.length + 1
}

interface ExperimentFolder {
  readonly folder: string
  readonly id: string
  readonly datasets: Set<string>
}

async function writeExperiment(options: MlrunsOptions): Promise<ExperimentFolder> {
  const { folder, experimentName, experimentId, info } = options
  const id = experimentId ?? experimentIdOf(experimentName)
  if (!/^\d+$/.test(id))
    throw new MldsError('USAGE', `not the id of an MLflow experiment: ${id} (in files it is a whole number)`, {
      hint: 'MLFLOW_EXPERIMENT_ID says so',
    })
  const experiment = join(folder, id)
  await makeFolder(join(folder, '.trash'))
  const meta = {
    artifact_location: `mlflow-artifacts:/${id}`,
    creation_time: info.openedAtMs,
    experiment_id: id,
    last_update_time: info.openedAtMs,
    lifecycle_stage: 'active',
    name: experimentName,
  }
  await writeText(join(experiment, 'meta.yaml'), yaml(meta))
  const tags = [...Object.entries(primaryMetricTags(info.objective)), new SweepProjection(info, options).view.tag]
  for (const [tag, value] of tags) await writeText(join(experiment, 'tags', tag), value)
  return { folder: experiment, id, datasets: new Set() }
}

/** An integer below 2³¹: other folders are passed over, or do not fit, when the tree is migrated. */
function experimentIdOf(name: string): string {
  return String(1 + (createHash('sha256').update(name).digest().readUInt32BE() >>> 1))
}

function runIdOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 32)
}

async function writeRun(experiment: ExperimentFolder, run: ProjectedRun): Promise<void> {
  const id = runIdOf(run.key)
  const folder = join(experiment.folder, id)
  const meta = {
    // Not an absolute path: the tree may be moved, and is served with --artifacts-destination.
    artifact_uri: `mlflow-artifacts:/${experiment.id}/${id}/artifacts`,
    end_time: run.endMs ?? run.startMs,
    entry_point_name: '',
    experiment_id: experiment.id,
    lifecycle_stage: 'active',
    run_id: id,
    run_name: run.name,
    source_name: '',
    source_type: 4,
    source_version: '',
    start_time: run.startMs,
    status: statusCodes[run.status],
    tags: [],
    user_id: run.tags['mlflow.user'] ?? 'mlds',
  }
  const lines = new Map<string, Set<string>>()
  // A set: readers do not remove duplicates, and migrate-filestore stops at the first.
  for (const { key, value, timestamp, step } of run.points) {
    const line = `${timestamp} ${pythonNumber(value)} ${step}\n`
    const known = lines.get(key)
    if (known === undefined) lines.set(key, new Set([line]))
    else known.add(line)
  }
  const texts: [string, string | Uint8Array][] = [
    ['meta.yaml', yaml(meta)],
    ...[...lines].map(([key, set]): [string, string] => [`metrics/${key}`, [...set].join('')]),
    ...Object.entries(run.params).map(([key, value]): [string, string] => [`params/${key}`, value]),
    ...Object.entries({ ...run.tags, 'mlflow.runName': run.name }).map(([key, value]): [string, string] => [
      `tags/${key}`,
      value,
    ]),
    ...(await inputsOf(experiment, id, run.datasets)),
  ]
  for (const { path, read } of run.files) {
    const bytes = await read()
    if (bytes !== undefined && bytes.length > 0) texts.push([`artifacts/${path}`, bytes])
  }
  for (const [path] of texts) mustStayInside(path)
  const folders = new Set(texts.map(([path]) => dirname(join(folder, path))))
  for (const each of [...folders, join(folder, 'artifacts')]) await makeFolder(each)
  await Promise.all(texts.map(([path, content]) => writeFile(join(folder, path), content)))
}

/** Names come from the journal, and so perhaps from another host. @throws MldsError for a path that leaves its folder. */
function mustStayInside(path: string): void {
  if (path.includes('\0') || posix.normalize(path) !== path || path.startsWith('..'))
    throw new MldsError('NAME', `a name that is no path in its run's folder: ${JSON.stringify(path)}`)
}

/** A run's data sets, each described once in the experiment; ids as the file store makes them. */
async function inputsOf(
  experiment: ExperimentFolder,
  run: string,
  datasets: readonly DatasetInput[],
): Promise<[string, string][]> {
  const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
  const inputs: [string, string][] = []
  for (const { name, digest, sourceType, source } of datasets) {
    const dataset = md5(name + digest)
    const meta = { digest, name, profile: null, schema: null, source, source_type: sourceType }
    if (!experiment.datasets.has(dataset))
      await writeText(join(experiment.folder, 'datasets', dataset, 'meta.yaml'), yaml(meta))
    experiment.datasets.add(dataset)
    const input = {
      source_type: 'DATASET',
      source_id: dataset,
      destination_type: 'RUN',
      // The data set once more: so MLflow writes it, and so its migration reads it.
      destination_id: dataset,
      tags: { 'mlflow.data.context': 'training' },
    }
    inputs.push([`inputs/${md5(dataset + run)}/meta.yaml`, yaml(input)])
  }
  return inputs
}

function pythonNumber(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  return Number.isFinite(value) ? String(value) : value > 0 ? 'inf' : '-inf'
}

/** Every text in quotes: an id of digits alone would be read as a number, and every search would fail. */
function yaml(values: Readonly<Record<string, string | number | null | readonly never[] | Tags>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join('')
}

async function writeText(file: string, text: string): Promise<void> {
  await makeFolder(dirname(file))
  await writeFile(file, text)
}
