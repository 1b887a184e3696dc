import { writeValue } from '../../core/param-value.js'
import type { ParamValue } from '../../core/trial.js'
import type { Change, NewPoints, RowCells, Snapshot, TrialCells, TrialStanding, WireNumber } from '../wire.js'

/** A trial as the page knows it. */
export interface Row {
  readonly index: number
  readonly id: string
  readonly stage: string
  /** In the order of the sweep's axes. */
  readonly point: readonly (ParamValue | undefined)[]
  readonly seeds: readonly number[]
  state: TrialStanding
  attempts: number
  startedAtMs: number | null
  endedAtMs: number | null
  heardAtMs: number
  worker: string | null
  step: number | null
  reports: number
  reason: string | null
  /** In the order of the sweep's metrics. */
  results: readonly (number | null)[]
}

export type CellValue = number | string | boolean | null

/** One thing that is known of every trial. */
export interface Column {
  readonly name: string
  readonly kind: 'axis' | 'seed' | 'metric' | 'fact'
  readonly of: (row: Row) => CellValue
}

export const numberOf = (value: WireNumber | null): number | null => (typeof value === 'string' ? Number(value) : value)

/** A sweep as the page knows it: a snapshot, and every change since. No browser is needed for it. */
export class SweepModel {
  readonly rows: Row[] = []
  #metrics: readonly string[]
  /** Of settings: trials that differ in seeds alone, and in axes that are averaged as seeds are, have one key. */
  readonly #settingKeys: string[] = []
  /** By the place of an axis: whether settings differ in it. */
  readonly #isOfSetting: readonly boolean[]

  constructor(readonly about: Snapshot) {
    this.#metrics = about.metrics
    const { average = [] } = about.objective
    this.#isOfSetting = about.axes.map((axis) => !average.includes(axis))
    this.#add(about.trials)
    for (const cells of about.rows) this.#set(cells)
  }

  get metrics(): readonly string[] {
    return this.#metrics
  }

  /** @returns the rows that changed. */
  apply({ added, metrics, rows }: Change): Row[] {
    this.#metrics = metrics
    this.#add(added)
    return rows.flatMap((cells) => this.#set(cells) ?? [])
  }

  #add(trials: readonly TrialCells[]): void {
    for (const [id, stage, point, seeds] of trials) {
      const [stageName, index] = [this.about.stages[stage] ?? 'main', this.rows.length]
      this.#settingKeys.push(JSON.stringify([stage, point.filter((_, i) => this.#isOfSetting[i])]))
      this.rows.push({
        ...{ index, id, stage: stageName, point, seeds },
        ...{ state: 'planned', attempts: 0, startedAtMs: null, endedAtMs: null, heardAtMs: 0, worker: null },
        ...{ step: null, reports: 0, reason: null, results: [] },
      })
    }
  }

  #set(cells: RowCells): Row | undefined {
    const [index, state, attempts, startedAtMs, endedAtMs, heardAtMs, worker, step, reports, reason, metrics] = cells
    const row = this.rows[index]
    if (row === undefined) return undefined
    return Object.assign(row, {
      ...{ state, attempts, startedAtMs, endedAtMs, heardAtMs, worker, step, reports, reason },
      results: metrics.map(numberOf),
    })
  }

  /** What all trials of a setting share. */
  settingKey(row: Row): string {
    return this.#settingKeys[row.index]!
  }

  /** `width=8 lr=0.1 seed=0`; of the `setting` alone without seeds, and without what is averaged as they are. */
  describe(row: Row, { setting = false } = {}): string {
    const parts = this.about.axes.flatMap((axis, i) =>
      row.point[i] === undefined || row.point[i] === null || (setting && !this.#isOfSetting[i])
        ? []
        : [`${axis}=${shortValue(row.point[i])}`],
    )
    if (!setting) this.about.seeds.forEach((name, i) => parts.push(`${name}=${row.seeds[i]}`))
    if (this.about.stages.length > 1) parts.unshift(row.stage)
    return parts.join(' ') || row.id
  }

  metric(row: Row, name: string): number | null {
    return row.results[this.#metrics.indexOf(name)] ?? null
  }

  /** Everything that is known of every trial, in the order in which a table shows it. */
  columns(): Column[] {
    const { axes, seeds, stages } = this.about
    const fact = (name: string, of: Column['of']): Column => ({ name, kind: 'fact', of })
    return [
      fact('index', ({ index }) => index),
      fact('trial', ({ id }) => id),
      ...(stages.length > 1 ? [fact('stage', ({ stage }) => stage)] : []),
      fact('state', ({ state }) => state),
      ...axes.map((name, i): Column => ({ name, kind: 'axis', of: ({ point }) => cellOf(point[i]) })),
      ...seeds.map((name, i): Column => ({ name, kind: 'seed', of: ({ seeds }) => seeds[i] ?? null })),
      ...this.#metrics.map((name, i): Column => ({ name, kind: 'metric', of: ({ results }) => results[i] ?? null })),
      fact('step', ({ step }) => step),
      fact('seconds', secondsOf),
      fact('attempts', ({ attempts }) => attempts),
      fact('worker', ({ worker }) => worker),
      fact('note', ({ reason }) => reason),
    ]
  }
}

/** How long its last attempt took; null while it runs. */
export function secondsOf({ startedAtMs, endedAtMs }: Row): number | null {
  return startedAtMs === null || endedAtMs === null ? null : (endedAtMs - startedAtMs) / 1000
}

function cellOf(value: ParamValue | undefined): CellValue {
  return value === undefined || value === null ? null : typeof value === 'object' ? writeValue(value) : value
}

/** A value in as many characters as a legend has room for. */
export function shortValue(value: ParamValue | undefined): string {
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(3)))
  const text = writeValue(value)
  return text.length > 24 ? `${text.slice(0, 23)}…` : text
}

/** A trial's course, as far as the page has it. */
export class Course {
  attempts: number
  reports: number
  readonly series: Map<string, { steps: number[]; values: number[] }>

  constructor(given: {
    readonly attempts: number
    readonly reports: number
    readonly series: Readonly<Record<string, { steps: readonly number[]; values: readonly WireNumber[] }>>
  }) {
    this.attempts = given.attempts
    this.reports = given.reports
    this.series = new Map(
      Object.entries(given.series).map(([name, { steps, values }]) => [
        name,
        { steps: [...steps], values: values.map((value) => numberOf(value)!) },
      ]),
    )
  }

  /** Adds the points that it lacks. @returns false when some are missing between, so that it must be asked for anew. */
  add({ from, points }: NewPoints, row: Row, names: readonly string[]): boolean {
    if (row.attempts !== this.attempts) {
      if (from > 0) return false
      this.attempts = row.attempts
      this.reports = 0
      this.series.clear()
    }
    if (from > this.reports || from + points.length < row.reports) return false
    for (const [step, values] of points.slice(this.reports - from)) {
      this.reports++
      values.forEach((value, i) => {
        if (value === null) return
        const name = names[i]!
        const known = this.series.get(name) ?? { steps: [], values: [] }
        this.series.set(name, known)
        known.steps.push(step)
        known.values.push(numberOf(value)!)
      })
    }
    return true
  }
}
