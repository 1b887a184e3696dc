import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { cnn } from '../../src/experiments/built-in/cnn.js'
import type { Claim, Experiment } from '../../src/experiments/experiment.js'
import { pca } from '../../src/experiments/built-in/pca.js'
import { sharpness } from '../../src/experiments/built-in/sharpness.js'
import { shuffle } from '../../src/experiments/built-in/shuffle.js'
import { judge } from '../../src/sweeps/verdicts.js'
import type { Metrics, Params, TrialRecord } from '../../src/core/trial.js'
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
    const frame = { claim: 'mine', statement: 'it is so', published: 'nowhere', fragile: false }
    expect(judged(() => whole)).toEqual({ ...frame, ...whole })
    expect(judged(() => ({ ...verdict, effect: 'much', interval: [1], statement: 'another' }))).toEqual({
      ...frame,
      ...verdict,
    })
  })
})

describe('a claim of', () => {
  it.each([
    ['has no trend over 40 batch sizes', (i: number) => (i * 17) % 40, 40, 'reproduced'],
    ['rises', (i: number) => i, 40, 'not reproduced'],
    ['has too few batch sizes to tell', (i: number) => (i * 3) % 4, 4, 'inconclusive'],
  ] as const)('sharpness: a measure that %s is told as that', (_, sharpnessOf, count, state) => {
    const records = Array.from({ length: count }, (__, i) => [
      trial(`net${i}`, { batch: 50 * (i + 1) }, {}),
      trial(
        `measure${i}`,
        { metric: 'block-frobenius', epsilon: 1e-4 },
        { batch: 50 * (i + 1), sharpness: sharpnessOf(i), 'budget/reached': 1 },
        { stage: 'measure', parent: `net${i}` },
      ),
    ]).flat()
    expect(verdictOf(sharpness, 'original-measure-has-no-trend', records).state).toBe(state)
  })

  it('cnn: a net ends at the median of its last epochs, whatever its last one is, and only after enough updates', () => {
    const net = (structure: string, seed: number, end: number, updates: number): TrialRecord => {
      // A spike at the very end.
      const values = Array.from({ length: 500 }, (_, i) => (i === 499 ? 1 : i < 400 ? 0.5 : end))
      return finishedTrial({
        ...{ id: `${structure}${seed}`, seed, metrics: { updates } },
        params: { structure, convActivation: 'linear', epochs: 500 },
        series: { 'train/loss': { steps: values.map((_, i) => i + 1), values } },
      })
    }
    const lag = (c3: readonly number[], updates = 25_000) =>
      verdictOf(
        cnn,
        'c3-lags',
        c3.flatMap((end, seed) => [net('c3', seed, end, updates), net('c4', seed, 1e-8, updates)]),
      )
    expect(lag([2e-6, 5e-8, 3e-6])).toMatchObject({ state: 'reproduced', seeds: 3 })
    expect(lag([2e-6, 5e-8, 3e-6]).effect).toBeCloseTo(200, 6)
    // Some seeds behind by enough, others ahead; the median short of it, a seed beyond; all of them short of it.
    expect(lag([2e-6, 1e-9, 3e-6]).state).toBe('inconclusive')
    expect(lag([9e-7, 5e-8, 3e-6]).state).toBe('inconclusive')
    expect(lag([2e-7, 1e-9, 9e-7]).state).toBe('not reproduced')
    expect(lag([1, 1, 1], 5000).state).toBe('inconclusive')
  })

  it('pca: 8 runs of 100 epochs with a snapshot every third are 272 rows, and no fewer', () => {
    const of = (rows: number) => [
      trial('net', { epochs: 100, snapshotEvery: 3 }, {}),
      trial('paths', {}, { rows, runs: 8 }, { stage: 'reduce', parent: 'net' }),
    ]
    expect(verdictOf(pca, 'every-snapshot', of(272)).state).toBe('reproduced')
    expect(verdictOf(pca, 'every-snapshot', of(271)).state).toBe('not reproduced')
  })

  it('shuffle: true labels are held to 0.97 from 48,000 rows on, and a regularised net to nothing', () => {
    const of = (trainRows: number, dropout: number, accuracy: number) => [
      trial('net', { corruption: 'permute', share: 0, trainRows, dropout }, { 'test/accuracy': accuracy }),
    ]
    const state = (...given: Parameters<typeof of>) => verdictOf(shuffle, 'learns-true-labels', of(...given)).state
    expect(state(2000, 0, 0.93)).toBe('reproduced')
    expect(state(48_000, 0, 0.93)).toBe('not reproduced')
    expect(state(48_000, 0, 0.98)).toBe('reproduced')
    expect(state(2000, 0.5, 0.5)).toBe('inconclusive')
  })
})
