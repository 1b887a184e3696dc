import { csvLine } from '../../core/csv.js'
import { lookUp } from '../../core/names.js'
import { valueKey, wordOf } from '../../core/param-value.js'
import type { ParamValue, Trial, TrialRecord } from '../../core/trial.js'

/** One trial as a flat row; numbers that JSON lacks are the words NaN, Infinity and -Infinity. */
export type ExportRow = Readonly<Record<string, ParamValue>>

/**
 * Id, state, stage, parameters, seeds, final metrics; no times and no hosts, so equal sweeps give equal rows. A derived
 * trial's row names its parent and has the parent's parameters as `parent.<axis>`. A name that is another column's
 * already gets `param.` or `metric.` before it.
 */
export function exportRows(records: readonly TrialRecord[]): ExportRow[] {
  const columns = columnsOf(records)
  const trials = new Map(records.map(({ trial }) => [trial.id, trial]))
  return records.map(({ trial, state, metrics }) =>
    Object.fromEntries<ParamValue>([
      ['trial', trial.id],
      ['index', trial.index],
      ['stage', trial.stage],
      ['state', state],
      ...named(columns.params, trial.params),
      ...sorted(trial.seeds as unknown as Readonly<Record<string, number>>).map(([name, seed]): Cell => [
        `seed.${name}`,
        seed,
      ]),
      ...parentCells(trial, trials),
      ...named(columns.metrics, metrics),
    ]),
  )
}

type Cell = readonly [column: string, value: ParamValue]

/** Which column each parameter and each metric has; parameters choose first, and what nobody else claims keeps its name. */
function columnsOf(records: readonly TrialRecord[]): Record<'params' | 'metrics', ReadonlyMap<string, string>> {
  const taken = new Set(['trial', 'index', 'stage', 'state'])
  for (const { trial } of records.slice(0, 1)) Object.keys(trial.seeds).forEach((name) => taken.add(`seed.${name}`))
  const stages = new Set(records.flatMap(({ trial }) => (trial.parents.length > 0 ? [trial.stage] : [])))
  const axes = new Set(records.flatMap(({ trial }) => Object.keys(trial.params)))
  if (stages.size > 0) ['parent', ...[...axes].map(parentColumn)].forEach((column) => taken.add(column))
  const choose = (names: ReadonlySet<string>, kind: string): Map<string, string> => {
    const clashing = [...names].filter((name) => taken.has(name))
    names.forEach((name) => taken.add(name))
    const columns = new Map([...names].map((name) => [name, name]))
    for (const name of clashing) {
      let column = name
      while (taken.has(column)) column = `${kind}.${column}`
      taken.add(column)
      columns.set(name, column)
    }
    return columns
  }
  return {
    params: choose(axes, 'param'),
    metrics: choose(new Set(records.flatMap(({ metrics }) => Object.keys(metrics))), 'metric'),
  }
}

const parentColumn = (axis: string): string => `parent.${axis}`

/** A parameter in which several parents differ has the value of each, in the order of their ids in `parent`. */
function parentCells({ parents }: Trial, trials: ReadonlyMap<string, Trial>): Cell[] {
  if (parents.length === 0) return []
  const known = parents.flatMap((id) => trials.get(id) ?? [])
  const axes = [...new Set(known.flatMap(({ params }) => Object.keys(params)))].sort()
  const cells = axes.map((axis): Cell => {
    const values = known.map(({ params }) => {
      const value = lookUp(params, axis)
      return value === undefined ? '' : value
    })
    const differ = new Set(values.map(valueKey)).size > 1
    return [parentColumn(axis), differ ? values.map(wordOf).join(' ') : values[0]!]
  })
  return [['parent', parents.join(' ')], ...cells]
}

/** In the order of their names; a number that JSON lacks as a word. */
function named(columns: ReadonlyMap<string, string>, values: Readonly<Record<string, ParamValue>>): Cell[] {
  return sorted(values).map(([name, value]) => [
    columns.get(name)!,
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  ])
}

function sorted<T>(values: Readonly<Record<string, T>>): [name: string, value: T][] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1))
}

export function formatJsonLines(rows: readonly ExportRow[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}

/** RFC 4180, with every column that any row has, in order of first appearance. A list is JSON, null is that word. */
export function formatCsv(rows: readonly ExportRow[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = rows.map((row) => columns.map((column) => (Object.hasOwn(row, column) ? wordOf(row[column]!) : '')))
  return [columns, ...cells].map(csvLine).join('')
}
