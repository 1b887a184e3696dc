import { formatCount } from '../core/format.js'
import { lookUp } from '../core/names.js'
import type { TrialRecord } from '../core/trial.js'
import { writeValue } from '../core/param-value.js'

/** Records with final metrics; a trial that diverged has none. */
export function withResult(records: readonly TrialRecord[]): TrialRecord[] {
  return records.filter((record) => record.state === 'finished' || record.state === 'stopped')
}

/** Records whose course counts, to its end or to where it was stopped or diverged. */
export function withCourse(records: readonly TrialRecord[]): TrialRecord[] {
  return records.filter(({ state }) => state === 'finished' || state === 'stopped' || state === 'diverged')
}

export function seedCount(records: readonly TrialRecord[]): number {
  return new Set(records.map(({ trial }) => Object.values(trial.seeds).join())).size
}

/** `3 seeds`, `1 seed`; `3 seeds, 5 of fold` where that is averaged as seeds are. */
export function describeSeedCount(records: readonly TrialRecord[]): string {
  const values = new Map<string, Set<string>>()
  for (const { averaged = {} } of records)
    for (const [name, value] of Object.entries(averaged))
      values.set(name, (values.get(name) ?? new Set()).add(writeValue(value)))
  const others = [...values].map(([name, { size }]) => `${size} of ${name}`)
  return [formatCount(seedCount(records), 'seed'), ...others].join(', ')
}

/** At most `most` of the items, evenly chosen, the first and the last among them. */
export function evenly<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items
  return Array.from({ length: most }, (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))]!)
}

/** What a setting is called in a legend: `lr 0.1, act relu`. */
export function labelOf({ trial }: TrialRecord, axes: readonly string[]): string {
  return axes.map((axis) => `${axis} ${writeValue(lookUp(trial.params, axis))}`).join(', ')
}

/** Names in words, at most eight of them: `lr, width and 3 others`. */
export function listed(names: readonly string[], most = 8): string {
  if (names.length > most) return `${names.slice(0, most - 1).join(', ')} and ${names.length - most + 1} others`
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}`
}
