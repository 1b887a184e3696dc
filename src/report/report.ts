import { formatCount } from '../core/format.js'
import { reasonOf } from '../core/divergence.js'
import type { Experiment } from '../experiments/experiment.js'
import { hasProfiles } from '../core/has-profiles.js'
import type { ReadArtifact, VegaLiteSpec } from '../figures/figure.js'
import { drawFigure } from '../figures/draw.js'
import { lookUp } from '../core/names.js'
import { writeValue } from '../core/param-value.js'
import { describeBest } from '../core/describe-best.js'
import { rankRecords, type Ranking, type Standing } from '../core/ranking.js'
import { goalsOf } from '../core/objective.js'
import { varyingAxes } from '../core/varying-axes.js'
import type { ListedAttempt } from '../sweeps/journal/list-attempts.js'
import { describeCounts } from '../sweeps/journal/state.js'
import type { SweepNote } from '../sweeps/sweep-note.js'
import { tallyOf } from '../sweeps/tally.js'
import { judge, type ClaimVerdict } from '../sweeps/verdicts.js'
import { importanceOf, type Importance } from './importance.js'
import type { Objective, ParamValue, Trial, TrialId, TrialRecord } from '../core/trial.js'

/** What a report says of a sweep beyond its records; from the sweep's folder or from a server's tags alike. */
export interface PlanFacts {
  readonly sweep: string
  readonly profile: string
  /** What the person asked for, as written; shown as JSON. */
  readonly spec: unknown
  readonly planHash: string
  readonly codeVersion: string
  /** Engines that ran its trials; empty when nobody wrote them down. */
  readonly engines: readonly string[]
  /** Fingerprint by name of data set. */
  readonly data: Readonly<Record<string, string>>
  /** Unix time. */
  readonly createdAtMs: number
}

export interface ReportInput {
  readonly experiment: Experiment
  /** The sweep's. Default: the experiment's. */
  readonly objective?: Objective
  readonly facts: PlanFacts
  /** In plan order. */
  readonly records: readonly TrialRecord[]
  readonly read: ReadArtifact
  /** What people wrote of the sweep. Default: nothing. */
  readonly note?: SweepNote
  /** Which axes of a search matter, in one line. Default: nobody knows. */
  readonly importance?: string
  /** What its journal tells beyond the records. Default: nothing. */
  readonly history?: SweepHistory
}

/** What a journal tells of trials beyond their records. */
export interface SweepHistory {
  /** Of trials that took more than one. */
  readonly attempts: ReadonlyMap<TrialId, readonly ListedAttempt[]>
  /** Why a search that learns suggested a trial, in a line. */
  readonly suggestions: ReadonlyMap<TrialId, string>
}

export interface ReportFigure {
  readonly name: string
  readonly caption: string
  readonly spec: VegaLiteSpec
  readonly svg: string
}

export type Cell = string | number | boolean | null

/** One row per trial; numbers that JSON lacks are the words NaN, Infinity and -Infinity, what is missing is null. */
export interface TrialTable {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

/** Everything a page shows, before it is HTML or Markdown. */
export interface Report {
  readonly sweep: string
  readonly experiment: string
  readonly title: string
  readonly question: string
  readonly source: string
  /** One sentence of counts. */
  readonly outcome: string
  /** How many claims came out which way, checks left out; empty when there are none. */
  readonly tally: string
  /** The best point in one line, or why there is none; empty while nothing has ended. */
  readonly best: string
  /** Which axes of a search matter, in one line; empty where nobody knows. */
  readonly importance: string
  /** What people wrote of the sweep; missing where they wrote nothing. */
  readonly note?: SweepNote
  readonly verdicts: readonly ClaimVerdict[]
  readonly figures: readonly ReportFigure[]
  /** Figures that could not be drawn, and why. */
  readonly troubles: readonly string[]
  /** One row per setting, the best first, at most 100. */
  readonly settings: TrialTable
  readonly table: TrialTable
  readonly manifest: readonly (readonly [name: string, value: string])[]
  readonly axisShares?: Importance
  /** What all this was made from. */
  readonly objective: Objective
  readonly createdAtMs: number
  readonly records: readonly TrialRecord[]
  /** Of these records. */
  readonly ranking: Ranking
  readonly history?: SweepHistory
}

/** A figure's name in words: `result-against-lr` is the name of a file. */
export function headingOf(name: string): string {
  const words = name.replaceAll('-', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** Pure: the same records and facts give the same report. A figure that fails is named in `troubles`, not thrown. */
export async function buildReport(input: ReportInput): Promise<Report> {
  const { experiment, facts, records, read, note, history, importance = '', objective = experiment.objective } = input
  const figures: ReportFigure[] = []
  const troubles: string[] = []
  for (const definition of experiment.figures) {
    const { name, caption } = definition
    const drawn = await drawFigure(definition, records, read)
    if (drawn === undefined) continue
    if ('trouble' in drawn) troubles.push(drawn.trouble)
    else figures.push({ name, caption, ...drawn })
  }
  const verdicts = judge(experiment.claims, records)
  const ranking = rankRecords(records, objective)
  const axisShares = importanceOf(records, objective, experiment.searchedAxes, ranking)
  return {
    sweep: facts.sweep,
    experiment: experiment.name,
    title: experiment.title,
    question: experiment.question,
    source: experiment.source,
    outcome: describeOutcome(records),
    tally: tallyOf(verdicts),
    best: describeBestOf(ranking, objective, records),
    importance,
    ...(note === undefined || (note.note === '' && note.tags.length === 0) ? {} : { note }),
    verdicts,
    figures,
    troubles,
    settings: tabulateSettings(ranking.all(), objective),
    table: tabulate(records),
    manifest: describeManifest(experiment, facts, records),
    ...(axisShares === undefined ? {} : { axisShares }),
    ...{ objective, records, ranking, createdAtMs: facts.createdAtMs },
    ...(history === undefined ? {} : { history }),
  }
}

function describeOutcome(records: readonly TrialRecord[]): string {
  const count = (...states: TrialRecord['state'][]): number =>
    records.filter(({ state }) => states.includes(state)).length
  return describeCounts({
    planned: records.length,
    finished: count('finished', 'stopped', 'diverged'),
    stopped: count('stopped'),
    diverged: count('diverged'),
    failed: count('failed'),
    dead: count('dead'),
    skipped: count('skipped'),
    cancelled: count('cancelled'),
    running: count('running'),
    missing: count('planned'),
  })
}

function describeBestOf(ranking: Ranking, objective: Objective, records: readonly TrialRecord[]): string {
  if (ranking.all().length === 0 && ranking.whyNone() === undefined) return ''
  return describeBest(ranking, objective, varyingAxes(records.map(({ trial }) => trial)))
}

/** More settings than these are for the trials' own table. */
const maxSettings = 100

/** What tells settings apart, then mean, standard deviation and number of trials of each objective's value. */
function tabulateSettings(standings: readonly Standing[], objective: Objective): TrialTable {
  const axes = varyingAxes(standings)
  const goals = goalsOf(objective)
  const cells: readonly (readonly [column: string, of: (standing: Standing) => Cell | undefined])[] = [
    ...axes.map((axis) => [axis, ({ params }: Standing) => settingCell(lookUp(params, axis))] as const),
    ...goals.map(({ metric }, k) => [metric, ({ mean, means }: Standing) => means?.[k] ?? mean] as const),
    ...(goals.length > 1 ? [] : [['standard deviation', ({ deviation }: Standing) => deviation] as const]),
    ['trials', ({ trials }) => trials.length],
    ['note', noteOfStanding],
  ]
  return {
    columns: cells.map(([column]) => column),
    rows: standings.slice(0, maxSettings).map((standing) => cells.map(([, of]) => plainCell(of(standing)))),
  }
}

function noteOfStanding({ stopped, diverged }: Standing): string {
  const parts = [stopped > 0 ? `${stopped} stopped early` : '', diverged > 0 ? `${diverged} diverged` : '']
  return parts.filter((part) => part !== '').join('; ')
}

/** Index, state and what varies first, then final metrics; what is the same in every trial stands in the manifest. */
export function tabulate(records: readonly TrialRecord[]): TrialTable {
  const stages = new Set(records.map(({ trial }) => trial.stage))
  // Four equal columns would say no more than one.
  const oneSeed = records.every(({ trial: { seeds } }) => new Set(Object.values(seeds)).size === 1)
  const varying = settingsOf(records, { oneSeed }).filter((setting) => valuesOf(records, setting).size > 1)
  const metrics = [...new Set(records.flatMap((record) => Object.keys(record.metrics)))].sort()
  const cells: readonly (readonly [column: string, of: (record: TrialRecord) => Cell | undefined])[] = [
    ['#', ({ trial }) => trial.index],
    ['trial', ({ trial }) => trial.id],
    ...(stages.size > 1 ? [['stage', ({ trial }: TrialRecord) => trial.stage] as const] : []),
    ['state', ({ state }) => state],
    ...varying.map(([name, of]) => [name, ({ trial }: TrialRecord) => settingCell(of(trial))] as const),
    ...metrics.map((name) => [name, ({ metrics }: TrialRecord) => lookUp(metrics, name)] as const),
    ['seconds', secondsOf],
    ['note', noteOf],
  ]
  return {
    columns: cells.map(([column]) => column),
    rows: records.map((record) => cells.map(([, of]) => plainCell(of(record)))),
  }
}

/** Numbers stay numbers, to be sorted by. */
function settingCell(value: ParamValue | undefined): Cell {
  return typeof value === 'number' || typeof value === 'boolean' ? value : writeValue(value)
}

function plainCell(value: Cell | undefined): Cell {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : (value ?? null)
}

/** A parameter or a seed by the name a person would set it with, and what a trial has of it. */
type Setting = readonly [name: string, of: (trial: Trial) => ParamValue | undefined]

/** All there are; seeds that are one number in every trial are one setting. */
function settingsOf(records: readonly TrialRecord[], { oneSeed = false } = {}): Setting[] {
  const [params, seeds] = [new Set<string>(), new Set<string>()]
  for (const { trial } of records) {
    for (const name of Object.keys(trial.params)) params.add(name)
    for (const name of Object.keys(trial.seeds)) seeds.add(name)
  }
  const ofSeeds: Setting[] = oneSeed
    ? [['seed', (trial) => trial.seeds.init]]
    : [...seeds].map((name) => [`seed.${name}`, ({ seeds }) => seeds[name as keyof Trial['seeds']]])
  const taken = new Set(ofSeeds.map(([name]) => name))
  const own = [...params].filter((name) => !taken.has(name))
  return [...own.map((name): Setting => [name, (trial) => lookUp(trial.params, name)]), ...ofSeeds]
}

/** Every value of a setting as it is written. */
function valuesOf(records: readonly TrialRecord[], [, of]: Setting): Set<string> {
  const [met, written] = [new Set<ParamValue>(), new Set<string>()]
  for (const { trial } of records) {
    const value = of(trial)
    // Many trials share few values: each is written once.
    if (value === undefined || met.has(value)) continue
    met.add(value)
    written.add(writeValue(value))
  }
  return written
}

function secondsOf({ startedAtMs, endedAtMs }: TrialRecord): number | undefined {
  return startedAtMs === undefined || endedAtMs === undefined ? undefined : (endedAtMs - startedAtMs) / 1000
}

function noteOf({ outcome, attempts }: TrialRecord): string {
  const reason = (outcome === undefined ? undefined : reasonOf(outcome)) ?? ''
  return [reason, attempts > 1 ? formatCount(attempts, 'attempt') : ''].filter((part) => part !== '').join('; ')
}

/** What made a sweep, by name: what the page and the Markdown end with. */
export function describeManifest(
  experiment: Experiment,
  facts: PlanFacts,
  records: readonly TrialRecord[],
): [string, string][] {
  const values = new Map(settingsOf(records).map((setting) => [setting[0], valuesOf(records, setting)]))
  const fixed = [...values].flatMap(([name, set]) => (set.size === 1 ? [`${name} = ${[...set].join()}`] : []))
  const seeds = [...values].flatMap(([name, set]) =>
    name.startsWith('seed.') ? [`${name.slice(5)}: ${listed([...set])}`] : [],
  )
  const varied = [...values].flatMap(([name, set]) =>
    set.size === 1 || name.startsWith('seed.') ? [] : [`${name}: ${listed([...set])}`],
  )
  const starts = records.flatMap(({ startedAtMs }) => startedAtMs ?? [])
  const ends = records.flatMap(({ endedAtMs }) => endedAtMs ?? [])
  return [
    ['sweep', facts.sweep],
    [
      'experiment',
      `${experiment.name}, version ${experiment.version}${hasProfiles(experiment) ? `, profile ${facts.profile}` : ''}`,
    ],
    ['spec', JSON.stringify(facts.spec)],
    ['plan', `${formatCount(records.length, 'trial')}, hash ${facts.planHash}`],
    ['code version', facts.codeVersion],
    ['engine', facts.engines.length === 0 ? 'not recorded' : facts.engines.join(', ')],
    [
      'data',
      Object.entries(facts.data)
        .map(([name, print]) => `${name}: ${print}`)
        .join('; ') || 'none',
    ],
    ['seeds', seeds.join('; ')],
    ['varied', varied.join('; ') || 'nothing but seeds'],
    ['the same in every trial', fixed.join('; ') || 'nothing'],
    ['planned', timeOf(facts.createdAtMs)],
    // A spread would overflow the stack of arguments in a large sweep.
    ['first start', timeOf(starts.reduce((a, b) => Math.min(a, b), Infinity))],
    ['last end', timeOf(ends.reduce((a, b) => Math.max(a, b), -Infinity))],
  ]
}

/** More values than this are a range to a reader, not a list. */
const maxListed = 24

function listed(values: readonly string[]): string {
  if (values.length <= maxListed) return values.join(', ')
  return `${values.slice(0, maxListed - 1).join(', ')} … ${values.at(-1)} (${values.length} values)`
}

function timeOf(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : '–'
}

/** At most four significant digits; the whole number where it is one. */
export function formatCell(cell: Cell): string {
  if (cell === null) return '–'
  if (typeof cell !== 'number' || Number.isInteger(cell)) return String(cell)
  const size = Math.abs(cell)
  return size >= 1e5 || size < 1e-3 ? cell.toExponential(3) : String(Number(cell.toPrecision(4)))
}
