import type { Trial, TrialId } from '../core/trial.js'
import type { Experiment } from './experiment.js'

/** The data sets that a stage names for one of its trials; their fingerprints are part of that trial's id. */
export interface NamedData {
  readonly trial: Trial
  readonly names: readonly string[]
}

/**
 * All data that a trial may read: what its own stage names, then what the stages of its ancestors name, the nearest
 * first. A stage that measures what an earlier one has trained names nothing itself, so that its trials' ids stay.
 * @param find a trial by id; where it knows an ancestor no more, the walk ends.
 */
export function namedDataOf(
  experiment: Pick<Experiment, 'stages'>,
  trial: Trial,
  find: (id: TrialId) => Trial | undefined,
): NamedData[] {
  const found: NamedData[] = []
  const line = new Map([[trial.id, trial]])
  // A map may grow while it is walked.
  for (const member of line.values()) {
    const stage = experiment.stages.find(({ name }) => name === member.stage)
    const names = stage?.data(member.params) ?? []
    if (names.length > 0) found.push({ trial: member, names })
    for (const id of member.parents) {
      const parent = find(id)
      if (parent !== undefined) line.set(id, parent)
    }
  }
  return found
}

/** The names of all data sets that a trial may read, each once. */
export function dataReadBy(...args: Parameters<typeof namedDataOf>): string[] {
  return [...new Set(namedDataOf(...args).flatMap(({ names }) => names))]
}
