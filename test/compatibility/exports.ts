import { expect } from 'vitest'

type Row = Record<string, string | number | boolean>
interface Exported {
  readonly csv: string
  readonly jsonl: string
}

/**
 * Holds an export to the bytes of c44b4e1, with one exception, made on purpose: where a stage derives from another, rows
 * now name their parents and the parents' parameters, and a metric of a parameter's name has a column of its own instead of
 * taking the parameter's.
 */
export function expectSameExport(now: Exported, before: Exported, sweep: string): void {
  const rows = now.jsonl
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
  if (rows.some((row) => row['parent'] !== undefined)) {
    const old = rows.map(asBefore)
    expect(old.map((row) => `${JSON.stringify(row)}\n`).join(''), sweep).toBe(before.jsonl)
    expect(csvOf(old), sweep).toBe(before.csv)
    expect(now.csv, sweep).toBe(csvOf(rows))
  } else expect(now, sweep).toEqual({ csv: before.csv, jsonl: before.jsonl })
}

/** What c44b4e1 called a failure where a loss was not a number has diverged by now. */
export function withDiverged({ csv, jsonl }: Exported): Exported {
  return {
    csv: csv.replace(/,failed,diverge,(.*),(?=,\r?$)/gm, ',diverged,diverge,$1,NaN'),
    jsonl: jsonl.replace(/"state":"failed",("behaviour":"diverge",.*)\}$/gm, '"state":"diverged",$1,"loss":"NaN"}'),
  }
}

function asBefore(row: Row): Row {
  const old: Row = {}
  for (const [name, value] of Object.entries(row)) {
    if (name === 'parent' || name.startsWith('parent.')) continue
    old[name.replace(/^metric\./, '')] = value
  }
  return old
}

function csvOf(rows: readonly Row[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const quote = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
  const lines = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '')))]
  return lines.map((cells) => `${cells.map(quote).join(',')}\r\n`).join('')
}
