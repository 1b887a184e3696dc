import { isDeepStrictEqual } from 'node:util'
import type { Experiment } from '../../experiments/experiment.js'
import type { ResolveData } from '../../sweeps/plan.js'
import type { Learnt } from '../../sweeps/searching/learnt.js'
import type { SweepSpec } from '../../sweeps/spec/spec.js'
import { planFactsOf } from '../../sweeps/sweep-folder.js'
import type { Store } from '../../system/store.js'

/** What a search learns from the earlier sweeps that it names: as they stand, or as they stood when the sweep of this name was planned. */
export async function learntFor(
  store: Store,
  experiment: Experiment,
  spec: SweepSpec,
  resolveData: ResolveData,
  name: string | undefined,
): Promise<readonly Learnt[]> {
  const names = spec.search?.learning?.learnFrom
  if (names === undefined) return []
  const before = name === undefined ? undefined : planFactsOf(store, name)
  const isSame = isDeepStrictEqual({ ...before?.spec.search, count: 0 }, { ...spec.search, count: 0 })
  if (before?.learnt !== undefined && isSame) return before.learnt
  const { learnFrom } = await import('../../sweeps/searching/learn-from.js')
  return await learnFrom(store, experiment, spec, resolveData)
}
