import { formatDuration } from '../../core/format.js'
import { printableLine } from '../../core/printable.js'
import type { CellValue } from './model.js'

/** At most four significant digits; the whole number where it is one; what a terminal would obey is spelled out. */
export function formatCell(cell: CellValue): string {
  if (cell === null) return '–'
  if (typeof cell === 'string') return printableLine(cell)
  if (typeof cell === 'boolean' || Number.isInteger(cell)) return String(cell)
  const size = Math.abs(cell)
  return size >= 1e5 || size < 1e-3 ? cell.toExponential(3) : String(Number(cell.toPrecision(4)))
}

export const formatTime = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, 19)

const dayMs = 86_400_000

/** How long ago, to whole seconds; from two days on, to whole days. */
export function formatAgo(ms: number, nowMs: number): string {
  const ago = Math.max(0, nowMs - ms)
  if (ago >= 2 * dayMs) return `${Math.floor(ago / dayMs)} days ago`
  return ago < 1_500
    ? 'now'
    : `${formatDuration(ago < 60_000 ? Math.round(ago / 1_000) * 1_000 : ago).replace('.0 s', ' s')} ago`
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  const power = Math.min(4, Math.floor(Math.log10(bytes) / 3))
  return `${Number((bytes / 1_000 ** power).toPrecision(3))} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`
}

/** A line of more characters is cut: nobody reads on, and a browser would lay it all out. */
const maxLineLength = 2_000

export const shortLines = (text: string): string =>
  text
    .split('\n')
    .map((line) =>
      line.length > maxLineLength ? `${line.slice(0, maxLineLength)} … (${line.length} characters)` : line,
    )
    .join('\n')
