import { filterNormalised, randomDirection } from '../../../analysis/directions.js'
import { principalComponents } from '../../../analysis/principal-components.js'
import { evenGrid, projected } from '../../../analysis/plane-grid.js'
import { symmetricSpectrum } from '../../../analysis/symmetric.js'
import { addScaled, norm, unit } from '../../../analysis/vectors.js'
import { SpaceError } from '../../../core/errors.js'
import { maxOf, minOf } from '../../../core/extremes.js'
import { Random } from '../../../core/seed.js'
import type { Metrics } from '../../../core/trial.js'
import type { Engine, EvaluationOptions } from '../../../engines/engine.js'
import type { Surface } from '../../../figures/surface.js'
import type { TrialContext } from '../../experiment.js'
import { lossSurface } from '../../vocabulary/loss-surface.js'
import type { Ground, SurfaceParams } from './ground.js'

export const surfaceName = 'surface.json'

/** The loss over a plane through the trained net, with the path of training projected onto it. */
export async function drawPlane(ground: Ground, params: SurfaceParams, context: TrialContext): Promise<Metrics> {
  const { engine, options, trajectory, theta, signal } = ground
  const { basis, reach, axes, metrics } = await planeOf(ground, params)
  const path = trajectory.map((weights) => projected(addScaled(weights, theta, -1), basis))
  const [xs, ys] = ([0, 1] as const).map((k) => evenGrid(...reach(path.map((at) => at[k])), params.points)) as [
    number[],
    number[],
  ]
  const losses = await lossesOver(engine, options, theta, basis, xs, ys, signal)
  const centre = await engine.evaluate(options, theta, signal)
  const drawn: Surface = {
    x: xs,
    y: ys,
    loss: losses.map((row) => row.map((value) => (Number.isFinite(value) ? value : null))),
    path: path.map(([x, y]) => ({ x, y })),
    axes,
  }
  await context.save(surfaceName, Buffer.from(JSON.stringify(drawn)))
  const finite = losses.flat().filter((value) => Number.isFinite(value))
  return {
    ...metrics,
    'centre/loss': centre.loss,
    'centre/mismatch': Math.abs(losses[ys.indexOf(0)]![xs.indexOf(0)]! - centre.loss),
    'surface/least': minOf(finite),
    'surface/greatest': maxOf(finite),
    'surface/not-finite': losses.flat().length - finite.length,
    'path/end': norm(path.at(-1)!),
  }
}

/** The loss at θ + x·d₁ + y·d₂, `[y][x]`; where x and y are 0, bit-equal to the evaluation of θ. */
export async function lossesOver(
  engine: Engine,
  options: EvaluationOptions,
  theta: Float32Array,
  basis: readonly [Float64Array, Float64Array],
  xs: readonly number[],
  ys: readonly number[],
  signal?: AbortSignal,
): Promise<number[][]> {
  const vectors = [theta, Float32Array.from(basis[0]), Float32Array.from(basis[1])]
  const points = ys.flatMap((y) => xs.map((x) => [1, x, y]))
  const all = await engine.evaluateCombinations(options, vectors, points, signal)
  return ys.map((_, j) => xs.map((_, i) => all[j * xs.length + i]!.loss))
}

interface Plane {
  /** Two directions from the end. */
  readonly basis: readonly [Float64Array, Float64Array]
  /** From where to where an axis goes, given the path's coordinates along it. */
  readonly reach: (path: readonly number[]) => [number, number]
  readonly axes: readonly [string, string]
  readonly metrics: Metrics
}

async function planeOf(ground: Ground, { plane, extent, directionSeed }: SurfaceParams): Promise<Plane> {
  const { options, trajectory, theta } = ground
  const symmetric = (): [number, number] => [-extent, extent]
  const random = new Random(directionSeed, 'err-surface')
  const drawn = (): Float64Array => randomDirection(theta.length, random)
  switch (plane) {
    case 'random-filter-normalised': {
      const direction = (): Float64Array => filterNormalised(drawn(), theta, options.net.parameters)
      const axes = ['filter-normalised direction 1', 'filter-normalised direction 2'] as const
      return { basis: [direction(), direction()], reach: symmetric, axes, metrics: {} }
    }
    case 'random-raw': {
      // As long as all weights together, so that one extent serves both kinds.
      const direction = (): Float64Array => unit(drawn()).map((value) => value * norm(theta))
      return {
        basis: [direction(), direction()],
        reach: symmetric,
        axes: ['random direction 1', 'random direction 2'],
        metrics: {},
      }
    }
    case 'pca': {
      const { components, explained } = principalComponents(trajectory, { centre: theta })
      const [first, second] = [components[0]!, components[1] ?? unit(drawn())]
      const reach = (path: readonly number[]): [number, number] => {
        const [low, high] = [minOf(path), maxOf(path)]
        const margin = 0.2 * extent * (high - low || 1)
        return [low - margin, high + margin]
      }
      return {
        basis: [first, second],
        reach,
        axes: ['component 1 of the path', 'component 2 of the path'],
        metrics: { 'explained/2': explained.reduce((sum, share) => sum + share, 0) },
      }
    }
    case 'eigen':
      return await eigenPlane(ground, extent)
    case 'line':
    case 'neighbours':
      throw new SpaceError(`not a plane: ${plane}`)
  }
}

/** How far an eigenvector's second difference steps to either side: far above float64's rounding, short of most kinks. */
const differenceStep = 1e-4

async function eigenPlane(ground: Ground, extent: number): Promise<Plane> {
  const { theta } = ground
  const { exactSlopeAt, hessianAt } = lossSurface(ground.options, ground)
  const { values, vectors } = symmetricSpectrum(await hessianAt(theta), theta.length)
  const lossAt = async (step: number) => (await exactSlopeAt(addScaled(theta, vectors[0]!, step))).loss
  const [below, centre, above] = [await lossAt(-differenceStep), await lossAt(0), await lossAt(differenceStep)]
  // To where the quadratic part alone would reach ten times the loss at the end.
  const reach = extent * Math.sqrt((20 * Math.max(centre, 1e-12)) / Math.max(values[0]!, 1e-12))
  return {
    basis: [vectors[0]!, vectors[1]!],
    reach: () => [-reach, reach],
    axes: ['eigenvector of the largest eigenvalue', 'eigenvector of the second'],
    metrics: {
      'eigen/1': values[0]!,
      'eigen/2': values[1]!,
      'eigen/second-difference': (above - 2 * centre + below) / differenceStep ** 2,
    },
  }
}
