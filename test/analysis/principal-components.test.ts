import { describe, expect, it } from 'vitest'
import { principalComponents, projectOnto } from '../../src/analysis/principal-components.js'
import { dot, norm } from '../../src/analysis/vectors.js'
import { Random } from '../../src/core/seed.js'

const cloud = (rows: number, features: number): Float64Array[] => {
  const random = new Random(3, 'cloud')
  return Array.from({ length: rows }, (_, row) =>
    Float64Array.from({ length: features }, () => random.normal() * (1 + row)),
  )
}

describe('principal components by the Gram matrix', () => {
  it('recovers a path in a plane of 50,000 dimensions exactly', () => {
    const random = new Random(1, 'path')
    const a = Float64Array.from({ length: 50_000 }, () => random.normal())
    const b = Float64Array.from({ length: 50_000 }, () => random.normal())
    const path = Array.from({ length: 12 }, (_, t) => a.map((x, i) => x * t + b[i]! * t * t * 0.1 + 4))
    const { components, explained, coordinates, centre } = principalComponents(path, { count: 5 })
    expect(components).toHaveLength(2)
    expect(explained[0]! + explained[1]!).toBeCloseTo(1, 10)
    path.forEach((row, t) => {
      const rebuilt = centre.map((c, i) => c + components.reduce((sum, v, k) => sum + v[i]! * coordinates[t]![k]!, 0))
      expect(norm(rebuilt.map((x, i) => x - row[i]!)) / norm(row)).toBeLessThan(1e-6)
    })
  })

  it('gives orthonormal components, and descending shares that sum to one at full rank', () => {
    const { components, explained } = principalComponents(cloud(9, 40), { count: 9 })
    expect(components).toHaveLength(8)
    components.forEach((a, i) =>
      components.forEach((b, j) => expect(Math.abs(dot(a, b) - (i === j ? 1 : 0))).toBeLessThan(1e-8)),
    )
    expect([...explained].sort((a, b) => b - a)).toEqual(explained)
    expect(explained.reduce((a, b) => a + b)).toBeCloseTo(1, 9)
  })

  it('is not moved by a translation of all rows, unless it is left uncentred', () => {
    const rows = cloud(6, 30)
    const moved = rows.map((row) => row.map((x) => x + 5))
    const [one, other] = [principalComponents(rows), principalComponents(moved)]
    one.coordinates.forEach((c, i) => c.forEach((x, k) => expect(other.coordinates[i]![k]).toBeCloseTo(x, 8)))
    const raw = principalComponents(moved, { centre: 'none' })
    expect(Math.abs(raw.coordinates[0]![0]!)).toBeGreaterThan(10)
  })

  it('fixes the sign: the largest element of each component is positive, whatever the order of rows', () => {
    const rows = cloud(6, 30)
    const [one, other] = [principalComponents(rows), principalComponents([...rows].reverse())]
    one.components.forEach((c, k) => {
      expect(Math.max(...c)).toBe(Math.max(...c.map(Math.abs)))
      c.forEach((x, i) => expect(other.components[k]![i]).toBeCloseTo(x, 8))
    })
  })

  it('puts a row it is centred on at the origin, and projects further rows into the same frame', () => {
    const rows = cloud(6, 30)
    const last = rows.at(-1)!
    const pca = principalComponents(rows, { centre: last })
    expect([...pca.coordinates.at(-1)!]).toEqual([0, 0])
    expect([...projectOnto(pca, rows[2]!)]).toEqual([...pca.coordinates[2]!])
  })

  it('is the same of many rows with few features as of its rows one by one in the plane', () => {
    const random = new Random(5)
    const few = Array.from({ length: 6 }, () => [3 * random.normal(), random.normal(), 0.2 * random.normal()])
    // Each row thrice: more rows than features, the very same directions and shares.
    const many = principalComponents([...few, ...few, ...few], { count: 3 })
    const wide = principalComponents(
      few.map((row) => [...row, ...new Array<number>(20).fill(0)]),
      { count: 3 },
    )
    many.components.forEach((component, k) => {
      expect(many.explained[k]).toBeCloseTo(wide.explained[k]!, 10)
      component.forEach((value, i) => expect(value).toBeCloseTo(wide.components[k]![i]!, 8))
    })
  })
})
