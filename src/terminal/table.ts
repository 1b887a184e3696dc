import { formatNumber } from '../core/format.js'
import { printableLine } from '../core/printable.js'

/** Columns aligned for a terminal: numbers to the right, the rest to the left. Empty for no rows; a value's control characters are shown. */
export function formatTable(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  if (rows.length === 0) return ''
  const titles = header.map(printableLine)
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : printableLine(cell))),
  )
  const widths = titles.map((title, column) =>
    cells.reduce((widest, row) => Math.max(widest, (row[column] ?? '').length), title.length),
  )
  const numeric = header.map((_, column) =>
    rows.every((row) => typeof row[column] === 'number' || row[column] === '' || row[column] === '–'),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat(widths[column]! - cell.length)
        return numeric[column] ? padding + cell : cell + padding
      })
      .join('  ')
      .trimEnd()
  return [line(titles), line(widths.map((width) => '─'.repeat(width))), ...cells.map(line)].join('\n')
}
