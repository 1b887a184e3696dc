import { formatCount } from '../../core/format.js'
import type { Trial, TrialId } from '../../core/trial.js'
import { authorsName } from '../../experiments/custom/custom.js'
import { expectTimes, timesOf } from '../../sweeps/scheduling/expected-time.js'
import type { SweepSpec } from '../../sweeps/spec/spec.js'
import type { PlanFacts } from '../../sweeps/stored-plan.js'
import type { Store } from '../../system/store.js'
import { samplesFromStore } from './samples.js'

/** In which order trials are started. Ids, results and the order of every table are the same in any. */
export type StartOrder =
  /** Those that are said to cost most come first, equal ones in plan order. */
  | { readonly by: 'cost' }
  | { readonly by: 'plan' }
  /** Those that are expected to take longest come first. */
  | { readonly by: 'time'; readonly times: ReadonlyMap<TrialId, number>; readonly measured: number }

/** As many measured times as are read: more make the order no better, and reading them takes longer than they save. */
const enough = 20_000

/** A sweep, frozen or not, as far as its order depends on it. */
interface OrderedSweep {
  readonly id: string
  readonly plan: { readonly experiment: string; readonly spec: SweepSpec }
}

/**
 * The order in which these trials of a sweep are started: the longest first, so that no long one runs alone at the end (a list
 * so ordered ends after 4/3 of the shortest possible time at most: Graham, SIAM Journal on Applied Mathematics 17, 1969). By
 * cost where that is known, else by how long trials of the same experiment took here: of this sweep, then of others, also of
 * earlier versions of the code. Measured times order nothing where what a sweep decides may depend on what runs first: under a
 * stopping rule, a search, or `--until-decided`. For the same reason the order is not kept: a resume may use another.
 */
export async function startOrder(
  store: Store,
  { id, plan }: OrderedSweep,
  trials: readonly Trial[],
): Promise<StartOrder> {
  const { scheduler = [], search, untilDecided, own } = plan.spec
  if (trials.some(({ cost }) => cost !== trials[0]!.cost)) return { by: 'cost' }
  const decides = scheduler.length > 0 || search !== undefined || untilDecided !== undefined
  if (decides || own === undefined || trials.length < 2) return { by: 'plan' }
  const name = authorsName(plan.experiment)
  const fits = ({ experiment }: PlanFacts): boolean => authorsName(experiment) === name
  const samples = await samplesFromStore(store, { fits, first: id, enough })
  const measured = samples.filter(({ share }) => share === 1)
  const times = timesOf(trials, expectTimes(measured))
  return times === undefined ? { by: 'plan' } : { by: 'time', times, measured: measured.length }
}

/** `the longest first, by what 12 earlier trials took`. */
export function describeOrder(order: StartOrder): string {
  if (order.by === 'cost') return 'the costliest first'
  if (order.by === 'plan') return 'as they are listed'
  return `the longest first, by what ${formatCount(order.measured, 'earlier trial')} took`
}
