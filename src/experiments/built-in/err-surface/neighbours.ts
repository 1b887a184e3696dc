import { principalComponents } from '../../../analysis/principal-components.js'
import { Random } from '../../../core/seed.js'
import type { Metrics } from '../../../core/trial.js'
import type { CloudPoint } from '../../../figures/cloud.js'
import type { TrialContext } from '../../experiment.js'
import type { Ground, SurfaceParams } from './ground.js'

export const cloudName = 'cloud.json'

/** The original's picture: Gaussian neighbours of the last steps, in their principal components. */
export async function drawNeighbours(
  { engine, options, trajectory, theta, signal }: Ground,
  { std, samples, directionSeed }: SurfaceParams,
  fineSteps: number,
  context: TrialContext,
): Promise<Metrics> {
  const random = new Random(directionSeed, 'neighbours')
  const steps = trajectory.slice(-Math.max(1, fineSteps))
  const points: { weights: Float32Array; kind: CloudPoint['kind'] }[] = []
  for (const weights of steps) {
    points.push({ weights, kind: 'step' })
    for (let i = 0; i < samples; i++)
      points.push({ weights: weights.map((value) => value + std * random.normal()), kind: 'neighbour' })
  }
  const { coordinates } = principalComponents(
    points.map(({ weights }) => weights),
    { centre: theta },
  )
  const drawn: CloudPoint[] = []
  let higher = 0
  let atStep = NaN
  for (const [i, { weights, kind }] of points.entries()) {
    const { loss: value } = await engine.evaluate(options, weights, signal)
    if (kind === 'step') atStep = value
    else if (value > atStep) higher++
    drawn.push({ x: coordinates[i]![0] ?? 0, y: coordinates[i]![1] ?? 0, loss: value, kind })
  }
  await context.save(cloudName, Buffer.from(JSON.stringify(drawn)))
  return { 'neighbours/higher-share': higher / (steps.length * samples), steps: steps.length }
}
