import { describe, expect, it } from 'vitest'
import { compareRecords, standings } from '../../src/analysis/standings.js'
import { weighPoints } from '../../src/analysis/compared.js'
import type { TrialRecord } from '../../src/core/trial.js'

function record(width: number, seed: number, loss: number, state: TrialRecord['state'] = 'finished'): TrialRecord {
  return {
    trial: {
      id: `${width}-${seed}-${loss}`,
      index: 0,
      experiment: 'toy',
      version: 1,
      stage: 'main',
      params: { width, kind: 'plain' },
      seeds: { data: seed, init: seed, shuffle: seed, corruption: seed },
      parents: [],
      cost: 1,
    },
    state,
    attempts: 1,
    metrics: { loss },
    artifacts: {},
    series: {},
  }
}

describe('standings', () => {
  const records = [record(1, 0, 3), record(1, 1, 5), record(2, 0, 2), record(2, 1, 4), record(3, 0, 0.1, 'stopped')]

  it('rank points by their mean over seeds, those stopped early behind', () => {
    const ranked = standings(records, { metric: 'loss', direction: 'minimize' })
    expect(ranked.map(({ params, mean, deviation }) => [params['width'], mean, deviation])).toEqual([
      [2, 3, Math.SQRT2],
      [1, 4, Math.SQRT2],
      [3, 0.1, 0],
    ])
    expect(standings(records, { metric: 'loss', direction: 'maximize' })[0]!.params['width']).toBe(1)
  })

  it('pass over trials without the metric', () => {
    expect(standings(records, { metric: 'accuracy', direction: 'maximize' })).toEqual([])
  })
})

describe('a comparison of two sweeps', () => {
  const seeds = [0, 1, 2, 3]
  const noise = [5, -3, 8, 1]
  const first = seeds.map((seed) => record(1, seed, 10 + noise[seed]!))

  it('pairs equal seeds, so that their own spread falls out', () => {
    const second = seeds.map((seed) => record(1, seed, 10.5 + noise[seed]!))
    const [point] = compareRecords(first, second, 'loss', ['width'])
    expect(point).toMatchObject({ point: { width: 1 }, pairs: 4, difference: 0.5 })
    expect(point!.interval![0]).toBeCloseTo(0.5, 12)
    expect(point!.interval![1]).toBeCloseTo(0.5, 12)
  })

  it('tells trials apart by the settings that they derive from', () => {
    const sweep = (shift: number): TrialRecord[] =>
      [1, 2].flatMap((width) => {
        const net = record(width, 0, 5)
        const trial = {
          ...net.trial,
          id: `probe-${width}`,
          stage: 'probe',
          params: { alpha: 1 },
          parents: [net.trial.id],
        }
        return [
          { ...net, metrics: {} },
          { ...net, trial, metrics: { loss: width + shift } },
        ]
      })
    const compared = compareRecords(sweep(0), sweep(0.5), 'loss', ['width', 'alpha'])
    expect(compared.map(({ point, first }) => [point, first])).toEqual([
      [{ width: 1, alpha: 1 }, [1]],
      [{ width: 2, alpha: 1 }, [2]],
    ])
  })

  it('shows of a point what the difference is of: the trials of the pairs alone', () => {
    const second = [...first, record(1, 8, 1000), record(1, 9, 2000)]
    const [point] = compareRecords(first, second, 'loss', ['width'])
    expect(point).toMatchObject({ pairs: 4, difference: 0, unpaired: 2 })
    expect(point!.second).toEqual(point!.first)
  })

  it('judges no point at which a trial came to NaN or an infinity, on either side', () => {
    const shifted = [0, 1, 2, 3].map((seed) => record(1, seed, 10 + seed))
    const with9 = (odd: number) => [...shifted, record(1, 9, odd)]
    expect(compareRecords(shifted, with9(NaN), 'loss', ['width'])[0]).toMatchObject({ pairs: 4, notFinite: 1 })
    for (const [a, b] of [
      [NaN, NaN],
      [Infinity, Infinity],
      [5, -Infinity],
      [NaN, 5],
    ] as const) {
      const [point] = compareRecords(with9(a), with9(b), 'loss', ['width'])
      expect(point!.interval).toBeUndefined()
      expect(point!.p).toBeUndefined()
    }
    expect(compareRecords(with9(1), with9(2), 'loss', ['width'])[0]!.interval).toBeDefined()
  })

  it('lists a point at which all trials of a sweep came to NaN, and judges nothing of it', () => {
    const odd = seeds.map((seed) => record(1, seed, NaN))
    for (const [a, b] of [
      [odd, first],
      [first, odd],
      [odd, odd],
    ] as const) {
      const compared = compareRecords(a, b, 'loss', ['width'])
      const notFinite = [a, b].filter((one) => one === odd).length * seeds.length
      expect(compared).toMatchObject([{ point: { width: 1 }, pairs: 0, difference: NaN, notFinite }])
      expect(weighPoints(compared)).toEqual([{ alone: 'inconclusive', verdict: 'inconclusive' }])
    }
  })

  it('takes the means where no seeds meet, and leaves out points of one sweep alone', () => {
    const second = [record(1, 9, 20), record(7, 0, 1)]
    const compared = compareRecords(first, second, 'loss', ['width'])
    expect(compared).toHaveLength(1)
    expect(compared[0]).toMatchObject({ pairs: 0, difference: 20 - 12.75 })
    expect(compared[0]!.interval).toBeUndefined()
  })
})
