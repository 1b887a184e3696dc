import { describe, expect, it } from 'vitest'
import { importances } from '../../src/search/importance.js'
import type { SearchAxis, SearchPoint } from '../../src/search/space.js'
import { reference } from './reference.js'

interface Case {
  readonly directions: ('minimize' | 'maximize')[]
  readonly axes: SearchAxis[]
  readonly points: SearchPoint[]
  readonly values: number[][]
  readonly importances: Readonly<Record<string, number>>
}
const cases = reference<Case[]>('importances')
const observed = ({ points, values }: Case) => points.map((point, index) => ({ index, point, values: values[index]! }))

describe('importances', () => {
  it.each(cases.map((one) => [one.points.length, one.directions.join(), one] as const))(
    'of %i trials, to %s, are those of Optuna 5',
    (_, _directions, one) => {
      const found = importances(one.axes, observed(one), one.directions)
      for (const [name, share] of Object.entries(one.importances))
        expect(Math.abs(found.get(name)! - share)).toBeLessThan(1e-9)
      expect([...found.values()].reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12)
    },
  )

  it('are 0 of what teaches nothing: no trials, one, failed ones, axes of one value', () => {
    const [one] = cases
    const none = new Map(one!.axes.map(({ name }) => [name, 0]))
    expect(importances(one!.axes, [], ['minimize'])).toEqual(none)
    expect(importances(one!.axes, observed(one!).slice(0, 1), ['minimize'])).toEqual(none)
    expect(
      importances(
        one!.axes,
        one!.points.map((point, index) => ({ index, point })),
        ['minimize'],
      ),
    ).toEqual(none)
    const fixed: SearchAxis[] = [{ name: 'x', kind: 'float', low: 1, high: 1 }]
    const same = Array.from({ length: 20 }, (_, index) => ({ index, point: { x: 1 }, values: [index] }))
    expect(importances(fixed, same, ['minimize'])).toEqual(new Map([['x', 0]]))
  })
})
