import { sweepObjective } from '../core/objective.js'
import type { TrialId, TrialRecord } from '../core/trial.js'
import { experimentToRead, type CodeTrust } from '../experiments/registry.js'
import { buildReport, type Report, type SweepHistory } from '../report/report.js'
import type { JournalEvent } from '../sweeps/journal/journal.js'
import { listAttemptsOf } from '../sweeps/journal/list-attempts.js'
import type { Plan } from '../sweeps/plan.js'
import { describeSuggestion, suggestionsOf } from '../sweeps/searching/replay.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import { noteOf } from '../sweeps/sweep-note.js'
import { readRecordsAndEngines } from '../sweeps/verdicts.js'
import type { Store } from '../system/store.js'
import { artifactReader } from './conclude.js'
import { describeImportances, importancesOf } from './importance.js'
import { planFacts } from './planning/plan-facts.js'

/** The report of a sweep as it stands, from its own folder. */
export async function reportOf(
  store: Store,
  sweep: SweepFolder,
  trust: CodeTrust & { readonly warn: (message: string) => void },
): Promise<Report> {
  const experiment = await experimentToRead(sweep, trust)
  const objective = sweepObjective(sweep.plan.spec, experiment)
  const importances = importancesOf(sweep, objective)
  const { records, engines } = readRecordsAndEngines(sweep)
  return buildReport({
    experiment,
    objective,
    ...(importances === undefined ? {} : { importance: describeImportances(importances) }),
    facts: planFacts(store, sweep, experiment, engines),
    records,
    read: artifactReader(store),
    note: noteOf(sweep),
    history: historyOf(sweep.frozen, records, () => sweep.events()),
  })
}

/** What the journal tells beyond the records; it is read again only where there is something to tell. */
export function historyOf(
  plan: Pick<Plan, 'spec' | 'suggested'>,
  records: readonly TrialRecord[],
  events: () => Iterable<JournalEvent>,
): SweepHistory {
  const several = new Set<TrialId>(records.flatMap(({ trial, attempts }) => (attempts > 1 ? trial.id : [])))
  const suggestions = new Map<TrialId, string>()
  if (plan.spec.search?.learning !== undefined)
    for (const suggested of suggestionsOf(plan, events()))
      for (const id of suggested.trials) if (!suggestions.has(id)) suggestions.set(id, describeSuggestion(suggested))
  return {
    attempts: several.size === 0 ? new Map() : listAttemptsOf(events(), (id) => several.has(id)),
    suggestions,
  }
}
