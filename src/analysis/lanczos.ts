import { maxOf } from '../core/extremes.js'
import type { Random } from '../core/seed.js'
import { symmetricSpectrum } from './symmetric.js'
import { addScaled, dot, norm, unit } from './vectors.js'

/** A symmetric matrix known by its products alone. */
export type Product = (vector: Float64Array) => Promise<Float64Array>

export interface Extremes {
  /** Ritz values, descending: the first approach the largest eigenvalues, the last the smallest. */
  readonly values: Float64Array
  /** The Ritz vector of the k-th value, `[n]`. */
  vector(k: number): Float64Array
  /** ‖Av − λv‖ of the largest Ritz value: an eigenvalue lies no farther from it than that. */
  readonly residual: number
  readonly products: number
}

/**
 * Extreme eigenvalues of an n × n symmetric matrix by Lanczos's method (1950) with full re-orthogonalisation, from a
 * random start, until the largest Ritz value moves by less than `tolerance` relative to itself (default 1e-4), or
 * `maxProducts` (default 60) have been made. A Ritz value never exceeds the largest eigenvalue.
 */
export async function lanczos(
  product: Product,
  n: number,
  random: Random,
  { tolerance = 1e-4, maxProducts = 60 }: { tolerance?: number; maxProducts?: number } = {},
): Promise<Extremes> {
  const basis: Float64Array[] = [unit(Float64Array.from({ length: n }, () => random.normal()))]
  const [diagonal, beside]: [number[], number[]] = [[], []]
  let before = NaN
  for (;;) {
    const last = basis.at(-1)!
    let next = await product(last)
    diagonal.push(dot(next, last))
    // Twice: rounding would bring found directions back as ghosts.
    for (let pass = 0; pass < 2; pass++) for (const q of basis) next = addScaled(next, q, -dot(next, q))
    const length = norm(next)
    const size = diagonal.length
    const { values, vectors } = tridiagonal(diagonal, beside)
    const settled = size > 3 && Math.abs(values[0]! - before) <= tolerance * Math.abs(values[0]!)
    before = values[0]!
    if (
      settled ||
      size >= Math.min(n, maxProducts) ||
      length <= 1e-12 * Math.max(maxOf(values.map(Math.abs)), 1e-300)
    ) {
      const vector = (k: number): Float64Array =>
        unit(basis.reduce((sum, q, i) => addScaled(sum, q, vectors[k]![i] ?? 0), new Float64Array(n)))
      return { values, vector, residual: length * Math.abs(vectors[0]!.at(-1)!), products: size }
    }
    beside.push(length)
    basis.push(unit(next))
  }
}

function tridiagonal(diagonal: readonly number[], beside: readonly number[]) {
  const n = diagonal.length
  const matrix = new Float64Array(n * n)
  diagonal.forEach((value, i) => (matrix[i * n + i] = value))
  beside.slice(0, n - 1).forEach((value, i) => {
    matrix[i * n + i + 1] = value
    matrix[(i + 1) * n + i] = value
  })
  return symmetricSpectrum(matrix, n)
}
