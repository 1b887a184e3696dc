import { systemClock } from '../core/clock.js'
import { StoreError } from '../core/errors.js'
import type { Objective } from '../core/trial.js'
import { codeVersion } from '../core/version.js'
import type { Experiment } from '../experiments/experiment.js'
import { sweepIdOf, type Plan } from '../sweeps/plan.js'
import { judgedBy } from '../sweeps/scheduling/stopping.js'
import { SweepFolder } from '../sweeps/sweep-folder.js'
import { lockSweep } from '../system/lock.js'
import type { Store } from '../system/store.js'

export interface FrozenPlan {
  readonly sweep: SweepFolder
  /** Makes it as if the plan had never been frozen, unless a trial that came with it is in the journal. */
  readonly takeBack: () => Promise<void>
}

/**
 * The sweep of this plan, new or known. With `extend`, a sweep of the same name grows by what the plan adds. Another
 * objective is taken where no stopping rule goes by it, and `say` is told.
 * @throws PlanDiffersError when the name is taken by another plan, StoreError when by one with other rules or objective.
 */
export async function freezePlan(
  store: Store,
  plan: Plan,
  experiment: Pick<Experiment, 'objective'>,
  {
    extend = false,
    fresh = false,
    say = () => {},
  }: { extend?: boolean; fresh?: boolean; say?: (message: string) => void } = {},
): Promise<FrozenPlan> {
  const facts = { codeVersion, createdAtMs: systemClock.now() }
  const id = sweepIdOf(plan)
  if (!(await store.sweepIds()).includes(id)) {
    const sweep = await SweepFolder.create(store, plan, facts)
    return { sweep, takeBack: () => sweep.takeBack(undefined) }
  }
  const existing = extend ? await SweepFolder.open(store, id) : await SweepFolder.create(store, plan, facts, { fresh })
  const [before, after] = [existing.plan, plan].map(({ spec }) => spec.objective ?? experiment.objective)
  const isNew = describeObjective(before!) !== describeObjective(after!)
  if (!extend && !isNew) return { sweep: existing, takeBack: async () => {} }
  if (isNew) requireNoRuleBy(before!, after!, existing)
  const lock = lockSweep(existing.lockFile, id)
  try {
    const sweep = await existing.extend(plan)
    if (isNew) say(`The objective is now ${describeObjective(after!)} (it was ${describeObjective(before!)}).`)
    return { sweep, takeBack: () => sweep.takeBack(existing.plan) }
  } finally {
    lock.release()
  }
}

const describeObjective = ({ metric, direction }: Objective): string => `${direction} ${metric}`

/** @throws StoreError when a rule would judge otherwise than it has. */
function requireNoRuleBy(before: Objective, after: Objective, { id, plan }: SweepFolder): void {
  const changed = (plan.spec.scheduler ?? []).find(
    (rule) => describeObjective(judgedBy(rule, before)) !== describeObjective(judgedBy(rule, after)),
  )
  if (changed !== undefined)
    throw new StoreError(
      `sweep ${id} exists with another objective, by which its rule ${changed.rule} stops trials: ${describeObjective(before)} (now ${describeObjective(after)})`,
      { hint: 'give this one another --name: trials that finished are taken over', exitCode: 2 },
    )
}
