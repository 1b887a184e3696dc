import type { Explained, Observation, PointSamplerOptions } from '../../search/sampler.js'
import type { PointSamplerName } from '../../search/samplers.js'
import type { SearchAxis, SearchPoint } from '../../search/space.js'

/** What a sampler is made of; it crosses to the thread as that starts. */
export interface SamplerData extends PointSamplerOptions {
  readonly name: PointSamplerName
  readonly axes: readonly SearchAxis[]
}

/** To the thread: what to learn, then what to answer. */
export interface SamplerRequest {
  readonly observations: readonly Observation[]
  readonly ask: { readonly index: number; readonly pending: readonly SearchPoint[] }
}

/** From the thread: one to each request that asks, in their order. */
export interface SamplerAnswer {
  readonly explained: Explained | undefined
}
