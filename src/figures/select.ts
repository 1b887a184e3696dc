import type { TrialRecord } from '../trial.js'

/** Records that carry a result. */
export function withResult(records: readonly TrialRecord[]): TrialRecord[] {
  return records.filter((record) => record.state === 'finished' || record.state === 'stopped')
}

export function seedCount(records: readonly TrialRecord[]): number {
  return new Set(records.map(({ trial }) => Object.values(trial.seeds).join())).size
}

/** `3 seeds`, `1 seed`. */
export function describeSeedCount(records: readonly TrialRecord[]): string {
  const count = seedCount(records)
  return `${count} seed${count === 1 ? '' : 's'}`
}

/** Groups in order of first appearance. */
export function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
