import type { SearchAxis, SearchPoint } from './space.js'

/** What is known of a trial that has ended, as a sampler learns from it. */
export interface Observation {
  /** The trial's place in the search, from 0; each is told once. */
  readonly index: number
  readonly point: SearchPoint
  /** One number per objective; absent of a trial that failed or diverged, which counts as worse than every other. */
  readonly values?: readonly number[]
  /** One number per constraint; above 0 violates it. */
  readonly violations?: readonly number[]
  /** Of a trial that a rule stopped: the last step it reported. It ranks behind those that ran to their end. */
  readonly stoppedAtStep?: number
  /** Known as tried, so that it is not suggested again; nothing is learnt from it. */
  readonly ignored?: boolean
}

/** A point to try, and why. */
export interface Explained {
  readonly point: SearchPoint
  /** What proposed it, such as `tpe`. */
  readonly rule: string
  /** How many observations the model was made of; 0 without a model. */
  readonly modelSize: number
  /** What the rule ranked its candidates by, at this point: log l/g of TPE, log expected improvement of GP. */
  readonly criterion?: number
  /** Why another rule than the sampler's own proposed it. */
  readonly fallback?: string
}

/**
 * Proposes points. What `suggest` answers depends on the space, the options, the observations told so far and the
 * request alone: not on earlier calls of `suggest`, on the host or its version of Node. A sampler that was told the same
 * observations again in the same order goes on where another stopped.
 */
export interface PointSampler {
  observe(observation: Observation): void
  /**
   * The next point, one that is neither observed nor pending; `undefined` once a finite space has no other.
   * `pending` are the points of trials that were suggested and have not ended.
   */
  suggest(request: { readonly index: number; readonly pending: readonly SearchPoint[] }): Explained | undefined
}

export interface PointSamplerOptions {
  /** One per objective. */
  readonly directions: readonly ('minimize' | 'maximize')[]
  readonly seed: number
  /** By which version of its rules the sampler suggests, so that a search goes on as it began. Default: the newest. */
  readonly version?: number
}

export type PointSamplerFactory = (space: readonly SearchAxis[], options: PointSamplerOptions) => PointSampler
