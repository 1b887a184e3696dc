import { dot } from './vectors.js'

/** An even grid of about these bounds that holds exactly 0, when 0 lies between them. */
export function evenGrid(low: number, high: number, points: number): number[] {
  const step = (high - low) / (points - 1)
  const zero = Math.round(-low / step)
  return Array.from({ length: points }, (_, i) => (low <= 0 && high >= 0 ? (i - zero) * step : low + i * step))
}

/** Coordinates in a plane whose directions need not be orthogonal: least squares. */
export function projected(offset: ArrayLike<number>, [a, b]: readonly [Float64Array, Float64Array]): [number, number] {
  const [aa, ab, bb, ao, bo] = [dot(a, a), dot(a, b), dot(b, b), dot(a, offset), dot(b, offset)]
  const determinant = aa * bb - ab * ab
  return [(bb * ao - ab * bo) / determinant, (aa * bo - ab * ao) / determinant]
}
