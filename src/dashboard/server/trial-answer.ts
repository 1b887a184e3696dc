import { listAttempts } from '../../sweeps/journal/list-attempts.js'
import { describeSuggestion, suggestionsOf } from '../../sweeps/searching/replay.js'
import { lenderOf } from '../../sweeps/lent-log.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import { isResult } from '../../sweeps/journal/state.js'
import type { TrialId } from '../../core/trial.js'
import type { TrialAnswer } from '../wire.js'
import type { LiveSweep } from './live-sweep.js'

/** More text of a stack than this helps nobody. */
const maxStackLength = 20_000

/** What a trial's own page shows beside its row and its course; `undefined` when the sweep has no such trial. */
export function describeTrial(live: LiveSweep, id: TrialId): TrialAnswer | undefined {
  const one = live.state.trials.get(id)
  if (one === undefined) return undefined
  const { sweep, state } = live
  const { trial, outcome } = one
  const children = [...state.trials.values()].filter(({ trial: { parents } }) => parents.includes(id))
  const suggestion =
    sweep.plan.spec.search?.learning === undefined
      ? undefined
      : suggestionsOf(sweep.frozen, sweep.events()).find(({ trials }) => trials.includes(id))
  return {
    id,
    index: trial.index,
    stage: trial.stage,
    params: trial.params,
    seeds: { ...trial.seeds },
    parents: trial.parents,
    children: children.map((child) => child.trial.id),
    attempts: attemptsOf(sweep, id),
    files: Object.entries(isResult(outcome) ? outcome.artifacts : {}).map(([name, { sizeBytes }]) => ({
      name,
      sizeBytes,
    })),
    ...(suggestion === undefined ? {} : { suggestion: describeSuggestion(suggestion) }),
    ...(outcome?.state === 'failed' && outcome.error.stack !== undefined
      ? { stack: outcome.error.stack.slice(0, maxStackLength) }
      : {}),
  }
}

/** Of a result that was taken over, the sweep that it came from is said. */
function attemptsOf(sweep: SweepFolder, id: TrialId): TrialAnswer['attempts'] {
  const lender = lenderOf(sweep, id)
  return listAttempts(sweep.events(), id).map(({ attempt, ended, atMs, isVoid, reason }) => {
    const said = reason ?? (lender === undefined || isVoid ? undefined : `taken over from sweep ${lender}`)
    return {
      ...{ attempt, ended, atMs, isVoid },
      ...(said === undefined ? {} : { reason: said.slice(0, maxStackLength) }),
    }
  })
}
