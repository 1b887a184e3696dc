import { describe, expect, it } from 'vitest'
import { reducePaths, reductions } from '../../src/analysis/path-reduction.js'
import { betweenGroupShare } from '../../src/analysis/principal-components.js'
import { Random } from '../../src/core/seed.js'

/** Three runs of five snapshots that leave a common centre along directions of their own. */
const runs = Array.from({ length: 15 }, (_, i) => `seed ${Math.floor(i / 5)}`)
const directions = [0, 1, 2].map((k) => {
  const random = new Random(k, 'direction')
  return Float64Array.from({ length: 40 }, () => random.normal())
})
const rows = runs.map((_, i) => directions[Math.floor(i / 5)]!.map((value) => value * (i % 5)))

describe('paths of several runs', () => {
  it.each(reductions)('reduces every snapshot to a point: %s', (reduction) => {
    const { points, explained } = reducePaths(rows, runs, reduction, 0)
    expect(points).toHaveLength(rows.length)
    expect(points.every((point) => Array.from(point).every(Number.isFinite))).toBe(true)
    for (const share of explained) expect(share).toBeLessThanOrEqual(1 + 1e-12)
  })

  it('puts each run’s end at the origin when paths are relative to it', () => {
    const { points } = reducePaths(rows, runs, 'relative-to-final', 0)
    for (const end of [4, 9, 14])
      for (const coordinate of Array.from(points[end]!)) expect(coordinate).toBeCloseTo(0, 10)
  })

  it('draws a straight run as a straight line of its own, uncentred', () => {
    const { explained, points } = reducePaths(rows, runs, 'per-run', 0)
    expect(explained[0]).toBeCloseTo(1, 10)
    expect(points[4]![0]! / points[2]![0]!).toBeCloseTo(2, 10)
  })

  it('needs three components for three runs that leave in directions of their own, and gives each point all three', () => {
    const { points, explained } = reducePaths(rows, runs, 'joint', 0)
    expect(explained).toHaveLength(3)
    expect(explained[0]! + explained[1]!).toBeLessThan(0.999)
    expect(explained[0]! + explained[1]! + explained[2]!).toBeCloseTo(1, 10)
    const squares = (of: readonly ArrayLike<number>[]) =>
      of.flatMap((row) => Array.from(row)).reduce((sum, v) => sum + v * v, 0)
    const centre = rows[0]!.map((_, k) => rows.reduce((sum, row) => sum + row[k]!, 0) / rows.length)
    expect(squares(points)).toBeCloseTo(squares(rows.map((row) => row.map((value, k) => value - centre[k]!))), 6)
  })

  it('gives the same t-SNE for the same seed', () => {
    expect(reducePaths(rows, runs, 't-sne', 7).points).toEqual(reducePaths(rows, runs, 't-sne', 7).points)
  })
})

describe('the share of variance between groups', () => {
  it('is 1 for groups that are points, 0 for groups with one centre, and the closed form between', () => {
    expect(betweenGroupShare([[0], [0], [2], [2]], ['a', 'a', 'b', 'b'])).toBe(1)
    expect(betweenGroupShare([[-1], [1], [-1], [1]], ['a', 'a', 'b', 'b'])).toBe(0)
    // Means 1 and 5 about 3: 4·4 between; 1 each within.
    expect(betweenGroupShare([[0], [2], [4], [6]], ['a', 'a', 'b', 'b'])).toBeCloseTo(16 / 20, 12)
  })
})
