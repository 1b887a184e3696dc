import { systemClock } from '../../src/core/clock.js'
import type { Experiment } from '../../src/experiments/experiment.js'
import { openCustom } from '../../src/experiments/custom/custom.js'
import { freezePlan } from '../../src/app/planning/freeze-plan.js'
import { run } from '../../src/app/run.js'
import type { SweepSummary } from '../../src/app/summary.js'
import { openStore } from '../../src/system/store.js'
import { makePlan, type Plan } from '../../src/sweeps/plan.js'
import type { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import type { Backend } from '../../src/worker/backend.js'
import { chaosCustom } from '../helpers/custom-modules.js'

/** What the processes of the chaos test share: one experiment, one plan, one way to run it. */

export const tenant = 'chaos'
export const leaseMs = 2_000
export const clock = systemClock
/** Where a test cuts the network, it is noticed soon. */
export const pingMs = Number(process.env['MLDS_CHAOS_PING_MS'] ?? 15_000)

export interface Shape {
  readonly trials: number
  /** The least that a trial takes; two thirds of them take two and three times as long. */
  readonly ms: number
}

/** Trials 0 … n−1 and one more, which ends its process. */
export async function planOf({ trials, ms }: Shape): Promise<{ plan: Plan; experiment: Experiment }> {
  const experiment = await openCustom(chaosCustom.source)
  const axes = { n: Array.from({ length: trials + 1 }, (_, n) => n), ms: [ms], poison: [trials] }
  return {
    plan: makePlan(experiment, { experiment: chaosCustom.name, own: chaosCustom.source, axes }, () => ''),
    experiment,
  }
}

/** Runs the plan in `folder` on the backend that `open` gives, or goes on with it. */
export async function sweepIn(
  folder: string,
  shape: Shape,
  open: (sweep: SweepFolder, store: ReturnType<typeof openStore>) => Promise<Backend>,
): Promise<SweepSummary> {
  const { plan, experiment } = await planOf(shape)
  const store = openStore(folder)
  const { sweep } = await freezePlan(store, plan, experiment)
  const backend = await open(sweep, store)
  const say = (message: string): void => void process.stderr.write(`${message}\n`)
  return run(
    { store, sweep, experiment },
    { where: { backend }, limits: { failingAlike: 0 }, only: ['missing'] },
    { say },
  )
}
