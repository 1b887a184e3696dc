import { openData } from '../../data/catalog.js'
import type { Experiment } from '../../experiments/experiment.js'
import { namedDataOf } from '../../experiments/trial-data.js'
import type { PlanFacts } from '../../report/report.js'
import type { Store } from '../../system/store.js'
import { isOfData } from '../../sweeps/plan.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import type { Trial, TrialId } from '../../core/trial.js'

/** What the manifest of a report states, from a sweep's own folder. `engines`: as its journal names them. */
export function planFacts(
  store: Store,
  sweep: SweepFolder,
  experiment: Experiment,
  engines: Iterable<string>,
): PlanFacts {
  const { plan } = sweep
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
  const prints = new Map<string, string>()
  // Ancestors are in the plan too.
  const dataOf = dataReader(store, experiment, () => undefined)
  const words = { changed: 'other than the data of that name here now', gone: 'not here any more' }
  for (const trial of plan.trials) {
    for (const { name, fingerprint, state } of dataOf(trial))
      if (!prints.has(name)) prints.set(name, state === 'here' ? fingerprint : words[state])
  }
  return Object.fromEntries(prints)
}

type TrialData = { readonly name: string } & (
  | { readonly state: 'here'; readonly fingerprint: string }
  | { readonly state: 'changed' | 'gone'; readonly fingerprint?: never }
)

/**
 * The data sets that a trial reads, as they went into its id or an ancestor's: `changed` when the set of that name here is another one
 * now, `gone` when there is none. Data are looked at once per set of names.
 */
export function dataReader(
  store: Store,
  experiment: Experiment,
  find: (id: TrialId) => Trial | undefined,
): (trial: Trial) => readonly TrialData[] {
  const catalog = openData(store)
  const known = new Map<string, readonly TrialData[]>()
  return (trial) => {
    const data = new Map<string, TrialData>()
    for (const { names, trial: namer } of namedDataOf(experiment, trial, find))
      for (const one of stateOf(names, namer)) if (!data.has(one.name)) data.set(one.name, one)
    return [...data.values()]
  }

  function stateOf(names: readonly string[], trial: Trial): readonly TrialData[] {
    const key = names.join('\n')
    const data = known.get(key) ?? lookUp(names, trial)
    known.set(key, data)
    return data
  }

  function lookUp(names: readonly string[], trial: Trial): readonly TrialData[] {
    try {
      const prints = names.map((name) => [name, catalog.resolve(name).fingerprint] as const)
      const state = isOfData(trial, prints) ? 'here' : 'changed'
      return prints.map(([name, fingerprint]) => (state === 'here' ? { name, state, fingerprint } : { name, state }))
    } catch {
      return names.map((name) => ({ name, state: 'gone' }))
    }
  }
}
