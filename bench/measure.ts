import { spawnSync } from 'node:child_process'

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

/** Wall-clock seconds of a command that must succeed, with one thread for each of its processes' matrix products. */
export function secondsOf(command: string, args: readonly string[], cwd?: string): number {
  const start = performance.now()
  const { status, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1' },
    maxBuffer: 1 << 28,
  })
  if (status !== 0) throw new Error(`${command} ${args[0]} failed: ${stderr.slice(-2000)}`)
  return (performance.now() - start) / 1000
}
