import type { Metrics, Params, TrialRecord } from '../../src/core/trial.js'
import { finishedTrial } from './figures.js'

/** A little noise that a seed always has: within ±1, and different for each name. */
export function noise(seed: number, name: string | number = ''): number {
  let hash = seed * 7919 + 17
  for (const letter of String(name)) hash = (hash * 31 + letter.charCodeAt(0)) % 1_000_003
  return Math.sin(hash)
}

/** A net, with what it reported of each metric from step 1 on. */
export function net(
  seed: number,
  params: Params,
  metrics: Metrics,
  series: Readonly<Record<string, readonly number[]>> = {},
): TrialRecord {
  return finishedTrial({
    ...{ id: `net ${seed} ${JSON.stringify(params)}`, seed, params, metrics },
    series: Object.fromEntries(
      Object.entries(series).map(([name, values]) => [
        name,
        { steps: values.map((_, i) => i + 1), values: [...values] },
      ]),
    ),
  })
}

/** What a later stage measured of nets. */
export function measured(
  stage: string,
  parents: readonly TrialRecord[],
  params: Params,
  metrics: Metrics,
): TrialRecord {
  const { seeds } = parents[0]!.trial
  const record = finishedTrial({
    id: `${stage} of ${parents.map(({ trial }) => trial.id).join()} ${JSON.stringify(params)}`,
    params,
    metrics,
  })
  return { ...record, trial: { ...record.trial, stage, seeds, parents: parents.map(({ trial }) => trial.id) } }
}
