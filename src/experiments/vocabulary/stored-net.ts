import { lookUp } from '../../core/names.js'
import type { Metrics, ParentResult, Trial } from '../../core/trial.js'
import { decodeCheckpoint } from '../../net/checkpoint.js'
import type { Net } from '../../net/net.js'
import type { TrialContext } from '../experiment.js'

/** What stages share that measure nets which an earlier stage trained: to measure anew trains nothing again. */

/** One measurement of each net. */
export const ofEachNet = {
  from: 'main',
  groups: (trials: readonly Trial[]): Trial[][] => trials.map((trial) => [trial]),
}

/** A net as its trial left it. */
export interface StoredNet<P> {
  readonly parent: ParentResult
  /** What it was trained with. */
  readonly trained: P
  readonly net: Net
  readonly theta: Float32Array
  /** This trial's context with the seeds of the net's: they choose the rows that it was trained on. */
  readonly origin: TrialContext
}

/** Opens what a parent saved under a name. @throws DataError when it saved nothing of that name. */
export async function openNet<P>(
  context: TrialContext,
  netOf: (trained: P) => Net,
  name: string,
  parent: ParentResult = context.parents[0]!,
): Promise<StoredNet<P>> {
  const trained = parent.trial.params as unknown as P
  const net = netOf(trained)
  const theta = decodeCheckpoint(net, await context.load(parent, name))
  return { parent, trained, net, theta, origin: { ...context, seeds: parent.trial.seeds } }
}

const ofTraining = ['train/loss', 'train/accuracy', 'test/loss', 'test/accuracy', 'updates', 'budget/reached'] as const

/** Beside every measurement, as in the original's figures, and lest nets trained unequally be compared unseen. */
export const besideMeasurement = ({ parent, trained }: StoredNet<{ readonly batch: number }>): Metrics => ({
  batch: trained.batch,
  ...Object.fromEntries(ofTraining.map((name) => [name, lookUp(parent.metrics, name) ?? NaN])),
})

/** A measure's course over batch sizes shows in no fewer. */
export const leastBatches = 4
