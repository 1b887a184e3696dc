import { openData } from '../data/catalog.js'
import type { Experiment } from '../experiments/experiment.js'
import type { PlanFacts } from '../report/report.js'
import type { Store } from '../store.js'
import { isOfData } from '../sweeps/plan.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'

/** What the manifest of a report states, from a sweep's own folder. */
export function planFacts(store: Store, sweep: SweepFolder, experiment: Experiment): PlanFacts {
  const { plan } = sweep
  const engines = new Set<string>()
  for (const { event } of sweep.entries()) {
    if (event.type === 'opened' && event.engine !== undefined) engines.add(event.engine)
  }
  return {
    sweep: sweep.id,
    profile: plan.profile,
    spec: plan.spec,
    planHash: plan.hash,
    codeVersion: plan.codeVersion,
    engines: [...engines],
    data: fingerprints(store, sweep, experiment),
    createdAtMs: plan.createdAtMs,
  }
}

/** Fingerprints as they went into the trials' ids; a set that has changed or gone since is not passed off as theirs. */
function fingerprints(store: Store, { plan }: SweepFolder, experiment: Experiment): Record<string, string> {
  const catalog = openData(store)
  const prints: Record<string, string> = {}
  for (const trial of plan.trials) {
    const names = experiment.stages.find(({ name }) => name === trial.stage)?.data(trial.params) ?? []
    if (names.every((name) => name in prints)) continue
    try {
      const data = names.map((name) => [name, catalog.resolve(name).fingerprint] as const)
      const same = isOfData(trial, data)
      for (const [name, print] of data) prints[name] = same ? print : 'other than the data of that name here now'
    } catch {
      for (const name of names) prints[name] ??= 'not here any more'
    }
  }
  return prints
}
