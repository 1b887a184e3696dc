import { reasonOf } from '../../core/divergence.js'
import { isTerminal, type TrialId, type TrialRecord } from '../../core/trial.js'
import { varyingAxes } from '../../core/varying-axes.js'
import type { Report } from '../../report/report.js'
import { isResult } from '../../sweeps/journal/state.js'
import { rowCells, thinned, trialCells, varyingSeeds, wireNumber } from '../cells.js'
import { verdictsAnswer } from '../verdicts-answer.js'
import type { CoursesAnswer, Frozen, LogPart, RowCells, SweepLine, TrialDetails } from '../wire.js'

/** Trials whose curves a report has, the best first, unless all are asked for; and points of each. */
const usualCourses = 20
const usualPoints = 200
const fullPoints = 500
/** More text of a stack than this helps nobody. */
const maxStackLength = 4_000
/** Of a trial that was tried more often the last attempts are told. */
const maxAttempts = 10

export interface FreezeOptions {
  /** Every trial's curve, and these logs. Default: the curves of the best 20 trials, and no log. */
  readonly full?: { readonly logs: Readonly<Record<string, LogPart>> } | undefined
}

/** A report as a page takes it in: pure, and the same bytes for the same report. */
export function freeze(report: Report, { full }: FreezeOptions = {}): Frozen {
  const { records, objective, figures, troubles, manifest, axisShares } = report
  const trials = records.map(({ trial }) => trial)
  const columns = {
    stages: [...new Set(trials.map(({ stage }) => stage))],
    axes: varyingAxes(trials),
    seeds: varyingSeeds(trials),
  }
  const metrics = metricNames(records)
  const nowMs = newestMs(report)
  const params = Object.entries(trials[0]?.params ?? {})
  const ended = records.filter(({ state }) => isTerminal(state)).length
  return {
    nowMs,
    line: lineOf(report, nowMs),
    snapshot: {
      sweep: report.sweep,
      title: report.title,
      question: report.question,
      objective,
      ...columns,
      fixed: Object.fromEntries(params.filter(([name]) => !columns.axes.includes(name))),
      trials: trials.map((trial) => trialCells(trial, columns)),
      metrics,
      rows: records.map((record) => rowOf(record, metrics)).filter((row) => row !== undefined),
    },
    courses: coursesOf(
      report,
      full === undefined ? { most: usualCourses, points: usualPoints } : { points: fullPoints },
    ),
    figures: {
      ...verdictsAnswer(report.verdicts),
      figures: figures.map(({ name, caption }) => ({ name, caption })),
      ...{ troubles, manifest, ended },
    },
    importance: axisShares ?? { settings: 0, shares: [] },
    seeds: { ...trials[0]?.seeds },
    details: detailsOf(report),
    ...(full === undefined ? {} : { logs: full.logs }),
  }
}

function metricNames(records: readonly TrialRecord[]): string[] {
  const names = new Set<string>()
  for (const { metrics, series } of records)
    for (const some of [series, metrics]) for (const name of Object.keys(some)) names.add(name)
  return [...names]
}

/** The journal's newest time of a trial, else when the sweep was planned. */
function newestMs({ records, createdAtMs }: Report): number {
  return records.reduce(
    (newest, { startedAtMs = 0, endedAtMs = 0 }) => Math.max(newest, startedAtMs, endedAtMs),
    createdAtMs,
  )
}

function lineOf(report: Report, nowMs: number): SweepLine {
  const { sweep, experiment, records, ranking, best, note, createdAtMs } = report
  const counts: Record<string, number> = {}
  for (const { state } of records) counts[state] = (counts[state] ?? 0) + 1
  return {
    ...{ id: sweep, standing: 'ready', share: 1, experiment, createdAtMs, planned: records.length, counts, best },
    isRun: records.some(({ state }) => state === 'running'),
    bestTrials: ranking.best()?.standing.trials ?? [],
    heardAtMs: nowMs,
    tags: note?.tags ?? [],
    note: note?.note ?? '',
  }
}

/** Nothing of a trial that has not begun. */
function rowOf(record: TrialRecord, names: readonly string[]): RowCells | undefined {
  const { trial, state, attempts, startedAtMs, endedAtMs, worker, outcome, metrics, series } = record
  if (state === 'planned' && attempts === 0) return undefined
  let [step, reports, latest]: [number | undefined, number, Record<string, number>] = [undefined, 0, {}]
  for (const [name, { steps, values }] of Object.entries(series)) {
    reports = Math.max(reports, steps.length)
    const last = steps.at(-1)
    if (last !== undefined) [step, latest] = [Math.max(step ?? last, last), { ...latest, [name]: values.at(-1)! }]
  }
  return rowCells(
    {
      ...{ index: trial.index, state, attempts, startedAtMs, endedAtMs, worker, step, reports },
      heardAtMs: endedAtMs ?? startedAtMs ?? 0,
      reason: outcome === undefined ? undefined : reasonOf(outcome),
      metrics: Object.fromEntries(
        Object.entries(isResult(outcome) ? metrics : latest).map(([name, value]) => [name, rounded(value)]),
      ),
    },
    names,
  )
}

/** 8 significant digits: more than an eye or a 32-bit number has, and half as long to write. */
const rounded = (value: number): number => (Number.isFinite(value) ? Number(value.toPrecision(8)) : value)

/** The courses of the best trials, then of the first that have one. */
function coursesOf(
  { records, ranking }: Report,
  { most = Infinity, points }: { most?: number; points: number },
): CoursesAnswer {
  const withCourse = new Map(
    records.flatMap((record) => (Object.keys(record.series).length === 0 ? [] : [[record.trial.id, record] as const])),
  )
  const chosen = new Set<TrialId>()
  const ranked = ranking.all().flatMap(({ trials }) => trials)
  for (const id of [...ranked, ...withCourse.keys()]) if (chosen.size < most && withCourse.has(id)) chosen.add(id)
  return {
    trials: [...chosen].map((id) => {
      const { trial, attempts, series } = withCourse.get(id)!
      return {
        ...{ index: trial.index, attempts },
        reports: Object.values(series).reduce((most, { steps }) => Math.max(most, steps.length), 0),
        series: Object.fromEntries(
          Object.entries(series).map(([name, { steps, values }]) => {
            const places = thinned(steps.length, points)
            const cells = places.map((i) => wireNumber(rounded(values[i]!)))
            return [name, { steps: places.map((i) => steps[i]!), values: cells }]
          }),
        ),
      }
    }),
  }
}

function detailsOf({ records, history }: Report): Frozen['details'] {
  const places = new Map(records.map(({ trial }) => [trial.id, trial.index]))
  return records.flatMap(({ trial, artifacts, outcome }) => {
    const files = Object.entries(artifacts).map(([name, { sizeBytes }]) => [name, sizeBytes] as const)
    const parents = trial.parents.flatMap((parent) => places.get(parent) ?? [])
    const attempts = history?.attempts.get(trial.id)?.slice(-maxAttempts)
    const suggestion = history?.suggestions.get(trial.id)
    const stack = outcome?.state === 'failed' ? outcome.error.stack?.slice(0, maxStackLength) : undefined
    const details: TrialDetails = {
      ...(parents.length === 0 ? {} : { parents }),
      ...(files.length === 0 ? {} : { files }),
      ...(attempts === undefined
        ? {}
        : {
            attempts: attempts.map(({ attempt, ended, atMs, isVoid, reason }) => ({
              ...{ attempt, ended, atMs, isVoid },
              ...(reason === undefined ? {} : { reason: reason.slice(0, maxStackLength) }),
            })),
          }),
      ...(suggestion === undefined ? {} : { suggestion }),
      ...(stack === undefined ? {} : { stack }),
    }
    return Object.keys(details).length === 0 ? [] : [[trial.index, details] as const]
  })
}
