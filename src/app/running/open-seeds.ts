import { openData } from '../../data/catalog.js'
import { buildRecords } from '../../sweeps/journal/records.js'
import { SeedGrowth } from '../../sweeps/until-decided.js'
import type { StoredSweep } from '../stored-sweep.js'

/** What adds seeds until claims are decided; `undefined` of a sweep that does not. */
export function openSeeds({ store, sweep, experiment }: StoredSweep): SeedGrowth | undefined {
  if (sweep.frozen.spec.untilDecided === undefined) return undefined
  const data = openData(store)
  return new SeedGrowth(
    sweep.frozen,
    experiment,
    (name) => data.resolve(name).fingerprint,
    () => buildRecords(sweep.frozen.trials, sweep.events()),
  )
}
