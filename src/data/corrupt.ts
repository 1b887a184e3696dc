import { Random } from '../core/seed.js'

export const corruptions = ['permute', 'resample', 'random-pixels', 'gaussian'] as const
export type Corruption = (typeof corruptions)[number]

/**
 * Labels of which a share was made meaningless (Zhang et al. 2017). `permute` deals the chosen rows' labels out among
 * them, so that every class keeps its count; `resample` draws each anew, uniformly. Rows outside `rows` keep theirs.
 * Fixed by the seed: an epoch sees the same wrong labels as the one before.
 */
export function corruptLabels(
  labels: Int32Array,
  rows: Int32Array,
  options: { kind: 'permute' | 'resample'; share: number; classes: number; seed: number },
): Int32Array {
  const { kind, share, classes, seed } = options
  const corrupted = labels.slice()
  const random = new Random(seed, 'corruption', kind)
  const chosen = chooseRows(rows, share, random)
  if (kind === 'resample') chosen.forEach((row) => (corrupted[row] = random.below(classes)))
  else {
    const dealt = Int32Array.from(chosen, (row) => labels[row]!)
    random.shuffle(dealt)
    chosen.forEach((row, i) => (corrupted[row] = dealt[i]!))
  }
  return corrupted
}

/**
 * Features of which a share of the rows was made meaningless: `random-pixels` shuffles each chosen row's pixels by an
 * order of its own, `gaussian` replaces them by noise of the row's mean and standard deviation (Zhang et al. 2017).
 */
export function corruptPixels(
  features: Float32Array,
  rows: Int32Array,
  options: { kind: 'random-pixels' | 'gaussian'; share: number; rowSize: number; seed: number },
): Float32Array {
  const { kind, share, rowSize, seed } = options
  const corrupted = features.slice()
  const random = new Random(seed, 'corruption', kind)
  for (const row of chooseRows(rows, share, random)) {
    const pixels = corrupted.subarray(row * rowSize, (row + 1) * rowSize)
    if (kind === 'random-pixels') random.shuffle(pixels)
    else {
      const { mean, deviation } = moments(pixels)
      for (let i = 0; i < rowSize; i++) pixels[i] = mean + deviation * random.normal()
    }
  }
  return corrupted
}

/** Each row with its own mean taken off and divided by its own standard deviation (tf.image.per_image_standardization). */
export function standardizeRows(features: Float32Array, rowSize: number): Float32Array {
  const standardized = features.slice()
  for (let first = 0; first < features.length; first += rowSize) {
    const row = standardized.subarray(first, first + rowSize)
    const { mean, deviation } = moments(row)
    // A row of one colour is not to be blown up.
    const scale = 1 / Math.max(deviation, 1 / Math.sqrt(rowSize))
    for (let i = 0; i < rowSize; i++) row[i] = (row[i]! - mean) * scale
  }
  return standardized
}

function chooseRows(rows: Int32Array, share: number, random: Random): Int32Array {
  const order = rows.slice()
  random.shuffle(order)
  return order.subarray(0, Math.round(share * rows.length))
}

function moments(values: Float32Array): { mean: number; deviation: number } {
  let [sum, squares] = [0, 0]
  for (const value of values) {
    sum += value
    squares += value * value
  }
  const mean = sum / values.length
  return { mean, deviation: Math.sqrt(Math.max(0, squares / values.length - mean * mean)) }
}
