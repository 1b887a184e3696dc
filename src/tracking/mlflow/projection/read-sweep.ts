import { readOutcome } from '../../../core/divergence.js'
import { StoreError } from '../../../core/errors.js'
import { isMapping } from '../../../core/is-mapping.js'
import type { SweepSource } from '../../../core/sweep-source.js'
import type { Metrics, OutcomeState, TrialEvent, TrialId } from '../../../core/trial.js'
import { MlflowError } from '../rest/mlflow-error.js'
import type { MlflowClient } from '../rest/client.js'
import type { Point, Run } from '../rest/wire.js'
import { refuseNewer } from '../../../core/newer-format.js'
import { manifestFormat, manifestPath, metricsTag, planPath, voidedTag, withoutDuplicates } from './projection.js'
import { isMetrics, parseJson, readEnding, readMetrics, type Ending } from './ending.js'
import { identify, isChild } from './identity.js'
import { readSource } from './source-tags.js'
import { metricsOfUsage, readUsage } from './usage.js'
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

/** The server has no sweep of that name. */
export class NotInMlflowError extends StoreError {}

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
  const key = quoted(identify(parent).sweepKey)
  const runs = await client.searchRuns([parent.experimentId], `tags."mlds.sweep_key" = '${key}'`)
  const voidedAtMs = Number(parent.tags[voidedTag] ?? -Infinity)
  const counts = (run: Run): boolean => isChild(run) && (run.endMs ?? Infinity) >= voidedAtMs
  const attemptOf = (run: Run): number => identify(run).attempt
  // Nothing runs after a result but a copy that came too late, which did not count.
  const hasResult = (run: Run): number => Number(resultStates.has(run.tags['mlds.state'] ?? ''))
  const children = oncePerKey(runs.filter(counts)).sort(
    (a, b) => hasResult(a) - hasResult(b) || attemptOf(a) - attemptOf(b),
  )
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
    children.map((run) => {
      const { trial, attempt } = identify(run)
      return [`${trial} ${attempt}`, readSource(run.tags)]
    }),
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

const resultStates: ReadonlySet<string> = new Set<OutcomeState>(['finished', 'stopped', 'diverged'])

const runId = /^[0-9a-f]{32}$/

async function findParent(client: MlflowClient, sweep: string): Promise<Run> {
  const named = runId.test(sweep) ? await client.findRun(sweep) : undefined
  const runs =
    named === undefined
      ? await client.searchRuns(await client.experimentIds(), `tags."mlds.sweep" = '${quoted(sweep)}'`)
      : [named]
  const parents = oncePerKey(runs.filter((run) => !isChild(run) && identify(run).sweepKey !== run.tags['mlds.sweep']))
  const [parent, ...others] = parents
  if (parent === undefined) {
    throw new NotInMlflowError(`no such sweep in MLflow: ${sweep} (at ${client.url})`, {
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
    // A copy in another experiment is another sweep.
    const key = `${run.experimentId} ${identify(run).key}`
    const before = kept.get(key)
    if (before === undefined || (before.endMs === undefined && run.endMs !== undefined)) kept.set(key, run)
  }
  return [...kept.values()]
}

export async function readManifest(client: MlflowClient, parent: Run): Promise<TrackedSweep['manifest']> {
  let manifest: TrackedSweep['manifest']
  try {
    const bytes = await client.getArtifact(parent, manifestPath)
    const said = parseJson(Buffer.from(bytes).toString())
    manifest = isMapping(said) ? said : undefined
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
  const { trial = '', attempt } = identify(run)
  const outcome = await fetchOutcome(client, run)
  const endedAtMs = run.endMs ?? run.startMs
  const worker = run.tags['mlds.worker']
  const usage = readUsage(run.tags)
  const aside = new Set(usage === undefined ? [] : Object.keys(metricsOfUsage(usage)))
  const reported = points.filter(({ key }) => !aside.has(key))
  const reports =
    run.tags['mlds.series'] === undefined ? groupReports(run, reported, outcome) : await readSeries(client, run)
  return [
    ...(worker === undefined ? [] : [{ type: 'started', trial, attempt, atMs: run.startMs, worker } as const]),
    ...reports.map((report) => ({ type: 'report', trial, attempt, ...report }) as const),
    ...(outcome === undefined
      ? []
      : outcome.state === 'lost'
        ? [{ type: 'lost', trial, attempt, atMs: endedAtMs, reason: outcome.reason } as const]
        : [{ type: 'ended', trial, attempt, atMs: endedAtMs, outcome, ...(usage && { usage }) } as const]),
  ]
}

async function fetchOutcome(client: MlflowClient, run: Run): Promise<Ending | undefined> {
  const file = run.tags['mlds.outcome_file']
  const text =
    file === undefined ? run.tags['mlds.outcome'] : Buffer.from(await client.getArtifact(run, file)).toString()
  if (text === undefined) return undefined
  return readOutcome(readEnding(text) ?? refuse(run, 'its outcome'))
}

/** @throws StoreError that says what of a run is not as mlds writes it. */
function refuse({ id, name }: Run, what: string): never {
  throw new StoreError(`the run ${name} in MLflow can't be read: ${what} is not what mlds writes (run ${id})`, {
    hint: 'where the journal of its sweep is, mlds sync --deep mends it',
  })
}

interface Report {
  readonly atMs: number
  readonly step: number
  readonly metrics: Metrics
}

/** Points of one step and time were one report; results that were logged beside the reports are set aside. */
function groupReports(run: Run, points: readonly Point[], outcome: Ending | undefined): Report[] {
  const final = new Set(readNames(run, 'mlds.final'))
  // Runs of earlier versions do not say what is theirs.
  const own = metricsTag in run.tags ? new Set(readNames(run, metricsTag)) : undefined
  const result = outcome !== undefined && 'metrics' in outcome ? outcome.metrics : {}
  const groups = new Map<string, { atMs: number; step: number; metrics: Map<string, number> }>()
  for (const { key, value, timestamp, step } of points) {
    if (own?.has(key) === false) continue
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

function readNames(run: Run, tag: string): unknown[] {
  const names = parseJson(run.tags[tag] ?? '[]')
  return Array.isArray(names) ? names : refuse(run, `its tag ${tag}`)
}

async function readSeries(client: MlflowClient, run: Run): Promise<Report[]> {
  const bytes = await client.getArtifact(run, run.tags['mlds.series']!).catch((error: unknown) => {
    if (error instanceof MlflowError && error.status === 404) refuse(run, 'its series')
    throw error
  })
  return Buffer.from(bytes)
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const report = parseJson(line)
      return isReport(report) ? { ...report, metrics: readMetrics(report.metrics) } : refuse(run, 'its series')
    })
}

function isReport(report: unknown): report is Report {
  return (
    isMapping(report) &&
    Number.isFinite(report['atMs']) &&
    Number.isSafeInteger(report['step']) &&
    isMetrics(report['metrics'])
  )
}
