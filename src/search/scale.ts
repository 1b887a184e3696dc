import { exp, log } from '../analysis/elementary.js'
import { nearestValue, stepOf, type NumberAxis } from './space.js'

/**
 * A number axis as the unit interval: by its logarithm where it is logarithmic, with half a step more at both ends where
 * it has steps, so that the first and the last value have as much room as others.
 */
export class UnitScale {
  readonly step: number | undefined
  /** In the axis's own unit or its logarithm. */
  readonly #low: number
  readonly width: number

  constructor(private readonly axis: NumberAxis) {
    this.step = stepOf(axis)
    const half = (this.step ?? 0) / 2
    this.#low = this.#measure(axis.low - half)
    this.width = this.#measure(axis.high + half) - this.#low
  }

  /** Where a value lies: in [0, 1] if it is of the axis. */
  toUnit(value: number): number {
    return (this.#measure(value) - this.#low) / this.width
  }

  /** The same, at an end for a value beyond it. */
  within(value: number): number {
    const unit = this.toUnit(value)
    return unit >= 0 ? Math.min(1, unit) : 0
  }

  /** The value of the axis that is nearest to a place in [0, 1]. */
  fromUnit(unit: number): number {
    const measured = this.#low + unit * this.width
    return nearestValue(this.axis, this.axis.log === true ? exp(measured) : measured)
  }

  #measure(value: number): number {
    return this.axis.log === true ? log(value) : value
  }
}
