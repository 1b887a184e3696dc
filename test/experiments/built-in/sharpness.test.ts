import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { epochsOf, isUsedUp, reached } from '../../../src/experiments/vocabulary/budget.js'
import { sharpness } from '../../../src/experiments/built-in/sharpness.js'
import { runSweep } from '../../../src/index.js'
import type { EpochResult } from '../../../src/engines/engine.js'
import { makePlan } from '../../../src/sweeps/plan.js'
import { temporaryFolder } from '../../helpers/cli.js'
import { measured, net } from '../../helpers/claims.js'
import { readSaved } from '../../helpers/figures.js'

describe('a budget of training', () => {
  const none = new Float32Array(0)
  const trained = (loss: number): EpochResult => ({
    loss,
    accuracy: 0,
    losses: none,
    correct: none,
    gradientNorms: none,
  })
  const base = { epochs: 10, updates: 70, targetLoss: 0.1, batch: 30, trainRows: 100 }

  it('of epochs ends with the last of them, whatever the loss', () => {
    const params = { ...base, budget: 'epochs' } as const
    expect([9, 10].map((epoch) => isUsedUp(params, epoch, trained(0)))).toEqual([false, true])
    expect(reached(params, trained(9))).toBe(true)
  })

  it('of updates is rounded up to whole passes, which count a partial last batch', () => {
    // Four updates a pass.
    const params = { ...base, budget: 'updates' } as const
    expect(epochsOf(params)).toBe(18)
    expect([17, 18].map((epoch) => isUsedUp(params, epoch, trained(0)))).toEqual([false, true])
    expect(epochsOf({ ...params, batch: 100 })).toBe(70)
  })

  it('of a loss ends when it is reached, or unreached after the epochs', () => {
    const params = { ...base, budget: 'loss' } as const
    expect(isUsedUp(params, 1, trained(0.1))).toBe(true)
    expect(isUsedUp(params, 9, trained(0.11))).toBe(false)
    expect(isUsedUp(params, 10, trained(0.11))).toBe(true)
    expect([0.1, 0.11].map((loss) => reached(params, trained(loss)))).toEqual([true, false])
  })
})

describe('the sharpness experiment', () => {
  it('as the original ran it: 40 batch sizes with dropout, measured with dropout', () => {
    const { trials } = makePlan(sharpness, { experiment: 'sharpness', profile: 'original', axes: {} }, () => 'data')
    const nets = trials.filter(({ stage }) => stage === 'main')
    expect(nets.map(({ params }) => params['batch'])).toEqual(Array.from({ length: 40 }, (_, i) => 50 * (i + 1)))
    expect(nets.every(({ params }) => params['dropout'] === true && params['epochs'] === 500)).toBe(true)
    const measures = trials.filter(({ stage }) => stage === 'measure')
    expect(measures.map(({ params }) => [params['metric'], params['epsilon'], params['measureWithDropout']])).toEqual(
      Array(40).fill(['block-frobenius', 1e-4, true]),
    )
  })

  it('trains for the updates asked for, and measures one net with dropout off and on, in the box and in a part of it', async () => {
    const small = { dataset: 'glyphs-2000', trainRows: 100, testRows: 20, batch: 50, rows: 20 }
    const { sweep } = await runSweep(
      {
        experiment: sharpness,
        profile: 'smoke',
        axes: {
          ...{ ...small, budget: 'updates', updates: 5, metric: 'keskar-box' },
          ...{ measureWithDropout: [false, true], subspace: [0, 3] },
        },
      },
      { store: join(temporaryFolder(), 'store') },
    )
    const [net, ...measured] = sweep.records()
    // Three passes of two updates.
    expect(net!.metrics).toMatchObject({ updates: 6, 'budget/reached': 1 })
    const of = (measureWithDropout: boolean, subspace: number) =>
      measured.find(
        ({ trial: { params } }) =>
          params['measureWithDropout'] === measureWithDropout && params['subspace'] === subspace,
      )!.metrics
    expect(measured).toHaveLength(4)
    expect(of(true, 0)['measured/loss']).not.toBe(of(false, 0)['measured/loss'])
    expect(of(true, 0)['measured/loss']).toBe(of(true, 3)['measured/loss'])
    expect(of(true, 0)['sharpness']).not.toBe(of(false, 0)['sharpness'])
    expect(of(false, 3)['sharpness']).toBeGreaterThan(0)
    expect(of(false, 3)['sharpness']).toBeLessThan(of(false, 0)['sharpness']!)
  })
})

describe('figures of nets that were trained under several budgets', () => {
  const records = (['epochs', 'loss'] as const).flatMap((budget) =>
    [20, 200].flatMap((batch) => {
      const trained = net(0, { batch, budget }, {})
      const told = { batch, 'budget/reached': 1, sharpness: batch / 1e6, 'train/loss': 0.1, 'test/loss': 0.2 }
      const metrics = { ...told, 'train/accuracy': 0.9, 'test/accuracy': 0.8 }
      return [trained, measured('measure', [trained], { metric: 'spectral', epsilon: 1e-3 }, metrics)]
    }),
  )

  it.each(['sharpness-spectral-against-batch', 'loss-and-sharpness-spectral', 'accuracy-and-sharpness-spectral'])(
    'say which budget they show: %s',
    async (name) => {
      const drawn = JSON.stringify(await sharpness.figures.find((one) => one.name === name)!.draw(records, readSaved))
      const budgets = ['equal epochs', 'equal training loss'].filter((words) => drawn.includes(words))
      expect(budgets).toHaveLength(name.endsWith('against-batch') ? 2 : 1)
    },
  )
})
