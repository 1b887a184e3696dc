import { firstLook } from '../core/first-look.js'
import { maxOf } from '../core/extremes.js'
import { formatCount } from '../core/format.js'
import { MldsError } from '../core/errors.js'
import { contentHash } from '../core/seed.js'
import type { Trial, TrialId, TrialRecord } from '../core/trial.js'
import type { Claim, Experiment } from '../experiments/experiment.js'
import type { SweepState } from './journal/state.js'
import { isComplete } from './journal/state.js'
import { hashTrials, makePlan, type Plan, type ResolveData } from './plan.js'
import type { Addition, Growth } from './scheduling/growth.js'
import { isTogether } from './spec/seeds.js'
import type { SweepSpec } from './spec/spec.js'
import { judge, type ClaimVerdict } from './verdicts.js'

/** How far a sweep has come that adds seeds until its claims are decided, in a sentence; `undefined` of any other. */
export function describeDecision(
  { spec, trials }: Pick<Plan, 'spec' | 'trials'>,
  verdicts: readonly ClaimVerdict[],
  isWhole: boolean,
): string | undefined {
  if (spec.untilDecided === undefined) return undefined
  const { claims, maxSeeds } = spec.untilDecided
  const seeds = new Set(trials.map((trial) => trial.seeds.init)).size
  if (!isWhole) return `${formatCount(seeds, 'seed')} so far: the next look waits for all of their trials.`
  const open = verdicts.flatMap(({ claim, state }) =>
    state === 'inconclusive' && claims.includes(claim) ? [claim] : [],
  )
  if (open.length === 0) return `Decided with ${seeds} seeds: ${claims.join(', ')}.`
  return `Undecided with ${seeds} seeds, the most allowed: ${open.join(', ')} (--until-decided --max-seeds ${2 * maxSeeds} goes on).`
}

/** Adds seed after seed until every claim is decided, or there are so many: a look once every trial of every seed has ended. */
export class SeedGrowth implements Growth {
  readonly #seeds: number[]
  readonly #claims: readonly Claim[]
  readonly #maxSeeds: number
  /** What was suggested last, until it is in the plan. */
  #suggested: { readonly seeds: readonly number[]; readonly first: TrialId } | undefined
  #isCaughtUp = false

  /**
   * @param plan the frozen one.
   * @param records what is known of every trial at the time of a look.
   */
  constructor(
    private readonly plan: Pick<Plan, 'spec' | 'profile'>,
    private readonly experiment: Experiment,
    private readonly resolveData: ResolveData,
    private readonly records: () => readonly TrialRecord[],
  ) {
    this.#seeds = [...seedsOf(plan.spec, experiment)]
    const { claims, maxSeeds } = plan.spec.untilDecided!
    this.#claims = experiment.claims.filter(({ id }) => claims.includes(id))
    this.#maxSeeds = maxSeeds
  }

  async next(state: SweepState): Promise<Addition | undefined> {
    this.#catchUp(state)
    const count = this.#seeds.length
    const missing = Math.min(firstLook, this.#maxSeeds) - count
    if (missing > 0) return this.#add(missing, state, {})
    if (count >= this.#maxSeeds || state.ended < state.trials.size || !isComplete(state.counts())) return undefined
    const known = new Set(this.#seeds)
    const records = this.records().filter(({ trial }) => known.has(trial.seeds.init))
    const verdicts = judge(this.#claims, records)
    const undecided = verdicts.flatMap(({ claim, state }) => (state === 'inconclusive' ? [claim] : []))
    return undecided.length === 0 ? undefined : this.#add(1, state, { undecided })
  }

  /** Whether the plan is to grow though nothing that is planned is left to run. */
  async hasNext(state: SweepState): Promise<boolean> {
    return (await this.next(state)) !== undefined
  }

  #add(count: number, state: SweepState, because: Readonly<Record<string, unknown>>): Addition {
    const seeds = nextSeeds(this.#seeds, count)
    const trials = seeds.flatMap((seed) => this.#trialsOf(seed)).filter(({ id }) => !state.trials.has(id))
    this.#suggested = { seeds, first: trials[0]!.id }
    const facts = { seeds: this.#seeds.length, claims: hashClaims(this.#claims), ...because }
    return { reason: 'seed', because: facts, trials }
  }

  /** Seeds that the plan has grown by already, in an earlier process or since this was asked last. */
  #catchUp(state: SweepState): void {
    if (this.#suggested !== undefined && state.trials.has(this.#suggested.first)) {
      for (const seed of this.#suggested.seeds) this.#seeds.push(seed)
      this.#suggested = undefined
    }
    while (!this.#isCaughtUp) {
      const [seed] = nextSeeds(this.#seeds, 1)
      this.#isCaughtUp = !this.#trialsOf(seed!).every(({ id }) => state.trials.has(id))
      if (!this.#isCaughtUp) this.#seeds.push(seed!)
    }
  }

  #trialsOf(seed: number): readonly Trial[] {
    return trialsOfSeeds(this.plan, this.experiment, [seed], this.resolveData)
  }
}

/** Names the claims by which it was decided: whoever has others can't decide it again. */
export const hashClaims = (claims: readonly Claim[]): string =>
  contentHash(
    claims.map(({ id, version = 1, tested = [] }) => [id, version, tested.map((one) => ({ ...one }))]),
    8,
  )

/**
 * The claims that seeds can decide, to be waited for: those that the sweep file states, or else the experiment's own.
 * @throws MldsError for a sweep that has none, or to which seeds can't be added one by one.
 */
export function claimsToDecide(
  plan: Plan,
  experiment: Experiment,
  maxSeeds: number,
  resolveData: ResolveData,
): readonly string[] {
  const { spec } = plan
  if (!isTogether(spec.seeds ?? []))
    refuse('seeds are added to a list of seeds, which moves all four together (give one)')
  const seeds = seedsOf(spec, experiment)
  if (maxSeeds < firstLook) refuse(`--max-seeds ${maxSeeds} is before the first look, at ${firstLook} seeds`)
  if (seeds.length > maxSeeds)
    refuse(`the sweep has ${seeds.length} seeds, more than --max-seeds ${maxSeeds} (allow more, or plan fewer)`)
  if (spec.search?.learning !== undefined)
    refuse('a search that learns adds settings, not seeds (repeat: gives each several)')
  if ((spec.scheduler ?? []).length > 0)
    refuse('a trial that is stopped early has no number to weigh (leave the scheduler out)')
  const trialsOf = (of: readonly number[]): readonly Trial[] => trialsOfSeeds(plan, experiment, of, resolveData)
  const [first, more] = [seeds[0]!, nextSeeds(seeds, 1)[0]!]
  const [together, apart] = [trialsOf([first, more]), [...trialsOf([first]), ...trialsOf([more])]]
  if (hashTrials(together) !== hashTrials(apart))
    refuse('a stage of this experiment joins trials of several seeds, so that none can be added by itself')
  return decidable(spec, experiment, [...seeds, ...nextSeeds(seeds, Math.max(0, maxSeeds - seeds.length))], trialsOf)
}

function decidable(
  { claims: written = [] }: SweepSpec,
  experiment: Experiment,
  seeds: readonly number[],
  trialsOf: (seeds: readonly number[]) => readonly Trial[],
): readonly string[] {
  const ids = new Set(written.map(({ id }) => id))
  const own = experiment.claims.filter(({ id, kind, tested = [] }) => {
    return kind !== 'check' && tested.length > 0 && (ids.size === 0 || ids.has(id))
  })
  if (own.length === 0)
    refuse('no claim states what it rests on (state one under claims: in a sweep file; docs/sweep-language.md)')
  const lacking = own.map((claim) => {
    const needed = maxOf([firstLook, ...(claim.tested ?? []).map(({ minSeeds }) => minSeeds)])
    if (needed > seeds.length) return `it takes ${needed} seeds`
    return claim.missing?.(trialsOf(seeds.slice(0, needed)).map(asFinished)).join('; ') ?? ''
  })
  const kept = own.filter((_, i) => lacking[i] === '')
  if (kept.length === 0)
    refuse(`this plan can decide no claim (${own.map(({ id }, i) => `${id}: ${lacking[i]}`).join('; ')})`)
  return kept.map(({ id }) => id)
}

const asFinished = (trial: Trial): TrialRecord => ({
  ...{ trial, state: 'finished', attempts: 1, metrics: {}, artifacts: {}, series: {} },
})

function refuse(problem: string): never {
  throw new MldsError('USAGE', `--until-decided: ${problem}`)
}

const seedsOf = ({ seeds, profile = 'reduced' }: SweepSpec, { profiles }: Experiment): readonly number[] =>
  (seeds as readonly number[] | undefined) ?? profiles[profile]!.seeds

/** The integers after the largest. */
const nextSeeds = (seeds: readonly number[], count: number): number[] => {
  const largest = seeds.reduce((most, seed) => Math.max(most, seed), -1)
  return Array.from({ length: count }, (_, i) => largest + 1 + i)
}

const trialsOfSeeds = (
  { spec }: Pick<Plan, 'spec'>,
  experiment: Experiment,
  seeds: readonly number[],
  resolveData: ResolveData,
): readonly Trial[] => makePlan(experiment, { ...spec, seeds }, resolveData).trials
