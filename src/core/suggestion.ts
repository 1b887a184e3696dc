import type { TrialId } from './trial.js'

/** Why a search tries a setting: plain data, the same in a plan, a journal and on a server. */
export interface SuggestionFacts {
  /** The setting's place in the search, from 0. */
  readonly setting: number
  /** What proposed it: a sampler, or `enqueued`. */
  readonly rule: string
  /** How many results the model was made of; 0 without a model. */
  readonly modelSize: number
  /** What the rule ranked its candidates by, at this point. */
  readonly criterion?: number
  /** Why another rule than the sampler's own proposed it. */
  readonly fallback?: string
  /** In `order: arrival`, how many settings the sampler had been told of by then. */
  readonly ended?: number
  /** Those of them that it was told of for this one, in that order; by the order of ends in journals without it. */
  readonly told?: readonly number[]
  /** Trials of which the sampler was told for this one that they had failed, whatever a later run of them came to. */
  readonly failed?: readonly TrialId[]
  /** How long the suggestion took; not of those that were planned with the sweep. */
  readonly tookMs?: number
}
