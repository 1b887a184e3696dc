import { UnitScale } from './scale.js'
import { buildPoint, countValues, nearestValue, valueAt, type SearchAxis, type SearchPoint } from './space.js'

/** Grids of more places are searched as if they were continuous. */
const longestGrid = 1000
/** Where an axis lies that does not hold: all points without it alike. */
const absent = 0.5

/** A search space as a unit cube: of numbers their places in [0, 1], of choices their indices. */
export class Cube {
  /** Those that have more than one value. */
  readonly axes: readonly SearchAxis[]
  readonly isChoice: readonly boolean[]
  /** Of each axis: the places it can have, if they are few. */
  readonly grids: readonly (readonly number[] | undefined)[]
  readonly #scales: readonly (UnitScale | undefined)[]

  constructor(private readonly space: readonly SearchAxis[]) {
    this.axes = space.filter((axis) => countValues(axis) > 1)
    this.isChoice = this.axes.map(({ kind }) => kind === 'choice')
    this.#scales = this.axes.map((axis) => (axis.kind === 'choice' ? undefined : new UnitScale(axis)))
    this.grids = this.axes.map((axis, a) => {
      const count = countValues(axis)
      if (axis.kind !== 'choice' && count > longestGrid) return undefined
      return Array.from({ length: count }, (_, at) => this.#scales[a]?.toUnit(valueAt(axis, at)) ?? at)
    })
  }

  toRow(point: SearchPoint): Float64Array {
    return Float64Array.from(this.axes, (axis, a) => {
      if (!Object.hasOwn(point, axis.name)) return absent
      return this.#scales[a]?.within(point[axis.name]!) ?? nearestValue(axis, point[axis.name]!)
    })
  }

  /** Where half a step around the value at a place lies; `undefined` of axes without steps. */
  cellAt(a: number, place: number): { readonly from: number; readonly to: number } | undefined {
    const scale = this.#scales[a]
    if (scale?.step === undefined) return undefined
    const value = scale.fromUnit(place)
    return { from: scale.toUnit(value - scale.step / 2), to: scale.toUnit(value + scale.step / 2) }
  }

  toPoint(row: Float64Array): SearchPoint {
    return buildPoint(this.space, (axis) => {
      const a = this.axes.indexOf(axis)
      if (a < 0) return valueAt(axis, 0)
      return this.#scales[a]?.fromUnit(row[a]!) ?? Math.floor(row[a]!)
    })
  }
}
