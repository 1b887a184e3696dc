import { describe, expect, it } from 'vitest'
import { corruptLabels, corruptPixels, standardizeRows } from '../../src/data/corrupt.js'
import { drawGlyphs } from '../../src/data/glyphs.js'
import { Random } from '../../src/core/seed.js'

const labels = Int32Array.from({ length: 10_000 }, (_, i) => i % 10)
const train = Int32Array.from({ length: 8_000 }, (_, i) => i)
const differing = (a: Int32Array, b: Int32Array): number => a.filter((label, i) => label !== b[i]).length

describe('corrupted labels', () => {
  const whole = { share: 1, classes: 10, seed: 3 }

  it('permuted, keep every class as often as before', () => {
    const permuted = corruptLabels(labels, train, { ...whole, kind: 'permute' })
    expect([...permuted].sort()).toEqual([...labels].sort())
  })

  it.each(['permute', 'resample'] as const)('%s: nine tenths of ten equal classes change at a share of 1', (kind) => {
    const share = differing(corruptLabels(labels, train, { ...whole, kind }), labels) / train.length
    expect(share).toBeGreaterThan(0.89)
    expect(share).toBeLessThan(0.91)
  })

  it('change in proportion to the share, and not at all at 0', () => {
    const changed = (share: number): number =>
      differing(corruptLabels(labels, train, { ...whole, kind: 'resample', share }), labels)
    expect(changed(0)).toBe(0)
    expect(changed(0.5) / changed(1)).toBeCloseTo(0.5, 1)
  })

  it('leave held-out rows alone and depend on the seed alone', () => {
    const once = corruptLabels(labels, train, { ...whole, kind: 'permute' })
    expect(once.subarray(8_000)).toEqual(labels.subarray(8_000))
    expect(corruptLabels(labels, train, { ...whole, kind: 'permute' })).toEqual(once)
    expect(corruptLabels(labels, train, { ...whole, kind: 'permute', seed: 4 })).not.toEqual(once)
  })
})

describe('corrupted pixels', () => {
  const { features } = drawGlyphs(50)
  const rows = Int32Array.from({ length: 50 }, (_, i) => i)
  const row = (all: Float32Array, i: number): Float32Array => all.subarray(i * 784, (i + 1) * 784)

  it('shuffled, are the same pixels in another order', () => {
    const shuffled = corruptPixels(features, rows, { kind: 'random-pixels', share: 1, rowSize: 784, seed: 0 })
    expect(row(shuffled, 7)).not.toEqual(row(features, 7))
    expect(row(shuffled, 7).slice().sort()).toEqual(row(features, 7).slice().sort())
  })

  it('as noise, keep mean and spread of their row to within chance', () => {
    const noise = corruptPixels(features, rows, { kind: 'gaussian', share: 1, rowSize: 784, seed: 0 })
    const moments = (values: Float32Array): [number, number] => {
      const mean = values.reduce((a, b) => a + b, 0) / values.length
      return [mean, Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)]
    }
    const [[mean, deviation], [noisyMean, noisyDeviation]] = [moments(row(features, 3)), moments(row(noise, 3))]
    expect(Math.abs(noisyMean - mean)).toBeLessThan((4 * deviation) / Math.sqrt(784))
    expect(Math.abs(noisyDeviation / deviation - 1)).toBeLessThan(4 / Math.sqrt(2 * 784))
  })

  it('standardised, have mean 0 and variance 1 in each row', () => {
    const random = new Random(1, 'test')
    const standard = standardizeRows(
      Float32Array.from({ length: 200 }, () => 5 + 3 * random.uniform()),
      100,
    )
    for (const first of [0, 100]) {
      const part = standard.subarray(first, first + 100)
      expect(part.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 3)
      expect(part.reduce((a, b) => a + b * b, 0) / 100).toBeCloseTo(1, 4)
    }
  })
})
