import { choice, integer, number, type ParamsOf } from '../../../core/space.js'
import type { Engine, EvaluationOptions } from '../../../engines/engine.js'
import * as axes from '../../vocabulary/axes.js'

/** What is drawn of the loss around a trained net, and what it is drawn from. */

export const planes = ['line', 'random-filter-normalised', 'random-raw', 'pca', 'eigen', 'neighbours'] as const
export const surfaceSpace = {
  plane: choice({
    choices: planes,
    default: 'random-filter-normalised',
    doc: 'from start to end; two random directions, each filter scaled to its weights or as drawn; the path’s principal components; the Hessian’s two largest eigenvectors; or the original’s Gaussian neighbours of the last steps',
  }),
  extent: number({ above: 0, max: 1e6, default: 1, doc: 'how far from the end, in the plane’s own unit' }),
  points: axes.count(1001, 41, 'grid points along each axis', { min: 3, unit: 'points' }),
  rows: axes.points(2000, 1, 'points the loss is taken over, at most'),
  part: choice({
    choices: ['train', 'test'],
    default: 'train',
    doc: 'which points: trained on, or as many drawn anew',
  }),
  directionSeed: integer({ min: 0, max: 1_000_000, default: 0, doc: 'draws the random directions or neighbours' }),
  std: number({ above: 0, max: 1e6, default: 1e-4, doc: 'standard deviation of the neighbours' }),
  samples: axes.count(100_000, 200, 'neighbours of each step'),
}
export type SurfaceParams = ParamsOf<typeof surfaceSpace>

/** Everything that was stored of a training, and the loss to take. */
export interface Ground {
  readonly engine: Engine
  readonly options: EvaluationOptions
  readonly trajectory: readonly Float32Array[]
  readonly theta: Float32Array
  readonly signal: AbortSignal
}
