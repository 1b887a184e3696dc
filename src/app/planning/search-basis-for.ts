import { isDeepStrictEqual } from 'node:util'
import type { Experiment } from '../../experiments/experiment.js'
import type { ResolveData, SearchBasis } from '../../sweeps/plan.js'
import type { SweepSpec } from '../../sweeps/spec/spec.js'
import { planFactsOf } from '../../sweeps/sweep-folder.js'
import type { Store } from '../../system/store.js'

/**
 * What a search begins with: what it learns from the earlier sweeps that it names, as they stand, by the newest version of its
 * sampler; or both as they were when the sweep of this name was planned.
 */
export async function searchBasisFor(
  store: Store,
  experiment: Experiment,
  spec: SweepSpec,
  resolveData: ResolveData,
  name: string | undefined,
): Promise<SearchBasis> {
  const { newBasis } = await import('../../sweeps/searching/plan-search.js')
  const before = name === undefined ? undefined : planFactsOf(store, name)
  const isSame = isDeepStrictEqual({ ...before?.spec.search, count: 0 }, { ...spec.search, count: 0 })
  const { samplerVersion } = before !== undefined && isSame ? before : newBasis(spec)
  const version = samplerVersion === undefined ? {} : { samplerVersion }
  if (spec.search?.learning?.learnFrom === undefined) return version
  if (before?.learnt !== undefined && isSame) return { ...version, learnt: before.learnt }
  const { learnFrom } = await import('../../sweeps/searching/learn-from.js')
  return { ...version, learnt: await learnFrom(store, experiment, spec, resolveData) }
}
