import { isMapping } from '../core/is-mapping.js'
import { csvLine } from '../core/csv.js'
import type { VegaLiteSpec } from './figure.js'

type Row = Readonly<Record<string, unknown>>

/**
 * The rows that a figure draws, as CSV: every column of every view, and where views or layers have rows of
 * their own, which of them a row is of (`layer`, counted from 1, in the order in which they are drawn).
 */
export function figureCsv(spec: VegaLiteSpec): string {
  const tables = [...new Set(tablesOf(spec))].filter((rows) => rows.length > 0)
  const rows = tables.flatMap((table, i) =>
    tables.length === 1 ? table : table.map((row) => ({ layer: i + 1, ...row })),
  )
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  return [columns, ...rows.map((row) => columns.map((column) => wordOf(row[column])))].map(csvLine).join('')
}

function tablesOf(part: unknown): (readonly Row[])[] {
  if (Array.isArray(part)) return part.flatMap(tablesOf)
  if (typeof part !== 'object' || part === null) return []
  const { data, ...rest } = part as { data?: { values?: unknown } }
  const own = Array.isArray(data?.values) ? [data.values.filter(isMapping)] : []
  return [...own, ...['layer', 'hconcat', 'vconcat', 'concat'].flatMap((key) => tablesOf(rest[key as never]))]
}

function wordOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : JSON.stringify(value)
}
