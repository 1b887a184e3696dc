import { SpaceError } from '../core/errors.js'
import type { Random } from '../core/seed.js'
import type { Engine, EvaluationOptions } from './engine.js'

/** Beyond it the matrix and its eigenvalues take minutes. */
export const denseHessianLimit = 500

/**
 * The whole Hessian of the mean loss, row by row `[n × n]`, a product with each unit vector in turn.
 * @throws SpaceError for a net of more than 500 parameters.
 */
export async function denseHessian(
  engine: Engine,
  options: EvaluationOptions,
  parameters: Float32Array | Float64Array,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const n = options.net.parameterCount
  if (n > denseHessianLimit)
    throw new SpaceError(`a dense Hessian of ${n} parameters (at most ${denseHessianLimit}; use products with vectors)`)
  const hessian = new Float64Array(n * n)
  const unit = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    unit[i] = 1
    hessian.set((await engine.curvature(options, parameters, unit, signal)).product, i * n)
    unit[i] = 0
  }
  return hessian
}

/**
 * Frobenius norm of the Hessian's diagonal block of each parameter tensor, by name (bonus.py takes the largest). With
 * random signs v on the block alone, E‖(Hv)_block‖² = ‖H_block‖²_F (Hutchinson 1990), so `probes` products estimate a
 * block of any size; one of at most `probes` columns is measured exactly, column by column.
 */
export async function blockFrobeniusNorms(
  engine: Engine,
  options: EvaluationOptions,
  parameters: Float32Array | Float64Array,
  { probes, random, signal }: { probes: number; random: Random; signal?: AbortSignal },
): Promise<Readonly<Record<string, number>>> {
  const norms: Record<string, number> = {}
  for (const { name, offset, size } of options.net.parameters) {
    const exact = size <= probes
    let sum = 0
    for (let k = 0; k < Math.min(probes, size); k++) {
      const probe = new Float64Array(options.net.parameterCount)
      if (exact) probe[offset + k] = 1
      else for (let i = offset; i < offset + size; i++) probe[i] = random.uniform() < 0.5 ? -1 : 1
      const { product } = await engine.curvature(options, parameters, probe, signal)
      for (let i = offset; i < offset + size; i++) sum += product[i]! ** 2
    }
    norms[name] = Math.sqrt(exact ? sum : sum / probes)
  }
  return norms
}
