import { createHash } from 'node:crypto'
import type { TrialRecord } from '../../core/trial.js'

/**
 * SHA-256 over what figures and reports read of trials that have ended: outcomes, metrics, saved files by hash, series.
 * The same for a journal and for MLflow runs that tell of it exactly; not over times, nor over the order of names.
 */
export function digestRecords(records: readonly TrialRecord[]): string {
  const hash = createHash('sha256')
  for (const { trial, outcome, metrics, artifacts, series } of records) {
    if (outcome === undefined) continue
    const files = Object.entries(artifacts).map(([name, { sha256 }]): [string, string] => [name, sha256])
    const told = [
      trial.id,
      outcome.state,
      inOrder(Object.entries(metrics)),
      inOrder(files),
      inOrder(Object.entries(series)),
    ]
    hash.update(`${JSON.stringify(told, numberWord)}\n`)
  }
  return hash.digest('hex')
}

const inOrder = <T>(entries: [string, T][]): [string, T][] => entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))

/** JSON has no NaN and no infinities; they must not pass for one another. */
function numberWord(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}
