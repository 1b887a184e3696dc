import { stripVTControlCharacters } from 'node:util'
import { formatNumber } from '../format.js'

/** Columns aligned for a terminal: numbers to the right, the rest to the left. Empty for no rows. */
export function formatTable(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  if (rows.length === 0) return ''
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : cell)))
  const widths = header.map((title, column) =>
    Math.max(...[title, ...cells.map((row) => row[column] ?? '')].map(visibleLength)),
  )
  const numeric = header.map((_, column) =>
    rows.every((row) => typeof row[column] === 'number' || row[column] === '' || row[column] === '–'),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat(widths[column]! - visibleLength(cell))
        return numeric[column] ? padding + cell : cell + padding
      })
      .join('  ')
      .trimEnd()
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...cells.map(line)].join('\n')
}

function visibleLength(text: string): number {
  return stripVTControlCharacters(text).length
}
