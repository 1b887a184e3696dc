import { Random } from '../core/seed.js'
import type { Explained, Observation, PointSampler, PointSamplerOptions } from './sampler.js'
import { checkSpace, type SearchAxis, type SearchPoint } from './space.js'
import { Tried, untriedPoint } from './tried.js'

/** Points drawn independently, each axis by its own law: what every other sampler has to beat. */
export function randomSampler(space: readonly SearchAxis[], { seed }: PointSamplerOptions): PointSampler {
  checkSpace(space)
  const tried = new Tried(space)
  return {
    observe: ({ point }: Observation) => tried.add(point),
    suggest: ({ index, pending }) => randomSuggestion(space, tried.with(pending), new Random(seed, 'search', index)),
  }
}

/** A random point as an answer; `fallback` says why a sampler that learns gives one. */
export function randomSuggestion(
  space: readonly SearchAxis[],
  isTried: (point: SearchPoint) => boolean,
  random: Random,
  fallback?: string,
): Explained | undefined {
  const point = untriedPoint(space, isTried, random)
  return point && { point, rule: 'random', modelSize: 0, ...(fallback !== undefined && { fallback }) }
}
