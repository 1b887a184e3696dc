import type { CellValue, Column, Row } from './model.js'

/** Numbers before words before what is missing, whichever way round; what is equal keeps the plan's order. */
export function inOrder(rows: readonly Row[], column: Column | undefined, way: 1 | -1): readonly Row[] {
  if (column === undefined) return rows
  const rank = (value: CellValue): number =>
    value === null || Number.isNaN(value) ? 2 : typeof value === 'number' ? 0 : 1
  const keyed = rows.map((row) => ({ row, value: column.of(row) }))
  keyed.sort(({ row: p, value: a }, { row: q, value: b }) => {
    const by = rank(a) - rank(b)
    if (by !== 0) return by
    return a === b || a === null || b === null || Number.isNaN(a) ? p.index - q.index : way * (a < b ? -1 : 1)
  })
  return keyed.map(({ row }) => row)
}
