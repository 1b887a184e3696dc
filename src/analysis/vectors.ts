/** Arithmetic on flat vectors, such as the weights of a net; sums are kept in float64. */

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Euclidean norm, √Σaᵢ². */
export const norm = (a: ArrayLike<number>): number => Math.sqrt(dot(a, a))

/** a + factor · b. */
export function addScaled(a: ArrayLike<number>, b: ArrayLike<number>, factor: number): Float64Array {
  return Float64Array.from(a, (value, i) => value + factor * b[i]!)
}

/** a / ‖a‖; zeros stay zeros. */
export function unit(a: ArrayLike<number>): Float64Array {
  const length = norm(a)
  return Float64Array.from(a, (value) => (length === 0 ? 0 : value / length))
}
