import { describe, expect, it } from 'vitest'
import { tSne } from '../../src/analysis/t-sne.js'
import { Random } from '../../src/core/seed.js'

const random = new Random(0, 'clusters')
/** Three clusters of ten points in twenty dimensions, a hundred times as far apart as they are wide. */
const rows = [0, 1, 2].flatMap((cluster) =>
  Array.from({ length: 10 }, () => Array.from({ length: 20 }, (_, i) => (i === cluster ? 100 : 0) + random.normal())),
)
const nearestTo = (points: readonly number[][], i: number): number => {
  const distances = points.map(([x, y], j) =>
    i === j ? Infinity : Math.hypot(x! - points[i]![0]!, y! - points[i]![1]!),
  )
  return distances.indexOf(Math.min(...distances))
}

describe('t-SNE', () => {
  it('keeps neighbours: each point of a cluster lies nearest to another of it', () => {
    const points = tSne(rows, { seed: 1, perplexity: 5, iterations: 250 })
    expect(points).toHaveLength(30)
    points.forEach((_, i) => expect(Math.floor(nearestTo(points, i) / 10)).toBe(Math.floor(i / 10)))
  })

  it('gives the same map for the same seed, another for another', () => {
    const map = (seed: number) => tSne(rows, { seed, iterations: 50 })
    expect(map(1)).toEqual(map(1))
    expect(map(2)).not.toEqual(map(1))
  })

  it('takes fewer rows than its perplexity would want', () => {
    for (const [x, y] of tSne(rows.slice(0, 4), { seed: 0, iterations: 20 })) {
      expect(Number.isFinite(x)).toBe(true)
      expect(Number.isFinite(y)).toBe(true)
    }
  })
})
