import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeBest } from '../../src/core/describe-best.js'
import { violationOf } from '../../src/core/objective.js'
import { Ranking, type Ranked } from '../../src/core/ranking.js'
import type { Metrics, Objective, Trial } from '../../src/core/trial.js'

const trialOf = (index: number, x: number, seed = 0, stage = 'main', parents: string[] = []): Trial => ({
  ...{ id: String(index), index, experiment: 'toy', version: 1, stage, params: { x }, parents, cost: 1 },
  seeds: { data: seed, init: seed, shuffle: seed, corruption: seed },
})
const ended = (index: number, x: number, metrics: Metrics, state: Ranked['state'] = 'finished'): Ranked => ({
  ...{ trial: trialOf(index, x, index), state, metrics },
})
const both: Objective = {
  ...{ metric: 'loss', direction: 'minimize' },
  also: [{ metric: 'accuracy', direction: 'maximize' }],
}
const bounded: Objective = { ...both, constraints: [{ metric: 'memoryMb', max: 500 }] }
const ranked = (objective: Objective, all: readonly Ranked[]): Ranking => {
  const ranking = new Ranking(objective)
  for (const one of all) ranking.add(one)
  return ranking
}
const said = (objective: Objective, ...all: Ranked[]): string => describeBest(ranked(objective, all), objective, ['x'])

describe('a front', () => {
  it('holds exactly the points that none beats in all objectives, whatever comes when', () => {
    const value = fc.integer({ min: 0, max: 5 })
    const point = fc.record({ loss: value, accuracy: value })
    fc.assert(
      fc.property(fc.array(point, { minLength: 1, maxLength: 30 }), fc.infiniteStream(fc.nat()), (points, chance) => {
        const all = points.map((metrics, x) => ended(x, x, metrics))
        const shuffled = all
          .map((one) => ({ one, at: Number(chance.next().value) }))
          .sort((a, b) => a.at - b.at)
          .map(({ one }) => one)
        const isBeaten = (a: (typeof points)[number]): boolean =>
          points.some(
            (b) => b.loss <= a.loss && b.accuracy >= a.accuracy && (b.loss < a.loss || b.accuracy > a.accuracy),
          )
        const front = ranked(both, shuffled).front()
        const expected = points.flatMap((one, x) => (isBeaten(one) ? [] : [x]))
        expect(front.map(({ params }) => params['x']).sort((a, b) => Number(a) - Number(b))).toEqual(expected)
        expect(ranked(both, shuffled).all()).toEqual(ranked(both, all).all())
        expect(ranked(both, all).best()).toBeUndefined()
      }),
    )
  })

  it('goes by means over seeds, and by what ran to its end and keeps the constraints before anything else', () => {
    const ranking = ranked(bounded, [
      ended(0, 1, { loss: 1, accuracy: 0.5, memoryMb: 400 }),
      ended(1, 1, { loss: 3, accuracy: 0.7, memoryMb: 500 }),
      ended(2, 2, { loss: 0, accuracy: 1, memoryMb: 501 }),
      ended(3, 3, { loss: 0, accuracy: 1, memoryMb: 1 }, 'stopped'),
      ended(4, 4, { loss: 0, accuracy: 1, memoryMb: 1 }),
      ended(5, 4, { loss: NaN }, 'diverged'),
      ended(6, 5, { loss: 5, accuracy: 0.9, memoryMb: 0 }),
      ended(7, 6, { loss: 0, accuracy: 1 }),
      ended(8, 7, { loss: 0 }),
    ])
    expect(ranking.front().map(({ params, means }) => [params['x'], means])).toEqual([
      [1, [2, 0.6]],
      [5, [5, 0.9]],
    ])
    expect(ranking.all().map(({ params }) => params['x'])).toEqual([1, 5, 3, 4, 2, 6])
  })

  it('joins what one setting came to in several stages', () => {
    const later: Ranked = {
      trial: { ...trialOf(2, 9, 0, 'later', ['0']), params: { angle: 1 } },
      state: 'finished',
      metrics: { accuracy: 0.5 },
    }
    const ranking = ranked(both, [ended(0, 1, { loss: 1 }), ended(1, 2, { loss: 0 }), later])
    expect(ranking.front().map(({ params, means }) => [params, means])).toEqual([[{ x: 1 }, [1, 0.5]]])
  })

  it('is told in a line, and why there is none', () => {
    const good = ended(0, 1, { loss: 1, accuracy: 0.5, memoryMb: 400 })
    const other = ended(1, 2, { loss: 2, accuracy: 0.75, memoryMb: 12 })
    const big = ended(2, 3, { loss: 2, accuracy: 0.75, memoryMb: 612 })
    expect(said(both)).toBe('front so far: none yet')
    expect(said(both, good)).toBe('front of one point: x=1, loss 1, accuracy 0.5')
    expect(said(both, good, other)).toBe('front of 2 points: loss 1 to 2, accuracy 0.5 to 0.75')
    expect(said(bounded, good, other, big)).toBe(
      'front of 2 points: loss 1 to 2, accuracy 0.5 to 0.75 (1 of 3 points not within memoryMb at most 500)',
    )
    expect(said(bounded, big)).toBe(
      'front so far: none: no point keeps memoryMb at most 500; the nearest has memoryMb 612',
    )
    expect(said(both, ended(0, 1, { loss: NaN }, 'diverged'))).toBe('front so far: none: the only trial diverged')
    expect(said(both, ended(0, 1, { loss: 1 }))).toBe(
      'front so far: none: no point has a finite value of each of loss, accuracy',
    )
  })
})

describe('a constraint of one objective', () => {
  const one: Objective = { metric: 'loss', direction: 'minimize', constraints: [{ metric: 'memoryMb', max: 500 }] }

  it('makes the best the best of those that keep it', () => {
    const all = [ended(0, 1, { loss: 0, memoryMb: 900 }), ended(1, 2, { loss: 4, memoryMb: 500 })]
    expect(said(one, ...all)).toBe('best, of one seed: x=2, loss 4 (memoryMb 500)')
    expect(said(one, all[0]!)).toBe(
      'best so far: none: no point keeps memoryMb at most 500; the nearest has memoryMb 900',
    )
    expect(said(one, ended(0, 1, { loss: 0 }))).toBe(
      'best so far: none: no point keeps memoryMb at most 500; the nearest has no memoryMb',
    )
  })

  it('is broken by as much as a value is beyond its bound, in units of that', () => {
    expect(violationOf({ metric: 'm', max: 500 }, 750)).toBe(0.5)
    expect(violationOf({ metric: 'm', max: 500 }, 500)).toBe(0)
    expect(violationOf({ metric: 'm', min: 0.5, max: 1 }, 0.25)).toBe(0.5)
    expect(violationOf({ metric: 'm', max: 0 }, 2)).toBe(2)
    expect(violationOf({ metric: 'm', max: -4 }, -3)).toBe(0.25)
    expect(violationOf({ metric: 'm', max: 1 }, NaN)).toBeNaN()
  })
})
