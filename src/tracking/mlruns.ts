import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TrialEvent, TrialId } from '../trial.js'
import type { Point, RunStatus, Tags } from './mlflow-client.js'
import {
  applyEvent,
  endIfLost,
  endTags,
  finalPoints,
  keptReports,
  paramsOf,
  parentKey,
  parentTags,
  pointsOf,
  runKey,
  runName,
  seriesFile,
  seriesPath,
  splitAxes,
  startTags,
  statusOf,
  type Attempt,
} from './projection.js'
import type { SweepStory } from './mlflow-tracker.js'
import type { SweepInfo } from './tracker.js'

export interface MlrunsOptions {
  /** Must not exist, or be empty. */
  readonly folder: string
  readonly experimentName: string
  readonly info: SweepInfo
  readonly history: Iterable<TrialEvent>
  readonly story: SweepStory
  readonly readLog: (trial: TrialId, attempt: number) => Promise<Uint8Array | undefined>
}

/** Codes of MLflow's file store (store/tracking/file_store.py). */
const statusCodes: Record<RunStatus, number> = { RUNNING: 1, FINISHED: 3, FAILED: 4, KILLED: 5 }

/**
 * Writes a sweep as MLflow's file store lays it out, with the same runs, points and tags as tracking would. Run ids are
 * hashes of the run keys. Returns how many runs were written.
 */
export async function writeMlruns(options: MlrunsOptions): Promise<number> {
  const { folder, info, story } = options
  // A folder named by an integer below 2³¹: others are passed over, or do not fit, when the tree is migrated.
  const experimentId = String(1 + (createHash('sha256').update(options.experimentName).digest().readUInt32BE() >>> 1))
  const experiment = join(folder, experimentId)
  await mkdir(join(folder, '.trash'), { recursive: true })
  await writeText(
    join(experiment, 'meta.yaml'),
    yaml({
      artifact_location: `mlflow-artifacts:/${experimentId}`,
      creation_time: info.openedAtMs,
      experiment_id: experimentId,
      last_update_time: info.openedAtMs,
      lifecycle_stage: 'active',
      name: options.experimentName,
    }),
  )
  await writeText(join(experiment, 'tags', 'mlflow.experiment.primaryMetric.name'), info.objective.metric)
  const write = (run: FileRun): Promise<void> => writeRun(experiment, experimentId, run)
  const { varying, constant } = splitAxes(info.trials)
  const parentRun = runIdOf(parentKey(info.sweep))

  const children = attemptsOf(info, options.history)
  for (const attempt of children) {
    const log = await options.readLog(attempt.trial.id, attempt.attempt)
    const kept = keptReports(attempt.reports.length)
    await write({
      id: runIdOf(runKey(info.sweep, attempt.trial.id, attempt.attempt)),
      name: runName(attempt),
      status: statusOf(attempt),
      startMs: attempt.startedAtMs,
      endMs: attempt.end!.atMs,
      tags: { ...startTags(info, attempt, parentRun), ...endTags(attempt) },
      params: paramsOf(attempt.trial, varying),
      points: [...pointsOf(attempt, kept), ...finalPoints(attempt)],
      files: new Map([
        ...(kept.length < attempt.reports.length ? [[seriesPath, seriesFile(attempt)] as const] : []),
        ...(log === undefined || log.length === 0 ? [] : [['log.txt', log] as const]),
      ]),
    })
  }
  await write({
    id: parentRun,
    name: info.sweep,
    status: story.complete ? 'FINISHED' : 'KILLED',
    startMs: info.openedAtMs,
    endMs: story.endedAtMs,
    tags: { ...parentTags(info), ...story.tags, 'mlflow.note.content': story.note },
    params: constant,
    points: story.points,
    files: story.files,
  })
  return children.length + 1
}

interface FileRun {
  readonly id: string
  readonly name: string
  readonly status: RunStatus
  readonly startMs: number
  readonly endMs: number
  readonly tags: Tags
  readonly params: Tags
  readonly points: readonly Point[]
  readonly files: ReadonlyMap<string, Uint8Array>
}

function runIdOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 32)
}

/** Every attempt in order of its start; those that nobody ended are lost. */
function attemptsOf(info: SweepInfo, history: Iterable<TrialEvent>): Attempt[] {
  const trials = new Map(info.trials.map((trial) => [trial.id, trial]))
  const current = new Map<TrialId, Attempt>()
  const attempts = new Set<Attempt>()
  for (const event of history) {
    const trial = trials.get(event.trial)
    if (trial === undefined) continue
    const applied = applyEvent(trial, current.get(trial.id), event)
    current.set(trial.id, applied.current)
    attempts.add(applied.current)
  }
  for (const attempt of attempts) endIfLost(attempt)
  return [...attempts]
}

async function writeRun(experiment: string, experimentId: string, run: FileRun): Promise<void> {
  const folder = join(experiment, run.id)
  const meta = {
    // Not an absolute path: the tree may be moved, and is served with --artifacts-destination.
    artifact_uri: `mlflow-artifacts:/${experimentId}/${run.id}/artifacts`,
    end_time: run.endMs,
    entry_point_name: '',
    experiment_id: experimentId,
    lifecycle_stage: 'active',
    run_id: run.id,
    run_name: run.name,
    source_name: '',
    source_type: 4,
    source_version: '',
    start_time: run.startMs,
    status: statusCodes[run.status],
    tags: [],
    user_id: 'mlds',
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
    ...[...run.files].map(([path, bytes]): [string, Uint8Array] => [`artifacts/${path}`, bytes]),
  ]
  const folders = new Set(texts.map(([path]) => dirname(join(folder, path))))
  for (const each of [...folders, join(folder, 'artifacts')]) await mkdir(each, { recursive: true })
  await Promise.all(texts.map(([path, content]) => writeFile(join(folder, path), content)))
}

function pythonNumber(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  return Number.isFinite(value) ? String(value) : value > 0 ? 'inf' : '-inf'
}

/** Every text in quotes: an id of digits alone would be read as a number, and every search would fail. */
function yaml(values: Readonly<Record<string, string | number | readonly never[]>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join('')
}

async function writeText(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
}
