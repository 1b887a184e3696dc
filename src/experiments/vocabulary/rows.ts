import type { Seeds } from '../../core/trial.js'
import type { Dataset } from '../../data/dataset.js'
import { sampleFunction, type TargetFunction } from '../../data/functions.js'
import { stratifiedSplit } from '../../data/split.js'
import type { RowsByPart } from '../experiment.js'

/** What trials train on and are measured on, told for evidence by the same draws as theirs. */

/** Rows of labelled images, as `openSplit` splits them. */
export async function rowsOfSplit(
  { dataset, trainRows, testRows }: { dataset: string; trainRows: number; testRows: number },
  seeds: Seeds,
  data: (name: string) => Promise<Dataset>,
): Promise<RowsByPart> {
  const { train, test } = stratifiedSplit(await data(dataset), { train: trainRows, test: testRows, seed: seeds.data })
  return { train, test }
}

/** Points of a function: x, in the order they are trained on. */
export async function pointsOfFunction(
  { target, rows }: { target: TargetFunction; rows: number },
  seeds: Seeds,
): Promise<RowsByPart> {
  const of = (part: string): Float32Array => sampleFunction(target, rows, seeds.data, part).features
  return { train: of('train'), test: of('test') }
}
