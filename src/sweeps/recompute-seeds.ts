import { canonicalJson } from '../core/seed.js'
import { formatCount } from '../core/format.js'
import type { TrialsAdded } from '../core/trial.js'
import type { Experiment } from '../experiments/experiment.js'
import type { JournalEvent } from './journal/journal.js'
import { buildRecords } from './journal/records.js'
import { isComplete, SweepState } from './journal/state.js'
import type { Plan, ResolveData } from './plan.js'
import type { Addition } from './scheduling/growth.js'
import { SeedGrowth } from './until-decided.js'

export interface RecomputedSeeds {
  /** Times that seeds were added. */
  readonly additions: number
  /** A sentence for each that comes out otherwise. */
  readonly others: readonly string[]
  /** Whether every claim is decided, or no more seeds are allowed, as far as the results go that there are. */
  readonly isDone: boolean
}

/** Decides again, from the results that there were, every time whether the plan of a sweep was to grow by seeds. */
export async function recomputeSeeds(
  plan: Pick<Plan, 'spec' | 'profile' | 'trials'>,
  events: Iterable<JournalEvent>,
  experiment: Experiment,
  resolveData: ResolveData,
): Promise<RecomputedSeeds> {
  const others: string[] = []
  const state = new SweepState(plan.trials)
  const past: JournalEvent[] = []
  const growthOfNow = () => new SeedGrowth(plan, experiment, resolveData, () => buildRecords(plan.trials, past))
  let growth = growthOfNow()
  let additions = 0
  for (const event of events) {
    if (event.type === 'trials-added' && event.reason === 'seed') {
      additions++
      const again = await growth.next(state)
      if (again === undefined || whatIs(again) !== whatIs(event)) others.push(describe(additions, event, again))
    }
    state.apply(event)
    past.push(event)
    if (event.type === 'voided') {
      growth = growthOfNow()
      additions = 0
      others.length = 0
    }
  }
  const isDone = isComplete(state.counts()) && !(await growth.hasNext(state))
  return { additions, others, isDone }
}

const whatIs = ({ because, trials }: Addition): string => canonicalJson([because, trials.map(({ id }) => id)])

function describe(number: number, was: TrialsAdded, again: Addition | undefined): string {
  const what = ({ trials, because }: Addition): string => {
    const { undecided } = because
    const seeds = new Set(trials.map(({ seeds }) => seeds.init)).size
    const why = Array.isArray(undecided) ? ` because of ${undecided.join(', ')}` : ''
    return `${formatCount(seeds, 'seed')}${why}`
  }
  if (again === undefined) return `look ${number} added ${what(was)}, and comes out as none: all was decided`
  const reason = was.because['claims'] === again.because['claims'] ? '' : ' (by claims of another wording or version)'
  return `look ${number} added ${what(was)}, and comes out as ${what(again)}${reason}`
}
