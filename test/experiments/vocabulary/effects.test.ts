import { describe, expect, it } from 'vitest'
import { estimate } from '../../../src/analysis/intervals.js'
import { Random } from '../../../src/core/seed.js'
import type { Tested, VerdictState } from '../../../src/experiments/experiment.js'
import { minSeedsOf, stateOf, weigh, weighed, type Effect } from '../../../src/experiments/vocabulary/effects.js'
import { net } from '../../helpers/claims.js'

type Bound = Pick<Tested, 'above' | 'below'>

describe('the rule', () => {
  it.each<[string, readonly [number, number], Bound, VerdictState]>([
    ['wholly above, claimed above', [1.1, 2], { above: 1 }, 'reproduced'],
    ['wholly below, claimed above', [0.1, 0.9], { above: 1 }, 'not reproduced'],
    ['around it, claimed above', [0.9, 2], { above: 1 }, 'inconclusive'],
    ['from the bound on', [1, 2], { above: 1 }, 'inconclusive'],
    ['wholly below, claimed below', [0.1, 0.9], { below: 1 }, 'reproduced'],
    ['wholly above, claimed below', [1.1, 2], { below: 1 }, 'not reproduced'],
    ['around it, claimed below', [0.9, 2], { below: 1 }, 'inconclusive'],
    ['within two bounds', [-0.2, 0.3], { above: -0.5, below: 0.5 }, 'reproduced'],
    ['beyond the upper one', [0.6, 0.9], { above: -0.5, below: 0.5 }, 'not reproduced'],
    ['beyond the lower one', [-0.9, -0.6], { above: -0.5, below: 0.5 }, 'not reproduced'],
    ['around the upper one', [0.3, 0.9], { above: -0.5, below: 0.5 }, 'inconclusive'],
    ['around both', [-0.9, 0.9], { above: -0.5, below: 0.5 }, 'inconclusive'],
    // c3's lag, 20, 105 and 400 times: it was reproduced, since 105 is above 100 and 20 above 1.
    ['around the bound though its middle is beyond', [20, 400], { above: 100 }, 'inconclusive'],
  ])('holds an interval %s to be what it is', (_, interval, bound, state) => {
    expect(stateOf(interval, bound)).toBe(state)
  })

  const exchanged = { reproduced: 'not reproduced', 'not reproduced': 'reproduced', inconclusive: 'inconclusive' }

  it('gives the other verdict on the other claim: exchanging the sides exchanges the verdicts', () => {
    const random = new Random(1, 'sides')
    const seen = new Set<string>()
    for (let round = 0; round < 2000; round++) {
      const bound = random.normal()
      const values = Array.from({ length: 3 + random.below(10) }, () => 2 * random.normal() + random.normal())
      const state = stateOf(estimate(values, 'linear').interval, { above: bound })
      seen.add(state)
      expect(stateOf(estimate(values, 'linear').interval, { below: bound })).toBe(exchanged[state])
      // And so does turning the numbers about, or dividing the other way.
      const turned = estimate(
        values.map((value) => -value),
        'linear',
      )
      expect(stateOf(turned.interval, { above: -bound })).toBe(exchanged[state])
      const [ratios, reciprocals] = [values.map(Math.exp), values.map((value) => Math.exp(-value))]
      expect(stateOf(estimate(ratios, 'log').interval, { above: Math.exp(bound) })).toBe(state)
      expect(stateOf(estimate(reciprocals, 'log').interval, { above: Math.exp(-bound) })).toBe(exchanged[state])
    }
    expect(seen.size).toBe(3)
  })

  it('is wrong in at most 5 of 100 cases where the truth lies at the bound', () => {
    const random = new Random(2, 'null')
    const rounds = 4000
    for (const count of [3, 5, 8]) {
      let wrong = 0
      for (let round = 0; round < rounds; round++) {
        const { interval } = estimate(
          Array.from({ length: count }, () => 1 + random.normal()),
          'linear',
        )
        if (stateOf(interval, { above: 1 }) !== 'inconclusive') wrong++
      }
      expect(wrong / rounds).toBeLessThan(0.05 + 2 * Math.sqrt((0.05 * 0.95) / rounds))
    }
  })
})

describe('an effect', () => {
  const of = (values: readonly number[], more: Partial<Effect> = {}): Effect => ({
    ...{ quantity: 'a ratio', scale: 'log', above: 1, needs: 'both nets' },
    trials: () => values.map((value, seed) => net(seed, {}, { value })),
    of: ([record]) => record!.metrics['value']!,
    ...more,
  })

  it.each<[string, Effect, VerdictState, RegExp]>([
    ['of no seed', of([]), 'inconclusive', /^a ratio: no seed has both nets \(3 needed\)$/],
    ['of one seed, however large', of([1e9]), 'inconclusive', /1 seed has both nets \(3 needed\)/],
    ['of two', of([1e9, 2e9]), 'inconclusive', /2 seeds have both nets \(3 needed\)/],
    ['of three that agree', of([90, 100, 110]), 'reproduced', /^a ratio: 99\.7, 95 % interval 77\.7 to 128, 3 seeds$/],
    ['of three that do not', of([0.5, 10, 100]), 'inconclusive', /95 % interval/],
    ['of three that say the opposite', of([0.01, 0.011, 0.009]), 'not reproduced', /3 seeds$/],
    ['of seeds that gave the very same', of([7, 7, 7]), 'inconclusive', /3 seeds give the same number, 7/],
    ['that the scale cannot hold', of([7, 0, 8]), 'inconclusive', /no interval \(7, 0, 8\)/],
  ])('%s is told as that', (_, effect, state, summary) => {
    expect(weigh(effect, [])).toMatchObject({ state, summary: expect.stringMatching(summary) as string })
  })

  it('of several decides a claim together: all must hold, one can refute', () => {
    const [yes, no, open] = [of([90, 100, 110]), of([0.01, 0.011, 0.009]), of([1, 2, 0.5])]
    const state = (...effects: [Effect, ...Effect[]]) =>
      weighed({ id: 'x', statement: 'x', published: 'x', effects }).check([])
    expect(state(yes, yes).state).toBe('reproduced')
    expect(state(yes, open).state).toBe('inconclusive')
    expect(state(open, no, yes)).toMatchObject({ state: 'not reproduced', effect: weigh(no, []).effect })
    expect(state(yes, of([5])).seeds).toBe(1)
  })

  it('asks for as many seeds as can bear it out at the best: three, and of a share as many as its bound takes', () => {
    expect(minSeedsOf({ scale: 'log', above: 1 })).toBe(3)
    expect(minSeedsOf({ scale: 'rank', below: -0.3 })).toBe(3)
    expect(minSeedsOf({ scale: 'share', above: 0.5 })).toBe(6)
    expect(minSeedsOf({ scale: 'share', below: 0.5 })).toBe(6)
    expect(minSeedsOf({ scale: 'share', above: 0.9 })).toBe(36)
  })

  it('tells what planned trials lack: any at all, some of the settings, or seeds', () => {
    const nets =
      (...models: readonly string[]) =>
      (seeds: number) =>
        Array.from({ length: seeds }, (_, seed) => models.map((model) => net(seed, { model }, {}))).flat()
    const pair = weighed({
      ...{ id: 'x', statement: 'x', published: 'x' },
      effects: [
        of([], {
          trials: (records) => records.filter(({ trial }) => trial.params['model'] !== 'z'),
          settings: { what: 'nets', of: ({ trial }) => trial.params['model'], needed: ['a', 'b'] },
        }),
      ],
    })
    const lacks = (records: ReturnType<ReturnType<typeof nets>>) => pair.missing!(records)
    expect(lacks([])).toEqual(['it has no both nets'])
    expect(lacks(nets('z')(9))).toEqual(['it has no both nets'])
    expect(lacks(nets('a', 'c')(9))).toEqual(['a seed has 1 of 2 nets (it needs both nets)'])
    expect(lacks(nets('a', 'b')(1))).toEqual(['add 2 seeds'])
    expect(lacks(nets('a', 'b')(2))).toEqual(['add 1 seed'])
    expect(lacks([...nets('a', 'b')(2), ...nets('a')(9)])).toEqual(['add 1 seed'])
    expect(lacks(nets('b', 'a', 'z')(3))).toEqual([])
  })
})
