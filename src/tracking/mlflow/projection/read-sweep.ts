import { readOutcome } from '../../../core/divergence.js'
import { StoreError } from '../../../core/errors.js'
import type { SweepSource } from '../../../core/sweep-source.js'
import type { Metrics, Outcome, TrialEvent, TrialId } from '../../../core/trial.js'
import { MlflowError } from '../rest/mlflow-error.js'
import type { MlflowClient } from '../rest/client.js'
import type { Point, Run } from '../rest/wire.js'
import { refuseNewer } from '../../../core/newer-format.js'
import { manifestFormat, manifestPath, planPath, voidedTag, withoutDuplicates } from './projection.js'
import { readSource } from './source-tags.js'
import { lookUp } from '../../../core/names.js'

/** A sweep as MLflow alone remembers it. */
export interface TrackedSweep {
  readonly parent: Run
  /** One run per attempt. */
  readonly children: readonly Run[]
  /** The bytes of plan.json. */
  readonly plan: Uint8Array
  /** SHA-256 of the records that were sent; undefined where an earlier version sent them, or the sweep has gone on since. */
  readonly recordsDigest: string | undefined
  /** What the manifest states; undefined when the sweep has not come so far. */
  readonly manifest: Readonly<Record<string, unknown>> | undefined
  /** The journal's events of trials, in order of time: feeding them to `buildRecords` gives the journal's records. */
  readonly events: readonly TrialEvent[]
  /** What the attempt of an event ran; undefined where nobody wrote that down. */
  readonly sourceOf: (event: TrialEvent) => SweepSource | undefined
}

/**
 * Reads a sweep back, by its id or by the id of its parent run.
 * @throws StoreError when the server knows no such sweep, several, or not enough of it.
 */
export async function readTrackedSweep(client: MlflowClient, sweep: string): Promise<TrackedSweep> {
  const parent = await findParent(client, sweep)
  const plan = await client.getArtifact(parent, planPath).catch((error: unknown) => {
    throw new StoreError(`the plan of sweep ${sweep} is not in MLflow yet`, {
      hint: 'where its journal is, run: mlds sync',
      cause: error,
    })
  })
  const key = quoted(parent.tags['mlds.sweep_key']!)
  const runs = await client.searchRuns([parent.experimentId], `tags."mlds.sweep_key" = '${key}'`)
  const voidedAtMs = Number(parent.tags[voidedTag] ?? -Infinity)
  const counts = (run: Run): boolean => run.tags['mlds.trial'] !== undefined && (run.endMs ?? Infinity) >= voidedAtMs
  const attemptOf = (run: Run): number => Number(run.tags['mlds.attempt'])
  const children = oncePerKey(runs.filter(counts)).sort((a, b) => attemptOf(a) - attemptOf(b))
  const points = await readPoints(client, children)
  const placed: { readonly event: TrialEvent; readonly placeMs: number }[] = []
  // Clocks may be set back: no event comes before an earlier one of its trial.
  const newest = new Map<TrialId, number>()
  for (const run of children) {
    for (const event of await readEvents(client, run, points.get(run.id) ?? [])) {
      const placeMs = Math.max(event.atMs, newest.get(event.trial) ?? -Infinity)
      newest.set(event.trial, placeMs)
      placed.push({ event, placeMs })
    }
  }
  const sources = new Map(
    children.map(({ tags }) => [`${tags['mlds.trial']} ${tags['mlds.attempt']}`, readSource(tags)]),
  )
  const manifest = await readManifest(client, parent)
  const { recordsDigest } = manifest ?? {}
  const isTold = typeof recordsDigest === 'string' && parent.tags['mlds.state'] !== 'running'
  return {
    ...{ parent, children, plan, manifest, recordsDigest: isTold ? recordsDigest : undefined },
    sourceOf: ({ trial, attempt }) => sources.get(`${trial} ${attempt}`),
    // Sorting keeps equals as they were.
    events: placed.sort((a, b) => a.placeMs - b.placeMs).map(({ event }) => event),
  }
}

const runId = /^[0-9a-f]{32}$/

async function findParent(client: MlflowClient, sweep: string): Promise<Run> {
  const named = runId.test(sweep) ? await client.findRun(sweep) : undefined
  const runs =
    named === undefined
      ? await client.searchRuns(await client.experimentIds(), `tags."mlds.sweep" = '${quoted(sweep)}'`)
      : [named]
  const parents = oncePerKey(runs.filter(({ tags }) => tags['mlds.sweep_key'] !== undefined && !('mlds.trial' in tags)))
  const [parent, ...others] = parents
  if (parent === undefined) {
    throw new StoreError(`no such sweep in MLflow: ${sweep} (at ${client.url})`, {
      hint: 'the id is the name of the parent run; mlds sync brings a sweep there',
      exitCode: 2,
    })
  }
  if (others.length === 0) return parent
  const told = parents.map(
    ({ id, startMs, tags }) =>
      `${id}, planned ${new Date(startMs).toISOString()}${tags['mlflow.user'] === undefined ? '' : ` by ${tags['mlflow.user']}`}`,
  )
  throw new StoreError(`${parents.length} sweeps in MLflow are called ${sweep} (at ${client.url})`, {
    hint: `name one by its parent run: ${told.join('; ')}`,
    exitCode: 2,
  })
}

function quoted(text: string): string {
  return text.replaceAll("'", "\\'")
}

/** A request that arrived twice may have made a run twice; one that has ended says the most. */
function oncePerKey(runs: readonly Run[]): Run[] {
  const kept = new Map<string, Run>()
  for (const run of withoutDuplicates(runs)) {
    const key = run.tags['mlds.run_key'] ?? run.id
    const before = kept.get(key)
    if (before === undefined || (before.endMs === undefined && run.endMs !== undefined)) kept.set(key, run)
  }
  return [...kept.values()]
}

export async function readManifest(client: MlflowClient, parent: Run): Promise<TrackedSweep['manifest']> {
  let manifest: TrackedSweep['manifest']
  try {
    const bytes = await client.getArtifact(parent, manifestPath)
    manifest = JSON.parse(Buffer.from(bytes).toString()) as TrackedSweep['manifest']
  } catch (error) {
    if (error instanceof MlflowError && error.status !== 404) throw error
    return undefined
  }
  const { format, codeVersion: by } = manifest ?? {}
  const what = `sweep ${parent.tags['mlds.sweep']} in MLflow`
  refuseNewer(what, 'manifest format', { format, known: manifestFormat, by })
  return manifest
}

async function readPoints(client: MlflowClient, runs: readonly Run[]): Promise<Map<string, Point[]>> {
  const found = new Map<string, Point[]>()
  // A long series is read from its artifact instead.
  const short = runs.filter((run) => run.tags['mlds.series'] === undefined)
  for (const key of new Set(short.flatMap((run) => [...run.latest.keys()]))) {
    const having = short.filter((run) => run.latest.has(key))
    const histories = await client.histories(
      having.map((run) => run.id),
      key,
    )
    for (const [id, points] of histories) found.set(id, [...(found.get(id) ?? []), ...points])
  }
  return found
}

async function readEvents(client: MlflowClient, run: Run, points: readonly Point[]): Promise<TrialEvent[]> {
  const trial = run.tags['mlds.trial']!
  const attempt = Number(run.tags['mlds.attempt'])
  const outcome = await fetchOutcome(client, run)
  const endedAtMs = run.endMs ?? run.startMs
  const worker = run.tags['mlds.worker']
  const reports =
    run.tags['mlds.series'] === undefined ? groupReports(run, points, outcome) : await readSeries(client, run)
  return [
    ...(worker === undefined ? [] : [{ type: 'started', trial, attempt, atMs: run.startMs, worker } as const]),
    ...reports.map((report) => ({ type: 'report', trial, attempt, ...report }) as const),
    ...(outcome === undefined
      ? []
      : outcome.state === 'lost'
        ? [{ type: 'lost', trial, attempt, atMs: endedAtMs, reason: outcome.reason } as const]
        : [{ type: 'ended', trial, attempt, atMs: endedAtMs, outcome } as const]),
  ]
}

type Ending = Outcome | { readonly state: 'lost'; readonly reason: string }

async function fetchOutcome(client: MlflowClient, run: Run): Promise<Ending | undefined> {
  const file = run.tags['mlds.outcome_file']
  const text =
    file === undefined ? run.tags['mlds.outcome'] : Buffer.from(await client.getArtifact(run, file)).toString()
  if (text === undefined) return undefined
  const outcome: Ending = readOutcome(JSON.parse(text) as Ending)
  return 'metrics' in outcome ? { ...outcome, metrics: readMetrics(outcome.metrics) } : outcome
}

/** NaN and infinities travel as words. */
export function readMetrics(metrics: Readonly<Record<string, unknown>>): Metrics {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, Number(value)]))
}

interface Report {
  readonly atMs: number
  readonly step: number
  readonly metrics: Metrics
}

/** Points of one step and time were one report; results that were logged beside the reports are set aside. */
function groupReports(run: Run, points: readonly Point[], outcome: Ending | undefined): Report[] {
  const final = new Set(JSON.parse(run.tags['mlds.final'] ?? '[]') as string[])
  const result = outcome !== undefined && 'metrics' in outcome ? outcome.metrics : {}
  const groups = new Map<string, { atMs: number; step: number; metrics: Map<string, number> }>()
  for (const { key, value, timestamp, step } of points) {
    if (final.has(key) && timestamp === run.endMs && Object.is(value, lookUp(result, key))) continue
    const name = `${step} ${timestamp}`
    const group = groups.get(name) ?? { atMs: timestamp, step, metrics: new Map() }
    group.metrics.set(key, value)
    groups.set(name, group)
  }
  return [...groups.values()]
    .map((group) => ({ ...group, metrics: Object.fromEntries(group.metrics) }))
    .sort((a, b) => a.atMs - b.atMs || a.step - b.step)
}

async function readSeries(client: MlflowClient, run: Run): Promise<Report[]> {
  const text = Buffer.from(await client.getArtifact(run, run.tags['mlds.series']!)).toString()
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const report = JSON.parse(line) as Report
      return { ...report, metrics: readMetrics(report.metrics) }
    })
}
