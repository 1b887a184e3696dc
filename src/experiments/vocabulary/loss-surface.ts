import { denseHessian } from '../../engines/curvature.js'
import type { MeasurementOptions } from '../../engines/engine.js'
import type { TrialContext } from '../experiment.js'

/** The mean loss over some rows as a function of the weights, as the analyses take it. */
export type LossSurface = ReturnType<typeof lossSurface>

export const lossSurface = (
  options: MeasurementOptions,
  { engine, signal }: Pick<TrialContext, 'engine' | 'signal'>,
) => ({
  lossAt: async (at: ArrayLike<number>) => (await engine.evaluate(options, Float32Array.from(at), signal)).loss,
  slopeAt: async (at: ArrayLike<number>) => {
    const { loss, gradient } = await engine.gradient(options, Float32Array.from(at), signal)
    return { loss, gradient: Float64Array.from(gradient) }
  },
  /** Loss and gradient in float64, where the engine differentiates twice in it. */
  exactSlopeAt: (at: Float32Array | Float64Array) => engine.curvature(options, at, new Float64Array(at.length), signal),
  /** `[n × n]`. @throws SpaceError for a net of more than 500 parameters. */
  hessianAt: (at: Float32Array | Float64Array) => denseHessian(engine, options, at, signal),
  /** The Hessian times a vector. */
  hessianTimes: async (at: Float32Array, vector: Float64Array) =>
    (await engine.curvature(options, at, vector, signal)).product,
})
