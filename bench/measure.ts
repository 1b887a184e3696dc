/** What the benchmarks share: medians, spreads and ratios; warm-up is never counted. */

export interface Measured {
  readonly median: number
  readonly least: number
  readonly most: number
}

export function summarize(values: readonly number[]): Measured {
  const sorted = [...values].sort((a, b) => a - b)
  return { median: sorted[sorted.length >> 1]!, least: sorted[0]!, most: sorted.at(-1)! }
}

export const round = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)

export const show = ({ median, least, most }: Measured): string => `${round(median)} (${round(least)}–${round(most)})`

/** A Python that has the peers installed: MLDS_PEERS_PYTHON. Comparisons are left out without one. */
export const peersPython = process.env['MLDS_PEERS_PYTHON']

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
