import { isDeepStrictEqual } from 'node:util'
import { systemClock } from '../../core/clock.js'
import { StoreError } from '../../core/errors.js'
import { describeObjective, sweepObjective } from '../../core/objective.js'
import type { Objective } from '../../core/trial.js'
import { codeVersion } from '../../core/version.js'
import type { Experiment } from '../../experiments/experiment.js'
import { sweepIdOf, type Plan } from '../../sweeps/plan.js'
import type { SweepSpec } from '../../sweeps/spec/spec.js'
import { judgedBy } from '../../sweeps/scheduling/stopping.js'
import { SweepFolder } from '../../sweeps/sweep-folder.js'
import { lockSweep } from '../../system/lock.js'
import type { Store } from '../../system/store.js'

export interface FrozenPlan {
  readonly sweep: SweepFolder
  /** Makes it as if the plan had never been frozen, unless a trial that came with it is in the journal. */
  readonly takeBack: () => Promise<void>
}

/**
 * The sweep of this plan, new or known. With `extend`, a sweep of the same name grows by what the plan adds. Another
 * objective is taken where no stopping rule goes by it, and `say` is told; so are other claims and figures.
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
  const [before, after] = [existing.plan, plan].map(({ spec }) => sweepObjective(spec, experiment))
  const isNew = describeObjective(before!) !== describeObjective(after!)
  if (!extend && !isNew && isClaimedAlike(existing.plan.spec, plan.spec))
    return { sweep: existing, takeBack: async () => {} }
  await requireSameProgram(existing, plan)
  if (isNew) requireNoRuleBy(before!, after!, existing)
  const lock = lockSweep(existing.lockFile, id)
  try {
    const sweep = await existing.extend(plan)
    if (isNew) say(`The objective is now ${describeObjective(after!)} (it was ${describeObjective(before!)}).`)
    return { sweep, takeBack: () => sweep.takeBack(existing.frozen) }
  } finally {
    lock.release()
  }
}

/** Claims and figures are no part of the trials: a sweep that has run is weighed and drawn by those of now. */
const isClaimedAlike = (before: SweepSpec, after: SweepSpec): boolean =>
  isDeepStrictEqual(
    [before.claims, before.figures, before.untilDecided, before.confirm],
    [after.claims, after.figures, after.untilDecided, after.confirm],
  )

/** @throws StoreError when the sweep was begun with other code: no sweep holds results of two programs. */
async function requireSameProgram(existing: SweepFolder, plan: Plan): Promise<void> {
  const { own } = plan.spec
  if (own?.kind !== 'command' || existing.plan.experiment === plan.experiment) return
  const { describeChanges } = await import('../../experiments/custom/code-copy.js')
  const changes = describeChanges(own.command, existing.codeFolder) ?? 'its command or a file that it names'
  throw new StoreError(`sweep ${existing.id} was begun with another program: ${changes}`, {
    hint: `give this one another --name, or go on with the sweep's own copy: mlds resume ${existing.id}`,
    exitCode: 2,
  })
}

/** @throws StoreError when a rule would judge otherwise than it has. */
function requireNoRuleBy(before: Objective, after: Objective, { id, plan }: SweepFolder): void {
  const refuse = (what: string): never => {
    throw new StoreError(
      `sweep ${id} exists with another objective, by which ${what}: ${describeObjective(before)} (now ${describeObjective(after)})`,
      { hint: 'give this one another --name: trials that finished are taken over', exitCode: 2 },
    )
  }
  if (plan.spec.search?.learning !== undefined) refuse(`its search by ${plan.spec.search.sampler} is led`)
  const changed = (plan.spec.scheduler ?? []).find(
    (rule) => describeObjective(judgedBy(rule, before)) !== describeObjective(judgedBy(rule, after)),
  )
  if (changed !== undefined) refuse(`its rule ${changed.rule} stops trials`)
}
