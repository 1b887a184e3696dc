import type { Experiment } from '../experiments/experiment.js'

/** Whether its profiles differ: an experiment that defines none has the same empty one under each name. */
export function hasProfiles({ profiles }: Pick<Experiment, 'profiles'>): boolean {
  return new Set(Object.values(profiles)).size > 1
}
