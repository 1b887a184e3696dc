import { openCustom } from '../../src/experiments/custom/custom.js'
import { Journal, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import { makePlan } from '../../src/sweeps/plan.js'
import { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import type { Store } from '../../src/system/store.js'
import type { Trial } from '../../src/core/trial.js'
import { toyCustom } from './custom-modules.js'

/** A sweep of the toy experiment that nobody has run: its journal holds what `happened`, in that order. */
export async function writeSweep(
  store: Store,
  name: string,
  steps: readonly number[],
  happened: (trials: readonly Trial[]) => readonly JournalEvent[],
): Promise<SweepFolder> {
  const experiment = await openCustom(toyCustom.source)
  const spec = { experiment: toyCustom.name, own: toyCustom.source, profile: 'smoke', name, axes: { steps } }
  const plan = makePlan(experiment, spec, () => 'none')
  const sweep = await SweepFolder.create(store, plan, { codeVersion: '0', createdAtMs: 1_699_999_999_000 })
  const journal = Journal.open(sweep.journalFile)
  for (const event of happened(plan.trials)) journal.append(event)
  journal.close()
  return sweep
}
