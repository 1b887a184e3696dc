import { autoSampler } from './auto.js'
import { cmaEsSampler } from './cma/cma-es.js'
import { gpSampler } from './gp/gp.js'
import { nsga2Sampler } from './nsga2.js'
import { randomSampler } from './random.js'
import type { PointSampler, PointSamplerFactory, PointSamplerOptions } from './sampler.js'
import type { SearchAxis } from './space.js'
import { tpeSampler } from './tpe/tpe.js'

/** The samplers that learn, and `random` to compare them with: one file, and one row here. */
export const pointSamplers = {
  random: randomSampler,
  tpe: tpeSampler,
  gp: gpSampler,
  'cma-es': (space, options) => cmaEsSampler(space, options),
  nsga2: nsga2Sampler,
  auto: autoSampler,
} satisfies Record<string, PointSamplerFactory>
export type PointSamplerName = keyof typeof pointSamplers

/** How often the rules of a sampler have changed by which it suggests, and 1; those that are not here have the first. */
const newestVersions: Partial<Record<PointSamplerName, number>> = { gp: 2, auto: 2 }

/** The version of the sampler's rules that a new search goes by; `undefined` of the first. */
export const samplerVersionOf = (name: PointSamplerName): number | undefined => newestVersions[name]

/** A sampler that has been told nothing yet. @throws SpaceError where the axes contradict themselves. */
export function createPointSampler(
  name: PointSamplerName,
  space: readonly SearchAxis[],
  options: PointSamplerOptions,
): PointSampler {
  return pointSamplers[name](space, options)
}
