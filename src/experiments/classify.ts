import type { Dataset } from '../data/dataset.js'
import { stratifiedSplit, type Split } from '../data/split.js'
import type { Evaluation, Rows } from '../nn/engine.js'
import type { Metrics } from '../trial.js'
import type { TrialContext } from './experiment.js'

/** What the classifying experiments share: a split, a loss, and names of its values. */
export const loss = 'softmax-cross-entropy'

/** The rows a net trains on, and those held out. */
export interface Material {
  readonly data: Dataset
  readonly split: Split
  readonly rows: Rows
}

/** A data set split by the data seed. Only `mnist-10k` and sets with a test part of their own have so many rows held out. */
export async function openMaterial(
  context: TrialContext,
  { dataset, trainRows, testRows }: { dataset: string; trainRows: number; testRows: number },
): Promise<Material> {
  const data = await context.data(dataset)
  const split = stratifiedSplit(data, { train: trainRows, test: testRows, seed: context.seeds.data })
  return { data, split, rows: { features: data.features, targets: data.labels } }
}

/** `test/loss` and `test/accuracy` of an evaluation. */
export const named = (part: string, { loss, accuracy }: Evaluation): Metrics => ({
  [`${part}/loss`]: loss,
  [`${part}/accuracy`]: accuracy,
})
