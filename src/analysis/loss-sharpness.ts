import type { Random } from '../core/seed.js'
import { symmetricSpectrum } from './symmetric.js'
import { addScaled, dot, norm, unit } from './vectors.js'

/**
 * How sharply the loss rises around a point. Lᵋ is the largest loss found within the neighbourhood, the centre among
 * them, so none of the searched kinds is ever negative.
 */

/** Loss and gradient. */
export type SlopeAt = (parameters: Float64Array) => Promise<{ loss: number; gradient: Float64Array }>

/**
 * ½ λ ε² / (1 + L): with λ the largest eigenvalue of the Hessian, the rise within a ball of radius ε to second order (Dinh
 * et al. 2017); with the largest Frobenius norm of a diagonal block it is the original's (bonus.py).
 */
export function curvatureSharpness(lambda: number, epsilon: number, loss: number): number {
  return (lambda * epsilon ** 2) / 2 / (1 + loss)
}

/** (Lᵋ − L)/(1 + L) over `samples` points drawn uniformly on the sphere of radius ε; more of one stream never lower it. */
export async function ballSharpness(
  slopeAt: SlopeAt,
  centre: ArrayLike<number>,
  { epsilon, samples, random }: { epsilon: number; samples: number; random: Random },
): Promise<number> {
  const draw = (): Float64Array => unit(Float64Array.from(centre, () => random.normal()))
  return sampledRise(slopeAt, centre, epsilon, samples, draw)
}

/** Gauss's two points on [0, 1], of equal weight. */
const gaussPoints = [0.5 - Math.sqrt(1 / 12), 0.5 + Math.sqrt(1 / 12)]

/**
 * As in a ball, along directions that `draw` gives: filter-normalised ones make it blind to a layer's scale (Li et al. 2018).
 * A rise is the integral of the slope along its direction by Gauss's two points: as the difference of two losses in
 * float32 it would be rounding at a small ε (11 % of it at 10⁻⁵).
 */
export async function sampledRise(
  slopeAt: SlopeAt,
  centre: ArrayLike<number>,
  epsilon: number,
  samples: number,
  draw: () => Float64Array,
): Promise<number> {
  const { loss } = await slopeAt(Float64Array.from(centre))
  let highest = 0
  for (let i = 0; i < samples; i++) {
    const direction = draw()
    let rise = 0
    for (const share of gaussPoints)
      rise += (epsilon / 2) * dot((await slopeAt(addScaled(centre, direction, share * epsilon))).gradient, direction)
    highest = Math.max(highest, rise)
  }
  return highest / (1 + loss)
}

/**
 * 100 · (Lᵋ − L)/(1 + L) over the box θ + Az with |zᵢ| ≤ ε (|(A⁺θ)ᵢ| + 1) (Keskar et al. 2017). The columns of A are
 * `directions`, fewer than the weights and linearly independent; left out, A = I. The maximum is sought by projected
 * steps of sign-gradient ascent with a shrinking step, starting at a corner uphill, for `steps` (default 10)
 * evaluations: a lower bound, as is Keskar's own after ten iterations of L-BFGS-B (SciPy's finds no more on trained nets:
 * docs/experiments.md).
 */
export async function boxSharpness(
  slopeAt: SlopeAt,
  centre: ArrayLike<number>,
  { epsilon, steps = 10, directions }: { epsilon: number; steps?: number; directions?: readonly Float64Array[] },
): Promise<number> {
  const inBox = directions === undefined ? Float64Array.from(centre) : leastSquares(directions, centre)
  const half = inBox.map((value) => epsilon * (Math.abs(value) + 1))
  const slopeInBox = async (offset: Float64Array): Promise<{ loss: number; gradient: Float64Array }> => {
    if (directions === undefined) return slopeAt(addScaled(centre, offset, 1))
    const at = directions.reduce(
      (sum, direction, i) => addScaled(sum, direction, offset[i]!),
      Float64Array.from(centre),
    )
    const { loss, gradient } = await slopeAt(at)
    return { loss, gradient: Float64Array.from(directions, (direction) => dot(direction, gradient)) }
  }
  let offset = new Float64Array(half.length)
  const { loss, gradient: first } = await slopeInBox(offset)
  let [highest, gradient, share] = [loss, first, 1]
  for (let step = 0; step < steps && norm(gradient) > 0; step++) {
    const tried = offset.map((z, i) => {
      const moved = z + 2 * share * half[i]! * Math.sign(gradient[i]!)
      return Math.min(half[i]!, Math.max(-half[i]!, moved))
    })
    const there = await slopeInBox(tried)
    if (there.loss > highest) {
      highest = there.loss
      offset = tried
      gradient = there.gradient
    } else share /= 2
  }
  return (100 * (highest - loss)) / (1 + loss)
}

/** A⁺v = (AᵀA)⁻¹Aᵀv for a matrix of these columns, by the spectrum of AᵀA. */
function leastSquares(columns: readonly Float64Array[], v: ArrayLike<number>): Float64Array {
  const products = columns.flatMap((a) => columns.map((b) => dot(a, b)))
  const { values, vectors } = symmetricSpectrum(products, columns.length)
  const right = columns.map((column) => dot(column, v))
  return vectors.reduce(
    (sum, vector, k) => addScaled(sum, vector, dot(vector, right) / values[k]!),
    new Float64Array(columns.length),
  )
}
