import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { filterNormalised, randomDirection } from '../../../src/analysis/directions.js'
import { sampleFunction } from '../../../src/data/functions.js'
import { evenGrid, projected } from '../../../src/analysis/plane-grid.js'
import { errSurface, surfaceNet } from '../../../src/experiments/built-in/err-surface.js'
import { lossesOver } from '../../../src/experiments/built-in/err-surface/plane.js'
import { runSweep } from '../../../src/index.js'
import { CompiledEngine } from '../../../src/engines/compiled/compiled.js'
import { initialize } from '../../../src/net/net.js'
import { Random } from '../../../src/core/seed.js'
import { makePlan } from '../../../src/sweeps/plan.js'
import { temporaryFolder } from '../../helpers/cli.js'

const net = surfaceNet({ net: 'deep', activation: 'relu' })
const options = { net, loss: 'mean-squared-error', rows: sampleFunction('f2-tenth', 200, 0, 'train') } as const

/** The same function with the second layer's weights and bias larger by `factor`, the third's weights smaller. */
function rescaled(theta: Float32Array, factor: number): Float32Array {
  const scaled = theta.slice()
  const [, , kernel, bias, next] = net.parameters
  for (const [part, by] of [
    [kernel!, factor],
    [bias!, factor],
    [next!, 1 / factor],
  ] as const)
    for (let i = part.offset; i < part.offset + part.size; i++) scaled[i]! *= by
  return scaled
}

describe('the error surface', () => {
  it('has nets of 411 and 412 parameters', () => {
    expect(net.parameterCount).toBe(411)
    expect(surfaceNet({ net: 'shallow', activation: 'relu' }).parameterCount).toBe(412)
  })

  it.each([
    [-1, 1, 41],
    [-0.3, 1.9, 30],
    [0, 1.5, 41],
  ])('has grids that hold exactly 0: %d to %d by %d', (low, high, points) => {
    const grid = evenGrid(low, high, points)
    expect(grid).toHaveLength(points)
    expect(grid).toContain(0)
  })

  it('finds the coordinates of a point in a plane of oblique directions', () => {
    const [a, b] = [Float64Array.of(1, 2, 0), Float64Array.of(0, 1, 1)]
    expect(projected([2, 1, -3], [a, b])).toEqual([2, -3])
  })

  it('has the trained loss at its centre bit for bit, and keeps it when a ReLU layer is rescaled only if normalised', async () => {
    const engine = new CompiledEngine()
    const theta = initialize(net, 4)
    const scaled = rescaled(theta, 8)
    const grid = evenGrid(-1, 1, 5)
    const over = async (at: Float32Array, normalise: boolean): Promise<number[][]> => {
      const random = new Random(9)
      const direction = () => {
        const drawn = randomDirection(at.length, random)
        return normalise ? filterNormalised(drawn, at, net.parameters) : drawn
      }
      return await lossesOver(engine, options, at, [direction(), direction()], grid, grid)
    }
    const { loss } = await engine.evaluate(options, theta)
    const [normalised, normalisedScaled] = [await over(theta, true), await over(scaled, true)]
    const [raw, rawScaled] = [await over(theta, false), await over(scaled, false)]
    await engine.dispose()
    expect(normalised[2]![2]).toBe(loss)
    expect(raw[2]![2]).toBe(loss)
    normalised.flat().forEach((value, i) => {
      expect(Math.abs(normalisedScaled.flat()[i]! / value - 1)).toBeLessThan(0.01)
    })
    const changes = raw.flat().map((value, i) => Math.abs(rawScaled.flat()[i]! / value - 1))
    expect(Math.max(...changes)).toBeGreaterThan(0.5)
  })

  it('draws another plane or grid from the very same nets', () => {
    const plan = (axes: Record<string, (string | number)[]>) =>
      makePlan(errSurface, { experiment: 'err-surface', profile: 'full', axes, seeds: [0] }, () => 'data').trials
    const nets = (trials: ReturnType<typeof plan>) => trials.filter((t) => t.stage === 'main').map((t) => t.id)
    const [coarse, fine] = [plan({ plane: ['pca'], points: [11] }), plan({ plane: ['eigen', 'line'], points: [201] })]
    expect(nets(fine)).toEqual(nets(coarse))
    expect(fine.filter((t) => t.stage === 'surface')).toHaveLength(2 * nets(fine).length)
  })

  it('is drawn over the points trained on or over others, and its ends are those nets’ losses on them', async () => {
    const { sweep } = await runSweep(
      {
        experiment: errSurface,
        profile: 'smoke',
        axes: { rows: 100, epochs: 2, plane: 'line', points: 5, part: ['train', 'test'] },
      },
      { store: join(temporaryFolder(), 'store') },
    )
    const [trained, drawn] = sweep.records().filter(({ trial }) => trial.stage === 'surface')
    expect([trained!.metrics['ends/mismatch'], drawn!.metrics['ends/mismatch']]).toEqual([0, 0])
    expect(drawn!.metrics['end/loss']).not.toBe(trained!.metrics['end/loss'])
    expect(Object.keys(trained!.series)).toContain('train/loss')
    expect(Object.keys(drawn!.series)).toContain('test/loss')
  })
})
