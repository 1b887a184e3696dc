import type { SearchAxis, SearchPoint } from '../space.js'
import { kernelAxis, type KernelAxis } from './kernels.js'
import type { Column } from './parzen.js'

/** The observations that have some axes, which always hold together, with their order on each: nothing is sorted anew. */
export class Rows {
  readonly kernelAxes: readonly KernelAxis[]
  /** Of each row: which observation it is. */
  readonly #ids: number[] = []
  readonly #units: readonly number[][]
  /** Of each axis: rows by size, equal ones as they came. */
  readonly #orders: readonly number[][]

  constructor(readonly axes: readonly SearchAxis[]) {
    this.kernelAxes = axes.map(kernelAxis)
    this.#units = axes.map(() => [])
    this.#orders = axes.map(() => [])
  }

  /** Takes in an observation, unless the axes do not hold at its point. */
  add(id: number, point: SearchPoint): void {
    if (!Object.hasOwn(point, this.axes[0]!.name)) return
    const row = this.#ids.push(id) - 1
    this.axes.forEach(({ name }, a) => {
      const units = this.#units[a]!
      units.push(this.kernelAxes[a]!.toUnit(point[name]!))
      insert(this.#orders[a]!, row, units)
    })
  }

  /** Forgets the observations from `id` on, which came last. */
  dropFrom(id: number): void {
    let count = this.#ids.length
    while (count > 0 && this.#ids[count - 1]! >= id) count--
    if (count === this.#ids.length) return
    this.#ids.length = count
    for (const units of this.#units) units.length = count
    for (const order of this.#orders) {
      let kept = 0
      for (const row of order) if (row < count) order[kept++] = row
      order.length = kept
    }
  }

  /** The columns of the observations that are wanted, in the order they came. */
  select(isWanted: (id: number) => boolean): { readonly count: number; readonly columns: readonly Column[] } {
    const places = new Int32Array(this.#ids.length).fill(-1)
    let count = 0
    for (let row = 0; row < places.length; row++) if (isWanted(this.#ids[row]!)) places[row] = count++
    const columns = this.#units.map((all, a) => {
      const [units, order] = [new Float64Array(count), new Int32Array(count)]
      let at = 0
      for (const row of this.#orders[a]!) {
        const place = places[row]!
        if (place < 0) continue
        units[place] = all[row]!
        order[at++] = place
      }
      return { units, order }
    })
    return { count, columns }
  }
}

/** Puts a row behind all that are not larger. */
function insert(order: number[], row: number, units: readonly number[]): void {
  let [from, to] = [0, order.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (units[order[middle]!]! > units[row]!) to = middle
    else from = middle + 1
  }
  order.splice(from, 0, row)
}
