import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  dominates,
  hypervolume,
  hypervolumeSubset,
  paretoFront,
  paretoRanks,
  referencePoint,
} from '../../src/analysis/pareto.js'
import { reference } from '../search/reference.js'

interface Case {
  readonly points: number[][]
  readonly ranks: number[]
  readonly reference: number[]
  readonly hypervolume: number
  readonly front: number[][]
  readonly frontReference: number[]
  readonly count: number
  readonly subset: number[]
}
const cases = reference<Case[]>('pareto').map((one) => [one.points.length, one.points[0]!.length, one] as const)

describe('Pareto fronts and hypervolumes', () => {
  it.each(cases)('of %i points and %i objectives are those of Optuna and pymoo', (_count, _objectives, one) => {
    expect([...paretoRanks(one.points)]).toEqual(one.ranks)
    expect(paretoFront(one.points)).toEqual(one.ranks.flatMap((rank, i) => (rank === 0 ? [i] : [])))
    expect(hypervolume(one.points, one.reference) / one.hypervolume).toBeCloseTo(1, 12)
    expect([...referencePoint(one.points)]).toEqual(one.reference)
    expect(hypervolumeSubset(one.front, one.frontReference, one.count)).toEqual(one.subset)
  })

  const points = (objectives: number) =>
    fc.array(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: objectives, maxLength: objectives }), {
      minLength: 1,
      maxLength: 14,
    })

  it.each([1, 2, 3, 4])('are what the definitions say of any points of %i objectives', (objectives) => {
    fc.assert(
      fc.property(points(objectives), (all) => {
        const ranks = paretoRanks(all)
        all.forEach((point, i) => {
          const above = all.flatMap((other, j) => (dominates(other, point) ? [ranks[j]!] : []))
          expect(ranks[i]).toBe(above.length === 0 ? 0 : Math.max(...above) + 1)
        })
        // Unit cells below the reference that some point dominates: counted one by one.
        const side = 6
        let cells = 0
        for (let cell = 0; cell < side ** objectives; cell++) {
          const corner = Array.from({ length: objectives }, (_, k) => Math.floor(cell / side ** k) % side)
          if (all.some((point) => point.every((value, k) => value <= corner[k]!))) cells++
        }
        expect(hypervolume(all, new Array<number>(objectives).fill(side))).toBe(cells)
      }),
      { numRuns: 100 },
    )
  })

  it('count nothing that is not below the reference, nor points that are not there', () => {
    expect(
      hypervolume(
        [
          [1, 1],
          [0, 3],
        ],
        [2, 2],
      ),
    ).toBe(1)
    expect(hypervolume([[1, 1]], [1, 1])).toBe(0)
    expect(hypervolume([], [1, 1])).toBe(0)
    expect([paretoRanks([]).length, paretoFront([]), hypervolumeSubset([], [1, 1], 3)]).toEqual([0, [], []])
    expect(
      hypervolumeSubset(
        [
          [0, 1],
          [1, 0],
        ],
        [2, 2],
        5,
      ),
    ).toEqual([0, 1])
  })
})
