/** Cells as a line of CSV, its end included (RFC 4180). */
export const csvLine = (cells: readonly string[]): string => `${cells.map(quote).join(',')}\r\n`

function quote(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
