import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { cnn } from '../../src/experiments/built-in/cnn.js'
import type { Claim, Experiment } from '../../src/experiments/experiment.js'
import { errSurface } from '../../src/experiments/built-in/err-surface.js'
import { pca } from '../../src/experiments/built-in/pca.js'
import { interpolate } from '../../src/experiments/built-in/interpolate.js'
import { simFunc } from '../../src/experiments/built-in/sim-func.js'
import { sharpness } from '../../src/experiments/built-in/sharpness.js'
import { shuffle } from '../../src/experiments/built-in/shuffle.js'
import { judge } from '../../src/sweeps/verdicts.js'
import type { Metrics, Params, TrialRecord } from '../../src/core/trial.js'
import { measured, net, noise } from '../helpers/claims.js'
import { finishedTrial } from '../helpers/figures.js'

/** A net, or in another stage what was measured of the net `parent`. */
function trial(id: string, params: Params, metrics: Metrics, of?: { stage: string; parent: string }): TrialRecord {
  const record = finishedTrial({ id, params, metrics })
  if (of === undefined) return record
  return { ...record, trial: { ...record.trial, stage: of.stage, parents: [of.parent] } }
}
const verdictOf = (experiment: Experiment, id: string, records: readonly TrialRecord[]) =>
  experiment.claims.find((claim) => claim.id === id)!.check(records)

describe('a check of a custom experiment', () => {
  const judged = (check: () => unknown) => {
    const claim = { id: 'mine', statement: 'it is so', published: 'nowhere', check } as unknown as Claim
    return judge([claim], [])[0]!
  }
  const raise = (what: unknown) => () => {
    throw what
  }

  it.each<[string, () => unknown]>([
    ...[3, null, undefined, 'reproduced', [], {}, { state: 'maybe', summary: 'x', seeds: 1 }, 1n].map(
      (given): [string, () => unknown] => [inspect(given), () => given],
    ),
    ['no summary', () => ({ state: 'reproduced', seeds: 1 })],
    ['a summary that is a number', () => ({ state: 'reproduced', summary: 3, seeds: 1 })],
    ['a promise', () => Promise.resolve({ state: 'reproduced', summary: 'x', seeds: 1 })],
    ['a promise that is broken', () => Promise.reject(new Error('late'))],
    ['an error', raise(new Error('no'))],
    ['null thrown', raise(null)],
    ['a text thrown', raise('no')],
  ])('that gives no verdict is inconclusive and says so: %s', (_, check) => {
    expect(judged(check)).toMatchObject({
      ...{ claim: 'mine', statement: 'it is so', state: 'inconclusive', seeds: 0 },
      summary: expect.stringMatching(/^the check could not be made: ./) as string,
    })
  })

  it('gives the parts of a verdict and nothing else, and no effect or interval that is none', () => {
    const verdict = { state: 'reproduced', summary: 'x', seeds: 2 } as const
    const whole = { ...verdict, effect: 0.5, interval: [0, 1] as const }
    const frame = { claim: 'mine', statement: 'it is so', published: 'nowhere', fragile: false, version: 1 }
    expect(judged(() => whole)).toEqual({ ...frame, ...whole })
    expect(judged(() => ({ ...verdict, effect: 'much', interval: [1], statement: 'another' }))).toEqual({
      ...frame,
      ...verdict,
    })
  })
})

describe('a claim of', () => {
  it.each([
    ['has no trend over 40 batch sizes', (i: number, seed: number) => (i * 17 + 5 * seed) % 40, 40, 'reproduced'],
    ['rises', (i: number) => i, 40, 'not reproduced'],
    ['has too few batch sizes to tell', (i: number, seed: number) => (i * 3 + seed) % 4, 4, 'inconclusive'],
  ] as const)('sharpness: a measure that %s is told as that', (_, sharpnessOf, count, state) => {
    const records = [0, 1, 2].flatMap((seed) =>
      Array.from({ length: count }, (__, i) => {
        const trained = net(seed, { batch: 50 * (i + 1), budget: 'epochs' }, {})
        const metrics = {
          batch: 50 * (i + 1),
          sharpness: sharpnessOf(i, seed),
          'budget/reached': 1,
          'train/accuracy': 1,
        }
        return [trained, measured('measure', [trained], { metric: 'block-frobenius', epsilon: 1e-4 }, metrics)]
      }).flat(),
    )
    expect(verdictOf(sharpness, 'original-measure-has-no-trend', records).state).toBe(state)
  })

  it('sharpness: a batch of all rows, over which nothing can spread, does not make larger batches spread less', () => {
    const nets = (largest: number): TrialRecord[] =>
      [0, 1, 2].flatMap((seed) =>
        [100, 200, 400, largest].flatMap((batch, i) => {
          const trained = net(seed, { batch, trainRows: 800, budget: 'epochs' }, {})
          const spread = batch === 800 ? 0 : 0.1 * (4 - i)
          const metrics = { batch, 'relative-spread': spread, 'budget/reached': 1, 'train/accuracy': 1 }
          const space = { metric: 'block-frobenius-spread', epsilon: 1e-4 }
          return [trained, measured('measure', [trained], space, metrics)]
        }),
      )
    const verdict = (largest: number) => verdictOf(sharpness, 'small-batch-hessian-less-accurate', nets(largest)).state
    expect(verdict(600)).toBe('reproduced')
    expect(verdict(800)).toBe('inconclusive')
  })

  it('cnn: a net ends at the median of its last epochs, whatever its last one is, and only after enough updates', () => {
    const trained = (structure: string, seed: number, end: number, updates: number): TrialRecord => {
      // A spike at the very end.
      const values = Array.from({ length: 500 }, (_, i) => (i === 499 ? 1 : i < 400 ? 0.5 : end))
      return finishedTrial({
        ...{ id: `${structure}${seed}`, seed },
        params: { structure, convActivation: 'linear', epochs: 500, trainRows: updates / 500, batch: 1 },
        series: { 'train/loss': { steps: values.map((_, i) => i + 1), values } },
      })
    }
    const lag = (c3: readonly number[], updates = 25_000) =>
      verdictOf(
        cnn,
        'c3-lags',
        c3.flatMap((end, seed) => [trained('c3', seed, end, updates), trained('c4', seed, 1e-8, updates)]),
      )
    expect(lag([2e-6, 4e-6, 3e-6])).toMatchObject({ state: 'reproduced', seeds: 3 })
    expect(lag([2e-6, 4e-6, 3e-6]).effect).toBeCloseTo(100 * Math.cbrt(24), 6)
    // 20, 105 and 400 times: a middle beyond the bound is not enough; nor are one seed, or two.
    expect(lag([2e-7, 1.05e-6, 4e-6]).state).toBe('inconclusive')
    expect(lag([2e-6]).state).toBe('inconclusive')
    expect(lag([2e-6, 4e-6]).state).toBe('inconclusive')
    expect(lag([2e-7, 1e-7, 3e-7]).state).toBe('not reproduced')
    expect(lag([1, 1.1, 0.9], 5000).state).toBe('inconclusive')
  })

  it('err-surface: a kink within the step of one net is no fault of the software, a bend that most nets have is', () => {
    const bends = (...bent: readonly number[]) =>
      verdictOf(
        errSurface,
        'eigenvector-curvature',
        bent.map((by, i) =>
          trial(
            `plane ${i}`,
            { plane: 'eigen' },
            { 'eigen/1': 2, 'eigen/second-difference': 2 * (1 + by) },
            { stage: 'surface', parent: `net ${i}` },
          ),
        ),
      ).state
    expect(bends(1e-9, 1e-3, -0.032)).toBe('reproduced')
    expect(bends(1e-9, 0.02, -0.032)).toBe('not reproduced')
    expect(bends(0.02)).toBe('not reproduced')
  })

  it('pca: 8 runs of 100 epochs with a snapshot every third are 272 rows, and no fewer', () => {
    const of = (rows: number) => [
      trial('net', { epochs: 100, snapshotEvery: 3 }, {}),
      trial('paths', {}, { rows, runs: 8 }, { stage: 'reduce', parent: 'net' }),
    ]
    expect(verdictOf(pca, 'every-snapshot', of(272)).state).toBe('reproduced')
    expect(verdictOf(pca, 'every-snapshot', of(271)).state).toBe('not reproduced')
  })

  it('cnn: two of 2000 held-out rows make no net the best, nor do four equal ones', () => {
    const ahead = (rows: number) =>
      verdictOf(
        cnn,
        'best-on-test',
        [0, 1, 2, 3].flatMap((seed) =>
          ['c1', 'c2', 'c3', 'c4'].map((structure) =>
            net(
              seed,
              { structure, convActivation: 'linear', epochs: 500, trainRows: 8000, batch: 40, testRows: 2000 },
              { 'test/accuracy': 0.97 + (structure === 'c4' ? rows / 2000 : 0) },
            ),
          ),
        ),
      ).state
    expect(ahead(0)).toBe('not reproduced')
    expect(ahead(2)).toBe('not reproduced')
    expect(ahead(8)).toBe('reproduced')
  })

  it('sim-func: m3 below m1 is not between m1 and m4', () => {
    const fitted = (m3: number) =>
      verdictOf(
        simFunc,
        'deep-beats-shallow-f1',
        [0, 1, 2, 3].flatMap((seed) =>
          Object.entries({ m1: 1e-4, m2: 2e-4, m3, m4: 0.1 }).map(([model, loss]) =>
            net(
              seed,
              { model, target: 'f1', activation: 'leaky', batch: 300, learningRate: 0.001, epochs: 500 },
              {},
              { 'train/loss': Array<number>(500).fill(loss * (1 + 0.1 * noise(seed, model))) },
            ),
          ),
        ),
      ).state
    expect(fitted(1e-3)).toBe('reproduced')
    expect(fitted(5e-5)).toBe('not reproduced')
    expect(fitted(0.5)).toBe('not reproduced')
  })

  it('interpolate: a small batch that is worse in two of three seeds, and .0005 better on average, is not better', () => {
    const records = [0.0035, -0.001, -0.001].flatMap((gain, seed) => {
      const nets = [100, 1000].map((batch) => net(seed, { batch, init: 'independent', testRows: 2000 }, {}))
      const metrics = { 'a/accuracy': 1, 'b/accuracy': 1, 'a/test-accuracy': 0.9 + gain, 'b/test-accuracy': 0.9 }
      return [...nets, measured('interpolate', nets, { path: 'linear' }, metrics)]
    })
    expect(verdictOf(interpolate, 'small-batch-better', records).state).toBe('inconclusive')
  })

  it('shuffle: 48,000 true labels and more are held to 0.97 as well, and a regularised net to nothing', () => {
    const of = (trainRows: number, dropout: number, accuracy: number) =>
      [0, 1, 2].map((seed) =>
        net(
          seed,
          { corruption: 'permute', share: 0, trainRows, dropout, testRows: 2000 },
          { 'test/accuracy': accuracy + 0.001 * noise(seed) },
        ),
      )
    const state = (id: string, ...given: Parameters<typeof of>) => verdictOf(shuffle, id, of(...given)).state
    expect(state('learns-true-labels', 2000, 0, 0.93)).toBe('reproduced')
    expect(state('learns-true-labels', 48_000, 0, 0.93)).toBe('reproduced')
    expect(state('learns-many-true-labels', 48_000, 0, 0.93)).toBe('not reproduced')
    expect(state('learns-many-true-labels', 48_000, 0, 0.98)).toBe('reproduced')
    expect(state('learns-many-true-labels', 2000, 0, 0.98)).toBe('inconclusive')
    expect(state('learns-true-labels', 2000, 0.5, 0.5)).toBe('inconclusive')
  })
})
