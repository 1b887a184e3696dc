import type { Metrics, Outcome, Trial, TrialEvent } from '../trial.js'
import type { Point, RunStatus, Tags } from './mlflow-client.js'
import type { SweepInfo } from './tracker.js'

/** One attempt as the journal tells it: what becomes a child run. */
export interface Attempt {
  readonly trial: Trial
  readonly attempt: number
  readonly startedAtMs: number
  readonly worker: string | undefined
  readonly reports: { readonly atMs: number; readonly step: number; readonly metrics: Metrics }[]
  /** `lost` when the worker vanished; undefined while it runs. */
  end?: { readonly atMs: number; readonly outcome: Outcome | { readonly state: 'lost'; readonly reason: string } }
}

/** The key that names a run for ever: a replay finds what an earlier one made. */
export const runKey = (sweep: string, trial: string, attempt: number): string => `${sweep}:${trial}:${attempt}`
export const parentKey = (sweep: string): string => `${sweep}:sweep`

/** A series keeps its first reports whole, then ever sparser ones: known while it grows, never over 300 in all. */
const wholeReports = 200
const sparseReports = 98
const sparse = new Set(
  Array.from({ length: sparseReports }, (_, j) => Math.round(wholeReports * 5000 ** ((j + 1) / sparseReports))),
)
const mostPoints = 300
/** The artifact that holds a longer series whole. */
export const seriesPath = 'series.jsonl'

/** Whether report `index` (from 0) is logged while its attempt runs. */
export function isKeptLive(index: number): boolean {
  return index < wholeReports || sparse.has(index)
}

/** Reports that a finished run holds: all of a series of at most 300, else the sparse selection and the last. */
export function keptReports(count: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i)
  return count <= mostPoints ? all : all.filter((i) => isKeptLive(i) || i === count - 1)
}

export function pointsOf(attempt: Attempt, indices: readonly number[]): Point[] {
  return indices.flatMap((i) => {
    const { atMs, step, metrics } = attempt.reports[i]!
    return Object.entries(metrics).map(([key, value]) => ({ key, value, timestamp: atMs, step }))
  })
}

/** Final metrics that the last report does not already say; logged at its step, so that they are MLflow's latest. */
export function finalPoints({ reports, end }: Attempt): Point[] {
  if (end === undefined || !('metrics' in end.outcome)) return []
  const last = reports.at(-1)
  return Object.entries(end.outcome.metrics)
    .filter(([key, value]) => !Object.is(last?.metrics[key], value))
    .map(([key, value]) => ({ key, value, timestamp: end.atMs, step: last?.step ?? 0 }))
}

export function statusOf(attempt: Attempt): RunStatus {
  return attempt.end === undefined ? 'RUNNING' : statusOfState(attempt.end.outcome.state)
}

/** MLflow knows three ways to end; `mlds.state` keeps ours. */
export function statusOfState(state: string): RunStatus {
  return state === 'finished' ? 'FINISHED' : state === 'failed' || state === 'dead' ? 'FAILED' : 'KILLED'
}

/** Names the run that a superfluous one repeats: mlds audit sets it, readers pass the run over. */
export const duplicateTag = 'mlds.duplicate_of'

/** Runs that repeat none of the others; one whose original is gone counts again. */
export function withoutDuplicates<R extends { readonly id: string; readonly tags: Tags }>(runs: readonly R[]): R[] {
  const ids = new Set(runs.map((run) => run.id))
  return runs.filter((run) => !ids.has(run.tags[duplicateTag] ?? ''))
}

/** What is known of an attempt when it starts. */
export function startTags(info: SweepInfo, { trial, attempt, worker }: Attempt, parentRunId: string): Tags {
  return {
    'mlflow.parentRunId': parentRunId,
    'mlflow.source.name': 'mlds',
    'mlflow.source.type': 'LOCAL',
    'mlds.run_key': runKey(info.sweep, trial.id, attempt),
    'mlds.sweep': info.sweep,
    'mlds.trial': trial.id,
    'mlds.index': String(trial.index),
    'mlds.attempt': String(attempt),
    'mlds.stage': trial.stage,
    ...(worker !== undefined && { 'mlds.worker': worker }),
  }
}

/** Longer would be cut short by the server without a word, and no longer be JSON. */
const longestTag = 7900

/** How an attempt ended, exactly: metrics as the journal has them, artifacts by hash. */
export function endTags(attempt: Attempt): Tags {
  const { end, reports } = attempt
  if (end === undefined) return { 'mlds.state': 'running' }
  const { outcome } = end
  const kept =
    outcome.state === 'failed' ? { ...outcome, error: { ...outcome.error, stack: undefined } } : { ...outcome }
  const json = JSON.stringify(kept, (_key, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value)
      ? String(value)
      : typeof value === 'string'
        ? value.slice(0, 2000)
        : value,
  )
  const final = finalPoints(attempt).map(({ key }) => key)
  return {
    'mlds.state': outcome.state,
    ...(json.length <= longestTag && { 'mlds.outcome': json }),
    // Which points are results and not reports, and where a long series is: what a reader cannot see from the points.
    ...(final.length > 0 && { 'mlds.final': JSON.stringify(final) }),
    ...(reports.length > mostPoints && { 'mlds.series': seriesPath }),
  }
}

/** Only what varies, in plain numerals, so that the runs table and parallel coordinates show what matters. */
export function paramsOf(trial: Trial, varying: ReadonlySet<string>): Tags {
  const seeds = Object.entries(trial.seeds)
  const together = seeds.every(([, value]) => value === trial.seeds.init)
  return Object.fromEntries([
    ...Object.entries(trial.params).flatMap(([name, value]) => (varying.has(name) ? [[name, String(value)]] : [])),
    ...(together
      ? [['seed', String(trial.seeds.init)]]
      : seeds.map(([name, value]) => [`seed.${name}`, String(value)])),
  ]) as Tags
}

/** Axes that take more than one value, and values that never change (those stand on the parent). */
export function splitAxes(trials: readonly Trial[]): { varying: Set<string>; constant: Tags } {
  const values = new Map<string, Set<string>>()
  for (const { params } of trials) {
    for (const [name, value] of Object.entries(params)) {
      const seen = values.get(name)
      if (seen === undefined) values.set(name, new Set([String(value)]))
      else seen.add(String(value))
    }
  }
  const entries = [...values]
  return {
    varying: new Set(entries.flatMap(([name, seen]) => (seen.size > 1 ? [name] : []))),
    constant: Object.fromEntries(entries.flatMap(([name, seen]) => (seen.size > 1 ? [] : [[name, [...seen][0]!]]))),
  }
}

/** Folds events into attempts: an attempt that another follows was lost, whether or not anyone lived to say so. */
export function applyEvent(
  trial: Trial,
  current: Attempt | undefined,
  event: TrialEvent,
): { current: Attempt; lost?: Attempt } {
  const begin = (worker: string | undefined): Attempt => ({
    trial,
    attempt: event.attempt,
    startedAtMs: event.atMs,
    worker,
    reports: [],
  })
  if (event.type === 'started') {
    const next = begin(event.worker)
    if (current === undefined || current.end !== undefined) return { current: next }
    current.end = { atMs: event.atMs, outcome: { state: 'lost', reason: 'its process ended' } }
    return { current: next, lost: current }
  }
  // Skipped trials and dead ones end without having started.
  const attempt = current?.attempt === event.attempt ? current : begin(undefined)
  if (event.type === 'report') attempt.reports.push(event)
  if (event.type === 'lost') attempt.end = { atMs: event.atMs, outcome: { state: 'lost', reason: event.reason } }
  if (event.type === 'ended') attempt.end = { atMs: event.atMs, outcome: event.outcome }
  return { current: attempt }
}

export function runName({ trial, attempt }: Attempt): string {
  return `trial-${String(trial.index).padStart(4, '0')}${attempt > 1 ? `-attempt-${attempt}` : ''}`
}

/** Reports as JSON lines; NaN and infinities as words. */
export function seriesFile({ reports }: Attempt): Uint8Array {
  const words = (_key: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
  return Buffer.from(
    reports.map(({ atMs, step, metrics }) => `${JSON.stringify({ atMs, step, metrics }, words)}\n`).join(''),
  )
}

/** What is known of a sweep when its parent run is made. */
export function parentTags(info: SweepInfo): Tags {
  return {
    'mlds.run_key': parentKey(info.sweep),
    'mlds.sweep': info.sweep,
    'mlds.experiment': info.experiment,
    'mlds.plan_hash': info.planHash,
    'mlds.code_version': info.codeVersion,
    'mlflow.source.name': 'mlds',
    'mlflow.source.type': 'LOCAL',
    'mlflow.note.content': info.question,
  }
}

/** An attempt that nobody runs any more ended with its last word. */
export function endIfLost(attempt: Attempt): void {
  attempt.end ??= {
    atMs: attempt.reports.at(-1)?.atMs ?? attempt.startedAtMs,
    outcome: { state: 'lost', reason: 'the sweep ended before it did' },
  }
}
