import type { TrialRecord } from '../trial.js'

/** One trial as a flat row; numbers that JSON lacks are the words NaN, Infinity and -Infinity. */
export type ExportRow = Readonly<Record<string, string | number | boolean>>

/** Id, state, stage, parameters, seeds, final metrics; no times and no hosts, so equal sweeps give equal rows. */
export function exportRows(records: readonly TrialRecord[]): ExportRow[] {
  return records.map(({ trial, state, metrics }) => ({
    trial: trial.id,
    index: trial.index,
    stage: trial.stage,
    state,
    ...prefixed('', trial.params),
    ...prefixed('seed.', trial.seeds as unknown as Record<string, number>),
    ...prefixed('', metrics),
  }))
}

function prefixed(prefix: string, values: Readonly<Record<string, string | number | boolean>>): ExportRow {
  return Object.fromEntries(
    Object.entries(values)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [
        prefix + name,
        typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
      ]),
  )
}

export function formatJsonLines(rows: readonly ExportRow[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}

/** RFC 4180, with every column that any row has, in order of first appearance. */
export function formatCsv(rows: readonly ExportRow[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const lines = [columns.map(quote), ...rows.map((row) => columns.map((column) => quote(String(row[column] ?? ''))))]
  return lines.map((cells) => `${cells.join(',')}\r\n`).join('')
}

function quote(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
