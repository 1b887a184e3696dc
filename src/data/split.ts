import { DataError } from '../core/errors.js'
import { Random } from '../core/seed.js'
import type { Dataset } from './dataset.js'

export interface Split {
  /** Row indexes, in an order that mixes the classes. */
  readonly train: Int32Array
  readonly test: Int32Array
}

/**
 * Divides a classified set so that each class keeps its share on both sides (to within one row), fixed by the seed.
 * Sets are often grouped by class, so both sides are shuffled.
 * @throws DataError when the set has fewer rows than asked for.
 */
export function stratifiedSplit(dataset: Dataset, options: { train: number; test: number; seed: number }): Split {
  const { train, test, seed } = options
  if (dataset.testFrom !== undefined) return splitByPart(dataset, dataset.testFrom, options)
  if (train + test > dataset.rows) {
    throw new DataError(
      `${dataset.name} has ${dataset.rows} rows: too few for ${train} to train on and ${test} held out`,
      { exitCode: 2 },
    )
  }
  const byClass: number[][] = Array.from({ length: dataset.classes }, () => [])
  dataset.labels.forEach((label, row) => byClass[label]!.push(row))
  const random = new Random(seed, 'split')
  byClass.forEach((rows) => random.shuffle(rows))

  const testCounts = apportion(
    byClass.map((rows) => rows.length),
    test,
  )
  const testRows = byClass.flatMap((rows, label) => rows.slice(0, testCounts[label]))
  const remaining = byClass.map((rows, label) => rows.slice(testCounts[label]))
  const trainCounts = apportion(
    remaining.map((rows) => rows.length),
    train,
  )
  const trainRows = remaining.flatMap((rows, label) => rows.slice(0, trainCounts[label]))
  random.shuffle(testRows)
  random.shuffle(trainRows)
  return { train: Int32Array.from(trainRows), test: Int32Array.from(testRows) }
}

/** Training rows from the set's training part, held-out rows from its test part. */
function splitByPart(
  dataset: Dataset,
  testFrom: number,
  { train, test, seed }: { train: number; test: number; seed: number },
): Split {
  const { name, rows, classes, labels } = dataset
  const part = (from: number, to: number): Omit<Dataset, 'testFrom'> => ({
    ...{
      name: `${name}'s ${from === 0 ? 'training' : 'test'} part`,
      fingerprint: '',
      shape: [],
      targets: dataset.targets,
    },
    ...{ rows: to - from, classes, features: dataset.features, labels: labels.subarray(from, to) },
  })
  const own = stratifiedSplit(part(0, testFrom), { train, test: 0, seed })
  const held = stratifiedSplit(part(testFrom, rows), { train: 0, test, seed })
  return { train: own.train, test: held.test.map((row) => row + testFrom) }
}

/** Shares `total` among classes in proportion to their sizes; what is left goes to the largest remainders (Hamilton). */
function apportion(sizes: readonly number[], total: number): number[] {
  const all = sizes.reduce((sum, size) => sum + size, 0)
  const exact = sizes.map((size) => (size * total) / Math.max(1, all))
  const counts = exact.map(Math.floor)
  const byRemainder = exact
    .map((share, i) => ({ i, remainder: share - Math.floor(share) }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i)
  let left = total - counts.reduce((sum, count) => sum + count, 0)
  for (const { i } of byRemainder) {
    if (left === 0) break
    counts[i]!++
    left--
  }
  return counts
}

/** The rows in the order of one epoch (counted from 1): each epoch has its own permutation, fixed by the seed. */
export function epochOrder(rows: Int32Array, epoch: number, shuffleSeed: number): Int32Array {
  const order = rows.slice()
  new Random(shuffleSeed, 'epoch', epoch).shuffle(order)
  return order
}

/** The rows of an order, one after the other, `[order.length × width]`. */
export function gatherRows(features: Float32Array, order: Int32Array, width: number): Float32Array {
  const chosen = new Float32Array(order.length * width)
  order.forEach((row, i) => chosen.set(features.subarray(row * width, (row + 1) * width), i * width))
  return chosen
}
