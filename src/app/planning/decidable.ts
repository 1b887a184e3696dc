import type { Claim, Experiment } from '../../experiments/experiment.js'
import type { Trial, TrialRecord } from '../../core/trial.js'
import { makePlan } from '../../sweeps/plan.js'

/** A claim, and what a plan lacks to decide it, in words; nothing where it can. */
export interface Decidability {
  readonly claim: string
  readonly missing: readonly string[]
}

/** What a plan's trials can decide of the claims that they concern and that can tell before anything has run. */
export function decidability({ claims }: Pick<Experiment, 'claims'>, trials: readonly Trial[]): Decidability[] {
  const planned = trials.map(asPlanned)
  return claims.flatMap((claim) =>
    claim.missing === undefined || claim.concerns?.(planned) === false
      ? []
      : [{ claim: claim.id, missing: claim.missing(planned) }],
  )
}

/** A trial before it has run, as `Claim.missing` takes it. */
const asPlanned = (trial: Trial): TrialRecord => ({
  trial,
  ...{ state: 'finished', attempts: 0, metrics: {}, artifacts: {}, series: {} },
})

/** The profiles that can decide each claim, by its id, as they stand: no axis set, no seed added. */
export function decidingProfiles(experiment: Experiment): ReadonlyMap<Claim['id'], readonly string[]> {
  const byProfile = Object.keys(experiment.profiles).map((profile) => {
    const { trials } = makePlan(experiment, { experiment: experiment.name, profile, axes: {} }, () => '')
    const able = decidability(experiment, trials).filter(({ missing }) => missing.length === 0)
    return [profile, new Set(able.map(({ claim }) => claim))] as const
  })
  return new Map(
    experiment.claims.map(({ id }) => [id, byProfile.flatMap(([profile, able]) => (able.has(id) ? [profile] : []))]),
  )
}
