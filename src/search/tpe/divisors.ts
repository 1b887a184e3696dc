import { log } from '../../analysis/elementary.js'

/** Factors that each kernel is divided by: gathered as products, for one logarithm a kernel instead of one an axis. */
export class Divisors {
  readonly #products: Float64Array
  readonly #logs: Float64Array

  constructor(count: number) {
    this.#products = new Float64Array(count).fill(1)
    this.#logs = new Float64Array(count)
  }

  multiply(kernel: number, factor: number): void {
    const product = this.#products[kernel]! * factor
    if (product > 1e-200) this.#products[kernel] = product
    else {
      this.#logs[kernel]! += log(product)
      this.#products[kernel] = 1
    }
  }

  /** ln(weight / product) of each kernel. */
  logRatios(weights: Float64Array): Float64Array {
    return weights.map((weight, k) => log(weight / this.#products[k]!) - this.#logs[k]!)
  }
}
