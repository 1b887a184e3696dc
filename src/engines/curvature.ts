import { mean, standardDeviation } from '../core/mean.js'
import { SpaceError } from '../core/errors.js'
import type { Random } from '../core/seed.js'
import type { Net } from '../net/net.js'
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

/** A block's Frobenius norm and, unless it was measured exactly, its standard error. */
export interface BlockNorm {
  readonly norm: number
  /** 0 of a block that was measured column by column. */
  readonly standardError: number
}

/** Each column takes one product. */
const defaultExactColumns = 300

interface BlockNormOptions {
  readonly probes: number
  /** Columns up to which a block is measured exactly. Default 300; one of no more than `probes` always is. */
  readonly exactColumns?: number
  readonly random: Random
  readonly signal?: AbortSignal
}

/**
 * Frobenius norm of the Hessian's diagonal block of each parameter tensor, by name (bonus.py takes the largest); see
 * `blockFrobeniusNorm`.
 */
export async function blockFrobeniusNorms(
  engine: Engine,
  options: EvaluationOptions,
  parameters: Float32Array | Float64Array,
  how: BlockNormOptions,
): Promise<Readonly<Record<string, BlockNorm>>> {
  const norms: Record<string, BlockNorm> = {}
  for (const tensor of options.net.parameters)
    norms[tensor.name] = await blockFrobeniusNorm(engine, options, parameters, tensor, how)
  return norms
}

/**
 * Frobenius norm of one parameter tensor's own block of the Hessian. With random signs v on the block alone,
 * E‖(Hv)_block‖² = ‖H_block‖²_F (Hutchinson 1990), so `probes` products (at least two) estimate a block of any size, with the
 * standard error of their mean; one of at most `exactColumns`, or of no more than `probes`, is measured exactly, column by column.
 */
export async function blockFrobeniusNorm(
  engine: Engine,
  options: EvaluationOptions,
  parameters: Float32Array | Float64Array,
  { offset, size }: Pick<Net['parameters'][number], 'offset' | 'size'>,
  { probes, exactColumns = defaultExactColumns, random, signal }: BlockNormOptions,
): Promise<BlockNorm> {
  const isExact = size <= Math.max(exactColumns, probes)
  const squares: number[] = []
  for (let k = 0; k < (isExact ? size : probes); k++) {
    const probe = new Float64Array(options.net.parameterCount)
    if (isExact) probe[offset + k] = 1
    else for (let i = offset; i < offset + size; i++) probe[i] = random.uniform() < 0.5 ? -1 : 1
    const { product } = await engine.curvature(options, parameters, probe, signal)
    squares.push(product.subarray(offset, offset + size).reduce((sum, value) => sum + value ** 2, 0))
  }
  return isExact ? { norm: Math.sqrt(sumOf(squares)), standardError: 0 } : estimated(squares)
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)

/** The root of a mean of squares, and its error to first order: that of the mean ÷ twice the root. */
function estimated(squares: readonly number[]): BlockNorm {
  const norm = Math.sqrt(mean(squares))
  return { norm, standardError: standardDeviation(squares) / Math.sqrt(squares.length) / (2 * norm) }
}
