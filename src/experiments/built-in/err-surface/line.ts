import { evenGrid } from '../../../analysis/plane-grid.js'
import { maxOf } from '../../../core/extremes.js'
import type { Metrics } from '../../../core/trial.js'
import type { TrialContext } from '../../experiment.js'
import type { Ground, SurfaceParams } from './ground.js'

/** Farther than the end, as Goodfellow et al. 2015 go. */
const lineEnd = 1.5

/** The loss on the straight line from the initial weights to the trained ones, and beyond. */
export async function drawLine(
  ground: Ground,
  { points, part }: SurfaceParams,
  context: TrialContext,
): Promise<Metrics> {
  const { engine, options, trajectory, theta, signal } = ground
  const alphas = [...new Set([...evenGrid(0, lineEnd, points), 1])].sort((a, b) => a - b)
  const start = trajectory[0]!
  const along = await engine.evaluateCombinations(
    options,
    [start, theta],
    alphas.map((alpha) => [1 - alpha, alpha]),
    signal,
  )
  for (const [i, alpha] of alphas.entries()) await context.report(i, { alpha, [`${part}/loss`]: along[i]!.loss })
  const [first, last] = [await engine.evaluate(options, start, signal), await engine.evaluate(options, theta, signal)]
  const end = alphas.indexOf(1)
  const until = along.slice(0, end + 1).map((point) => point.loss)
  return {
    'start/loss': first.loss,
    'end/loss': last.loss,
    // 0 means equal to the last bit.
    'ends/mismatch': Math.abs(along[0]!.loss - first.loss) + Math.abs(along[end]!.loss - last.loss),
    'line/greatest-rise': Math.max(0, maxOf(until.slice(1).map((value, i) => value - until[i]!))),
  }
}
