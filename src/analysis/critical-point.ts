import { symmetricSpectrum } from './symmetric.js'
import { dot, norm } from './vectors.js'

/** A loss and its gradient at a point; the loss is infinite where there is none. */
export interface Slope {
  readonly loss: number
  readonly gradient: Float64Array
}

/**
 * Walks to where the gradient vanishes, by Gauss-Newton steps on ½‖∇L‖² damped as Levenberg and Marquardt have it:
 * (H² + μI) step = −H∇L, solved in the eigenvectors of H. A step is taken only if the norm falls; μ shrinks after one
 * taken and grows after one refused. Stops at `threshold`, after `steps`, or when no damping helps.
 */
export async function approachCriticalPoint(
  slopeAt: (point: Float64Array) => Promise<Slope>,
  hessianAt: (point: Float64Array) => Promise<Float64Array>,
  start: ArrayLike<number>,
  options: {
    readonly steps: number
    readonly threshold: number
    readonly onStep?: (step: number, slope: Slope) => Promise<void>
  },
): Promise<{ point: Float64Array; slope: Slope }> {
  let point = Float64Array.from(start)
  let slope = await slopeAt(point)
  let damping = 1e-3
  for (let step = 1; step <= options.steps && norm(slope.gradient) > options.threshold; step++) {
    const { values, vectors } = symmetricSpectrum(await hessianAt(point), point.length)
    const along = vectors.map((vector) => dot(vector, slope.gradient))
    let taken = false
    for (let trial = 0; trial < 12 && !taken; trial++) {
      const tried = point.slice()
      vectors.forEach((vector, k) => {
        const length = (-values[k]! * along[k]!) / (values[k]! ** 2 + damping)
        for (let i = 0; i < tried.length; i++) tried[i]! += length * vector[i]!
      })
      const there = await slopeAt(tried)
      taken = norm(there.gradient) < norm(slope.gradient)
      damping = taken ? Math.max(damping / 4, 1e-14) : damping * 5
      if (taken) [point, slope] = [tried, there]
    }
    if (!taken) break
    await options.onStep?.(step, slope)
  }
  return { point, slope }
}
