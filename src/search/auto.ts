import { cmaEsSampler } from './cma/cma-es.js'
import { gpSampler, largestModel } from './gp/gp.js'
import { nsga2Sampler } from './nsga2.js'
import type { Observation, PointSampler, PointSamplerOptions } from './sampler.js'
import { checkSpace, type SearchAxis } from './space.js'
import { tpeSampler } from './tpe/tpe.js'

/**
 * The sampler that fits the space and the number of results, by the rule of OptunaHub's AutoSampler 2.9. With conditions,
 * or with choices, TPE. Else a Gaussian process until there are 250 results; then CMA-ES, which begins with those, or TPE
 * where there are constraints. Several objectives: a Gaussian process up to three, TPE of more; after 250 NSGA-II, unless
 * there are conditions.
 */
export function autoSampler(space: readonly SearchAxis[], options: PointSamplerOptions): PointSampler {
  checkSpace(space)
  const objectives = options.directions.length
  const isConditional = space.some(({ when }) => when !== undefined)
  const hasChoices = space.some(({ kind }) => kind === 'choice')
  if (isConditional || (objectives === 1 && hasChoices)) return tpeSampler(space, options)
  const first = hasChoices || objectives > 3 ? tpeSampler(space, options) : gpSampler(space, options)
  const many = objectives > 1 ? nsga2Sampler(space, options) : cmaEsSampler(space, options, largestModel)
  return new AutoSampler(first, many, objectives === 1 ? tpeSampler(space, options) : many)
}

class AutoSampler implements PointSampler {
  #told = 0
  #hasConstraints = false

  constructor(
    private readonly first: PointSampler,
    private readonly many: PointSampler,
    private readonly manyConstrained: PointSampler,
  ) {}

  observe(observation: Observation): void {
    for (const sampler of new Set([this.first, this.many, this.manyConstrained])) sampler.observe(observation)
    if (observation.ignored !== true) this.#told++
    if ((observation.violations?.length ?? 0) > 0) this.#hasConstraints = true
  }

  suggest(request: Parameters<PointSampler['suggest']>[0]): ReturnType<PointSampler['suggest']> {
    if (this.#told < largestModel) return this.first.suggest(request)
    return (this.#hasConstraints ? this.manyConstrained : this.many).suggest(request)
  }
}
