import { lookUp } from '../core/names.js'
import type { Metrics, Trial } from '../core/trial.js'
import type { RowCells, TrialCells, TrialStanding, WireNumber } from './wire.js'

/** A reason is cut to this: its trial's page has all of it. */
const maxReasonLength = 300

/** The columns that tell the trials of a sweep apart. */
export interface TrialColumns {
  readonly stages: readonly string[]
  readonly axes: readonly string[]
  readonly seeds: readonly string[]
}

export function trialCells(trial: Trial, { stages, axes, seeds }: TrialColumns): TrialCells {
  return [
    trial.id,
    stages.indexOf(trial.stage),
    axes.map((axis) => lookUp(trial.params, axis)),
    seeds.map((name) => trial.seeds[(name === 'seed' ? 'init' : name.slice(5)) as keyof Trial['seeds']]),
  ]
}

/** Where a trial stands, before it is cells. */
export interface RowFacts {
  readonly index: number
  readonly state: TrialStanding
  readonly attempts: number
  readonly startedAtMs: number | undefined
  readonly endedAtMs: number | undefined
  readonly heardAtMs: number
  readonly worker: string | undefined
  readonly step: number | undefined
  readonly reports: number
  readonly reason: string | undefined
  readonly metrics: Metrics
}

/** @param names of metrics, in the order of the cells. */
export function rowCells(facts: RowFacts, names: readonly string[]): RowCells {
  const { index, state, attempts, startedAtMs, endedAtMs, heardAtMs, worker, step, reports, reason, metrics } = facts
  return [
    ...([index, state, attempts, startedAtMs ?? null, endedAtMs ?? null, heardAtMs] as const),
    ...([worker ?? null, step ?? null, reports, reason?.slice(0, maxReasonLength) ?? null] as const),
    metricCells(metrics, names),
  ]
}

export function metricCells(metrics: Metrics, names: readonly string[]): (WireNumber | null)[] {
  return names.map((name) => {
    const value = lookUp(metrics, name)
    return value === undefined ? null : wireNumber(value)
  })
}

export const wireNumber = (value: number): WireNumber =>
  Number.isFinite(value) ? value : (String(value) as 'NaN' | 'Infinity' | '-Infinity')

/** At most `most` places among `count`, first and last among them. */
export function thinned(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i)
  return Array.from({ length: most }, (_, i) => Math.round((i * (count - 1)) / (most - 1)))
}

/** Seeds that take several values; `seed` alone where the four are one number in every trial. */
export function varyingSeeds(trials: readonly Pick<Trial, 'seeds'>[]): string[] {
  const names = ['data', 'init', 'shuffle', 'corruption'] as const
  const first = trials[0]
  if (first === undefined) return []
  const varying = names.filter((name) => trials.some(({ seeds }) => seeds[name] !== first.seeds[name]))
  const areOne = trials.every(({ seeds }) => names.every((name) => seeds[name] === seeds.init))
  return areOne ? (varying.length === 0 ? [] : ['seed']) : varying.map((name) => `seed.${name}`)
}
