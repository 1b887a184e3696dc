import { createHash } from 'node:crypto'
import { reasonOf } from '../../../core/divergence.js'
import { isSameValue, wordOf } from '../../../core/param-value.js'
import { contentHash } from '../../../core/seed.js'
import { settingOf } from '../../../core/setting.js'
import type { SweepSource } from '../../../core/sweep-source.js'
import type { ArtifactRef, Objective, ParamValue, Trial, TrialId } from '../../../core/trial.js'
import type { Attempt } from './attempts.js'
import type { DatasetInput } from '../rest/client.js'
import { sharedView, type SharedView } from './first-look.js'
import { identify } from './identity.js'
import { latestOf } from './latest.js'
import type { Point, RunStatus, Tags } from '../rest/wire.js'
import { keptReports, maxPoints } from './selection.js'
import { sourceName, sourceTagNames, sourceTags } from './source-tags.js'
import { notePath, shortenNote, writeNote, type SweepCourse, type SweepStory } from './story.js'
import { usagePoints, usageTag, usageTags } from './usage.js'
import type { SweepInfo } from '../../tracker.js'

/** A run as MLflow is to hold it, whichever way it gets there. */
export interface ProjectedRun {
  /** `mlds.run_key`: names the run for ever, so that a replay finds what an earlier one made. */
  readonly key: string
  readonly name: string
  readonly startMs: number
  /** Undefined while it runs. */
  readonly endMs: number | undefined
  readonly status: RunStatus
  readonly tags: Tags
  readonly params: Tags
  readonly points: readonly Point[]
  readonly datasets: readonly DatasetInput[]
  readonly files: readonly RunFile[]
  /** A program logged to it too: points and later values that mlds did not send are its. */
  readonly isShared?: true
}

export interface RunFile {
  readonly path: string
  /** Undefined when there is nothing to keep. */
  readonly read: () => Promise<Uint8Array | undefined>
}

/** Where the projection finds what a journal only names. */
export interface ProjectionSources {
  /** A trial's log, if there is one. */
  readonly readLog: (trial: TrialId, attempt: number) => Promise<Uint8Array | undefined>
  /** What a trial saved, if it is still there. */
  readonly readArtifact?: (artifact: ArtifactRef) => Promise<Uint8Array | undefined>
  /** The data sets that a trial reads, as far as their fingerprints are known. */
  readonly datasetsOf?: (trial: Trial) => readonly DatasetInput[]
  /** The bytes of plan.json: without them a lost sweep can't be rebuilt. */
  readonly readPlan?: () => Promise<Uint8Array>
  /** Keep checkpoints as artifacts too. Default false: they are large; what figures read is kept in any case. */
  readonly checkpoints?: boolean
  /** Who is told to have made the runs; left out when nobody says. */
  readonly user?: string
}

/** The artifact that holds a series whole of which the points do not tell all. */
const seriesPath = 'series.jsonl'
export const planPath = 'sweep/plan.json'
/** The artifact of the parent that names every run, with hashes and versions. */
export const manifestPath = 'manifest.json'
/**
 * Raised when the manifest, or what tags and artifacts of a sweep's runs mean, changes; manifests without it are of 1. Format 2
 * brought points that are no part of a series (`usageTag`): a sweep without any is still written as 1.
 */
export const manifestFormat = 2

const checkpointNames = /\.(safetensors|pt|pth|ckpt|h5|onnx|bin)$/i
/** Weights: large, and needed only by later stages. */
export const isCheckpoint = (name: string): boolean => checkpointNames.test(name)

/** Where a run keeps what its trial saved; names that not every server takes are told apart by their hash. */
export function savedPath(name: string): string {
  const plain = name.replaceAll(/[^\w.+-]/g, '_')
  const isPlain = plain === name && !/^\.+$/.test(name) && name.length <= 200
  return `saved/${isPlain ? name : `${contentHash(name, 8)}-${plain.slice(-180)}`}`
}

/** What only who writes the parent's run knows: for links in its note. */
export interface NoteLinks {
  /** The parent's own id. */
  readonly run?: string
  /** The page of a trial's newest run, if there is one. */
  readonly pageOf?: (trial: TrialId) => string | undefined
}

/** Translates one sweep into MLflow's words: pure, apart from files that are read when somebody wants them. */
export class SweepProjection {
  /** Tells this sweep from another of the same name, planned at another time or by someone else. */
  readonly sweepKey: string
  readonly #trials: Map<TrialId, Trial>
  /** Axes that take more than one value. */
  readonly #varying = new Set<string>()
  /** Axes of one value so far, and that value. */
  readonly #constant = new Map<string, ParamValue>()
  readonly #hasStages: boolean

  /** Under the name that the sweep had first. */
  readonly info: SweepInfo

  constructor(
    { firstName, ...info }: SweepInfo,
    private readonly sources: ProjectionSources,
  ) {
    this.info = { ...info, sweep: firstName ?? info.sweep }
    this.sweepKey = sweepKeyOf(this.info)
    this.#trials = new Map()
    this.add(info.trials)
    this.#hasStages = info.trials.some(({ stage }) => stage !== info.trials[0]!.stage)
  }

  /** The plan grew by these trials. */
  add(trials: readonly Trial[]): void {
    for (const trial of trials) {
      this.#trials.set(trial.id, trial)
      for (const [name, value] of Object.entries(trial.params)) {
        if (this.#varying.has(name)) continue
        if (!this.#constant.has(name)) this.#constant.set(name, value)
        else if (!isSameValue(this.#constant.get(name), value)) {
          this.#constant.delete(name)
          this.#varying.add(name)
        }
      }
    }
  }

  /** What the experiment's page shows of the sweep first. */
  get view(): SharedView {
    return sharedView(this.info, this.sweepKey, [...this.#varying, 'seed'])
  }

  get parentKey(): string {
    return parentKeyOf(this.sweepKey)
  }

  childKey({ trial, attempt }: Pick<Attempt, 'trial' | 'attempt'>): string {
    return `${this.sweepKey}:${trial.id}:${attempt}`
  }

  /** The run that carries the sweep's story; while it goes on, what is known so far. */
  parent(
    course: SweepCourse,
    story?: SweepStory,
    { run = '', pageOf = () => undefined }: NoteLinks = {},
  ): ProjectedRun {
    const { info } = this
    const complete = course.isComplete()
    // Relative to the page that shows it; a picture is the one thing that MLflow's notes take from there.
    const imageUrl = (path: string): string => `get-artifact?path=${encodeURIComponent(path)}&run_uuid=${run}`
    const linkTo = (id: TrialId): string => {
      const [name, page] = [asMarkdown(this.#pointOf(id)), pageOf(id)]
      return page === undefined ? name : `[${name}](${page})`
    }
    const note = writeNote(info, course, story, { imageUrl, linkTo })
    return {
      key: this.parentKey,
      name: info.sweep,
      startMs: info.openedAtMs,
      // The last trial's end is told by its worker's clock.
      endMs: story === undefined ? undefined : Math.max(info.openedAtMs, course.endedAtMs),
      status:
        story === undefined ? 'RUNNING' : complete ? 'FINISHED' : course.counts().missing > 0 ? 'KILLED' : 'FAILED',
      tags: {
        ...this.#commonTags(this.parentKey, course.source),
        'mlds.experiment': info.experiment,
        'mlds.plan_hash': info.planHash,
        'mlds.spec_hash': contentHash(info.spec),
        'mlds.code_version': info.codeVersion,
        'mlds.state': story === undefined ? 'running' : complete ? 'complete' : 'incomplete',
        ...(course.voidedAtMs !== undefined && { [voidedTag]: String(course.voidedAtMs) }),
        ...(course.best !== undefined && { 'mlds.best_trial': course.best.trial }),
        'mlds.objective': JSON.stringify(info.objective),
        ...(story !== undefined && { [standingTag]: JSON.stringify(standingOf(course, story)) }),
        'mlflow.note.content': shortenNote(note),
      },
      params: Object.fromEntries([...this.#constant].map(([name, value]) => [name, paramText(value)])),
      points: [...course.points, ...(story === undefined ? [] : course.lastPoints)],
      datasets: this.#allDatasets(),
      files: [
        { path: planPath, read: async () => this.sources.readPlan?.() },
        file('sweep/spec.json', Buffer.from(`${JSON.stringify(info.spec, null, 1)}\n`)),
        file(notePath, Buffer.from(note)),
        ...[...(story?.files ?? [])].map(([path, bytes]) => file(path, bytes)),
      ],
    }
  }

  /** An attempt's run; `acknowledged` are reports that it holds already. */
  child(attempt: Attempt, parentRun: string, acknowledged: ReadonlySet<number> = new Set()): ProjectedRun {
    const { trial, reports, end, worker } = attempt
    const kept = keptReports(reports.length, end !== undefined)
    return {
      key: this.childKey(attempt),
      name: this.#nameOf(attempt),
      startMs: attempt.startedAtMs,
      endMs: end?.atMs,
      status: statusOf(attempt),
      tags: {
        ...this.#commonTags(this.childKey(attempt), attempt.source),
        'mlflow.parentRunId': parentRun,
        'mlds.trial': trial.id,
        'mlds.index': String(trial.index),
        'mlds.attempt': String(attempt.attempt),
        'mlds.stage': trial.stage,
        'mlds.group': this.#groupOf(trial),
        ...(worker !== undefined && { 'mlds.worker': worker }),
        ...(attempt.isShared === true && { [sharedTag]: 'true' }),
        ...endTags(attempt),
        ...usageTags(attempt),
      },
      // All of them: trials of two sweeps are compared by what neither varies.
      params: { ...this.#constantOf(trial), ...this.paramsOf(trial.id) },
      points: [
        ...pointsOf(
          attempt,
          kept.filter((i) => !acknowledged.has(i)),
        ),
        ...finalPoints(attempt),
        ...usagePoints(attempt),
      ],
      datasets: this.sources.datasetsOf?.(trial) ?? [],
      files: end === undefined ? [] : this.#filesOf(attempt),
      ...(attempt.isShared === true && { isShared: true }),
    }
  }

  /** What tells the trial from others of its sweep: parameters that a child can't be without; none for a trial that is not planned. */
  paramsOf(id: TrialId): Tags {
    const trial = this.#trials.get(id)
    return trial === undefined ? {} : { ...this.#varyingOf(trial), ...seedParams(trial) }
  }

  /** Which run is which trial's, with what the sweep was made of, and hashes of the parent's `files`. */
  async manifest(
    story: SweepStory,
    runs: Iterable<{ readonly key: string; readonly run: string }>,
    files: readonly RunFile[],
    { hasUsage }: Pick<SweepCourse, 'hasUsage'>,
  ): Promise<RunFile> {
    const ids = new Map([...runs].map(({ key, run }) => [key, run]))
    const prefix = `${this.sweepKey}:`
    const children = [...ids].flatMap(([key, run]) => {
      const [trial, attempt] = key.startsWith(prefix) ? key.slice(prefix.length).split(':') : []
      return attempt === undefined ? [] : [{ trial, attempt: Number(attempt), run }]
    })
    const { sweep, experiment, planHash, codeVersion, spec } = this.info
    const manifest = {
      format: hasUsage ? manifestFormat : 1,
      ...{ sweep, experiment, planHash, specHash: contentHash(spec), codeVersion },
      ...story.facts,
      parentRun: ids.get(this.parentKey),
      files: await hashesOf(files),
      runs: children,
    }
    return file(manifestPath, Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`))
  }

  #commonTags(key: string, source: SweepSource = {}): Tags {
    return {
      'mlds.run_key': key,
      'mlds.sweep': this.info.sweep,
      'mlds.sweep_key': this.sweepKey,
      'mlflow.source.name': sourceName(this.info.spec, source),
      'mlflow.source.type': 'LOCAL',
      ...sourceTags(source),
      ...(this.sources.user !== undefined && { 'mlflow.user': this.sources.user }),
    }
  }

  #varyingOf({ params }: Trial): Tags {
    const varying = Object.entries(params).filter(([name]) => this.#varying.has(name))
    return Object.fromEntries(varying.map(([name, value]) => [name, paramText(value)]))
  }

  #constantOf({ params }: Trial): Tags {
    const constant = Object.entries(params).filter(([name]) => !this.#varying.has(name))
    return Object.fromEntries(constant.map(([name, value]) => [name, paramText(value)]))
  }

  /**
   * The same for trials that differ in nothing but their seeds and the axes that are averaged as seeds are: what charts may
   * average over. In brackets a hash of what the sweep does not vary, which another sweep may have otherwise.
   */
  #groupOf(trial: Trial): string {
    const constant = contentHash([trial.experiment, trial.stage, this.#constantOf(trial)], 4)
    const setting = { ...trial, params: settingOf(trial.params, this.info.objective) }
    return `${(tagWords(this.#varyingOf(setting)) || 'all').slice(0, 490)} (${constant})`
  }

  #pointOf(id: TrialId): string {
    return tagWords(this.paramsOf(id)).replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')
  }

  /** By its point, such as `width=64 seed=1`. */
  #nameOf({ trial, attempt }: Attempt): string {
    const words = [
      ...(this.#hasStages ? [trial.stage] : []),
      this.#pointOf(trial.id),
      ...(attempt > 1 ? [`(attempt ${attempt})`] : []),
    ]
    const name = words.join(' ')
    return name.length <= maxNameLength
      ? name
      : `trial-${String(trial.index).padStart(4, '0')} ${name.slice(0, maxNameLength - 20)}…`
  }

  #allDatasets(): DatasetInput[] {
    const { datasetsOf } = this.sources
    if (datasetsOf === undefined) return []
    const all = [...this.#trials.values()].flatMap((trial) => datasetsOf(trial))
    return [...new Map(all.map((dataset) => [`${dataset.name} ${dataset.digest}`, dataset])).values()]
  }

  #filesOf(attempt: Attempt): RunFile[] {
    const { readLog, readArtifact, checkpoints = false } = this.sources
    const { outcome } = attempt.end!
    const json = outcomeOf(attempt.end!)
    const saved = 'artifacts' in outcome && readArtifact !== undefined ? Object.entries(outcome.artifacts) : []
    return [
      ...(needsSeries(attempt) ? [file(seriesPath, seriesFile(attempt))] : []),
      ...(json.length > maxTagLength ? [file(outcomePath, Buffer.from(json))] : []),
      { path: 'log.txt', read: () => readLog(attempt.trial.id, attempt.attempt) },
      ...saved
        .filter(([name]) => checkpoints || !isCheckpoint(name))
        .map(([name, artifact]) => ({ path: savedPath(name), read: () => readArtifact!(artifact) })),
    ]
  }
}

async function hashesOf(files: readonly RunFile[]): Promise<Record<string, string>> {
  const hashes: [string, string][] = []
  for (const { path, read } of files) {
    const bytes = await read()
    if (bytes !== undefined && bytes.length > 0) hashes.push([path, createHash('sha256').update(bytes).digest('hex')])
  }
  return Object.fromEntries(hashes)
}

/** On a sweep's parent run: how its trials had ended when its story was told, and why its last process stopped. */
export const standingTag = 'mlds.standing'

export interface Standing {
  readonly counts: ReturnType<SweepCourse['counts']>
  readonly closed?: string
}

function standingOf(course: SweepCourse, { closed }: SweepStory): Standing {
  return { counts: course.counts(), ...(closed !== undefined && { closed: closed.slice(0, 500) }) }
}

/** What MLflow's table and charts of an experiment show first. */
export function primaryMetricTags({ metric, direction }: Objective): Tags {
  return {
    'mlflow.experiment.primaryMetric.name': metric,
    'mlflow.experiment.primaryMetric.greaterIsBetter': direction === 'maximize' ? 'True' : 'False',
  }
}

/** The identity of a planned sweep: its name and when it was planned, which a copy of its folder shares. */
export function sweepKeyOf({ sweep, openedAtMs }: Pick<SweepInfo, 'sweep' | 'openedAtMs'>): string {
  return `${sweep}:${contentHash({ sweep, openedAtMs }).slice(0, 8)}`
}

/** `mlds.run_key` of a sweep's parent run. */
export const parentKeyOf = (sweepKey: string): string => `${sweepKey}:sweep`

function tagWords(tags: Tags): string {
  return Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}

/** A text as itself: what Markdown would take for links, code or emphasis is quoted. */
const asMarkdown = (text: string): string => text.replaceAll(/[\\`*_[\]<>|]/g, '\\$&')

function file(path: string, bytes: Uint8Array): RunFile {
  return { path, read: async () => bytes }
}

/** MLflow takes 250 characters; a table shows fewer. */
const maxNameLength = 200

/** Why an attempt has no result, as Markdown: a block of code, so that nothing in it is a link or a picture. */
function describeFailure({ outcome }: NonNullable<Attempt['end']>): string | undefined {
  const reason = outcome.state === 'lost' ? outcome.reason : reasonOf(outcome)
  if (reason === undefined) return undefined
  const quoted = reason
    .slice(0, 4000)
    .split('\n')
    .map((line) => `    ${line}`)
  return [`It ${endWords[outcome.state]}:`, '', ...quoted].join('\n')
}

const endWords: Readonly<Record<string, string>> = {
  ...{ failed: 'failed', diverged: 'diverged', stopped: 'was stopped', dead: 'is given up' },
  ...{ cancelled: 'was cancelled', skipped: 'was skipped', lost: 'was lost' },
}

function pointsOf({ reports }: Attempt, indices: readonly number[]): Point[] {
  const times = pointTimes(reports)
  return indices.flatMap((i) => {
    const { step, metrics } = reports[i]!
    return Object.entries(metrics).map(([key, value]) => ({ key, value, timestamp: times[i]!, step }))
  })
}

/** The journal's times; where a step comes again within its millisecond, a millisecond later: MLflow would make one of two. */
function pointTimes(reports: Attempt['reports']): number[] {
  const newest = new Map<number, number>()
  return reports.map(({ atMs, step }) => {
    const time = Math.max(atMs, (newest.get(step) ?? -Infinity) + 1)
    newest.set(step, time)
    return time
  })
}

/** Final metrics that the reports do not say last; logged at the highest step, so that they are MLflow's latest. */
function finalPoints(attempt: Attempt): Point[] {
  const { reports, end } = attempt
  if (end === undefined || !('metrics' in end.outcome)) return []
  const latest = latestOf(pointsOf(attempt, keptReports(reports.length, true)))
  const step = reports.length === 0 ? 0 : reports.reduce((highest, report) => Math.max(highest, report.step), -Infinity)
  return Object.entries(end.outcome.metrics)
    .filter(([key, value]) => !Object.is(latest.get(key)?.value, value))
    .map(([key, value]) => {
      const before = latest.get(key)
      const isTied = before !== undefined && before.step === step
      return { key, value, timestamp: isTied ? Math.max(end.atMs, before.timestamp + 1) : end.atMs, step }
    })
}

/**
 * Whether a reader could not tell the reports from a run's points alone: others are among them, some are left out, they lie in
 * another order than that of time and step, the largest double would pass for infinity, or one of them for a result.
 */
function needsSeries(attempt: Attempt): boolean {
  const { reports, end } = attempt
  const isOdd = ({ atMs, step, metrics }: Attempt['reports'][number], i: number): boolean => {
    const before = reports[i - 1]
    const follows = before === undefined || atMs > before.atMs || (atMs === before.atMs && step > before.step)
    return !follows || Object.values(metrics).some((value) => Math.abs(value) === Number.MAX_VALUE)
  }
  const lastMs = reports.at(-1)?.atMs ?? -Infinity
  return (
    attempt.isShared === true ||
    reports.length > maxPoints ||
    reports.some(isOdd) ||
    (end !== undefined && lastMs >= end.atMs && finalPoints(attempt).length > 0)
  )
}

function statusOf(attempt: Attempt): RunStatus {
  return attempt.end === undefined ? 'RUNNING' : statusOfState(attempt.end.outcome.state)
}

/** MLflow knows three ways to end; `mlds.state` keeps ours. */
export function statusOfState(state: string): RunStatus {
  return state === 'finished' || state === 'diverged'
    ? 'FINISHED'
    : state === 'failed' || state === 'dead'
      ? 'FAILED'
      : 'KILLED'
}

/** On a sweep's parent run: runs that ended before this time, in ms, hold results that are void. */
export const voidedTag = 'mlds.voided_at_ms'

/** Names the run that a superfluous one repeats: mlds audit sets it, readers pass the run over. */
export const duplicateTag = 'mlds.duplicate_of'

/** Runs that repeat none of the others; one whose original is gone counts again, and so does one called a repetition of another attempt. */
export function withoutDuplicates<R extends { readonly id: string; readonly tags: Tags }>(runs: readonly R[]): R[] {
  const keys = new Map(runs.map((run) => [run.id, identify(run).key]))
  return runs.filter((run) => keys.get(run.tags[duplicateTag] ?? '') !== identify(run).key)
}

/** Longer would be cut short by the server without a word, and no longer be JSON. */
const maxTagLength = 7900

const outcomePath = 'outcome.json'

/** On a run that its trial's program logged to, beside what mlds has there. */
export const sharedTag = 'mlds.shared_with_program'

/** What mlds keeps in a trial's run under these names is its own, and no program's to write. */
export const ownFiles = /^(?:log\.txt|series\.jsonl|outcome\.json|saved)(?:\/|$)/

const ownTags = new Set<string>([
  ...['mlflow.parentRunId', 'mlflow.runName', 'mlflow.user', 'mlflow.note.content'],
  ...['mlflow.source.name', 'mlflow.source.type', ...sourceTagNames],
])
export const isOwnTag = (key: string): boolean => key.startsWith('mlds.') || ownTags.has(key)

/** How an attempt ended, exactly, as JSON: metrics as the journal has them, artifacts by hash. */
function outcomeOf({ outcome }: NonNullable<Attempt['end']>): string {
  const kept = outcome.state === 'failed' ? { ...outcome, error: { ...outcome.error, stack: undefined } } : outcome
  return JSON.stringify(kept, (_key, value: unknown) =>
    typeof value === 'string' ? value.slice(0, 2000) : numberWord(value),
  )
}

function endTags(attempt: Attempt): Tags {
  const { end } = attempt
  if (end === undefined) return { 'mlds.state': 'running' }
  const json = outcomeOf(end)
  const final = finalPoints(attempt).map(({ key }) => key)
  const failure = describeFailure(end)
  return {
    'mlds.state': end.outcome.state,
    ...(failure !== undefined && { 'mlflow.note.content': failure }),
    ...(json.length <= maxTagLength ? { 'mlds.outcome': json } : { 'mlds.outcome_file': outcomePath }),
    // Which points are results and not reports, and where a long series is: what a reader cannot see from the points.
    ...(final.length > 0 && { 'mlds.final': JSON.stringify(final) }),
    ...(needsSeries(attempt) ? { 'mlds.series': seriesPath } : metricsTagOf(attempt)),
  }
}

/** On a child run: which metrics its trial reported or ended with, as JSON; what somebody else logs beside them is none of its points. */
export const metricsTag = 'mlds.metrics'

function metricsTagOf({ reports, end, isBrought }: Attempt): Tags {
  // They were told of with the reports.
  if (isBrought === true) return {}
  const results = end !== undefined && 'metrics' in end.outcome ? [end.outcome.metrics] : []
  const all = [...reports.map(({ metrics }) => metrics), ...results]
  const names = JSON.stringify([...new Set(all.flatMap((metrics) => Object.keys(metrics)))].sort())
  return names.length <= maxTagLength ? { [metricsTag]: names } : {}
}

/** Tags by which a run is read: where mlds set none, one that somebody else set tells something false. */
export const readingTags: readonly string[] = [
  ...['mlds.worker', 'mlds.outcome', 'mlds.outcome_file', 'mlds.final', 'mlds.series'],
  ...[metricsTag, usageTag, voidedTag, duplicateTag],
]

/** One number when all four seeds agree: charts can group by it. */
function seedParams({ seeds }: Trial): Tags {
  const entries = Object.entries(seeds) as [string, number][]
  return entries.every(([, value]) => value === seeds.init)
    ? { seed: String(seeds.init) }
    : Object.fromEntries(entries.map(([name, value]) => [`seed.${name}`, String(value)]))
}

/** What a parameter of MLflow holds; it has none that is an empty text. */
const paramText = (value: ParamValue): string => (value === '' ? '""' : wordOf(value))

/** Reports as JSON lines; NaN and infinities as words. */
function seriesFile({ reports }: Attempt): Uint8Array {
  const lines = reports.map(
    ({ atMs, step, metrics }) =>
      `${JSON.stringify({ atMs, step, metrics }, (_key, value: unknown) => numberWord(value))}\n`,
  )
  // An empty file would not be kept.
  return Buffer.from(lines.length === 0 ? '\n' : lines.join(''))
}

function numberWord(value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}
