import { createHash } from 'node:crypto'
import type { Dataset } from './dataset.js'

/** Ten classes of images with 256 levels, as a data set in shared memory; pixels come to lie in 0…1. */
export function imageSet({
  pixels,
  labels,
  ...facts
}: Pick<Dataset, 'name' | 'fingerprint' | 'rows' | 'testFrom' | 'shape'> & {
  /** `[rows, ...shape]`, 0…255. */
  readonly pixels: Uint8Array
  /** `[rows]`. */
  readonly labels: ArrayLike<number>
}): Dataset {
  const features = new Float32Array(new SharedArrayBuffer(pixels.length * 4))
  for (let i = 0; i < pixels.length; i++) features[i] = pixels[i]! / 255
  const shared = new Int32Array(new SharedArrayBuffer(labels.length * 4))
  shared.set(labels)
  return { ...facts, features, labels: shared, classes: 10, targets: new Float32Array(0) }
}

/** SHA-256 of bytes that lie in several parts, one after the other. */
export function sha256(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}
