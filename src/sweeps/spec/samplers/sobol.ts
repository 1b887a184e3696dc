import { SpaceError } from '../../../core/errors.js'
import { Random } from '../../../core/seed.js'

/**
 * Primitive polynomials and initial direction numbers of dimensions 2 to 20 (Joe and Kuo 2008, new-joe-kuo-6.21201):
 * degree, coefficients, m₁ … m_degree.
 */
const joeKuo: readonly (readonly [number, number, readonly number[]])[] = [
  [1, 0, [1]],
  [2, 1, [1, 3]],
  [3, 1, [1, 3, 1]],
  [3, 2, [1, 1, 1]],
  [4, 1, [1, 1, 3, 3]],
  [4, 4, [1, 3, 5, 13]],
  [5, 2, [1, 1, 5, 5, 17]],
  [5, 4, [1, 1, 5, 5, 5]],
  [5, 7, [1, 1, 7, 11, 19]],
  [5, 11, [1, 1, 5, 1, 1]],
  [5, 13, [1, 1, 1, 3, 11]],
  [5, 14, [1, 3, 5, 5, 31]],
  [6, 1, [1, 3, 3, 9, 7, 49]],
  [6, 13, [1, 1, 1, 15, 21, 21]],
  [6, 16, [1, 3, 1, 13, 27, 49]],
  [6, 19, [1, 1, 1, 15, 7, 5]],
  [6, 22, [1, 3, 1, 15, 13, 25]],
  [6, 25, [1, 1, 5, 5, 19, 61]],
  [7, 1, [1, 3, 7, 11, 23, 15, 103]],
]
const bits = 30

/**
 * Sobol' points (1967) by Gray code (Antonov and Saleev 1979), moved as a whole by a random shift of the seed
 * (Cranley and Patterson 1976); seed 0 leaves them where they are.
 * @throws SpaceError beyond 20 dimensions.
 */
export function sobol(count: number, dimensions: number, seed: number): number[][] {
  if (dimensions > joeKuo.length + 1)
    throw new SpaceError(`sobol: ${dimensions} axes (at most ${joeKuo.length + 1}; use latin-hypercube)`)
  const random = new Random(seed, 'sobol')
  const shift = Array.from({ length: dimensions }, () => (seed === 0 ? 0 : random.uniform()))
  const directions = Array.from({ length: dimensions }, (_, k) => directionNumbers(k))
  const state = new Array<number>(dimensions).fill(0)
  return Array.from({ length: count }, (_, i) => {
    if (i > 0) {
      const changing = trailingZeros(i)
      for (let k = 0; k < dimensions; k++) state[k]! ^= directions[k]![changing]!
    }
    return state.map((value, k) => (value / 2 ** bits + shift[k]!) % 1)
  })
}

function directionNumbers(dimension: number): number[] {
  if (dimension === 0) return Array.from({ length: bits }, (_, i) => 2 ** (bits - 1 - i))
  const [degree, coefficients, initial] = joeKuo[dimension - 1]!
  const v: number[] = []
  for (let i = 0; i < bits; i++) {
    if (i < degree) v.push(initial[i]! * 2 ** (bits - 1 - i))
    else {
      let value = v[i - degree]! ^ (v[i - degree]! >>> degree)
      for (let k = 1; k < degree; k++) if ((coefficients >> (degree - 1 - k)) & 1) value ^= v[i - k]!
      v.push(value)
    }
  }
  return v
}

/** Of i ≥ 1: which direction the i-th Gray code changes. */
function trailingZeros(i: number): number {
  return 31 - Math.clz32(i & -i)
}
