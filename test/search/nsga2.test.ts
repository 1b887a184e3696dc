import { describe, expect, it } from 'vitest'
import { crowdingDistances, hypervolume } from '../../src/analysis/pareto.js'
import { fittest, type Individual } from '../../src/search/nsga2.js'
import { ended } from '../../src/search/results.js'
import { createPointSampler, type PointSamplerName } from '../../src/search/samplers.js'
import type { SearchAxis } from '../../src/search/space.js'
import { reference } from './reference.js'

interface Case {
  readonly losses: number[][]
  readonly survivors: number[]
  readonly front: number[][]
  readonly distances: (number | null)[]
}

const individual = (id: number, losses: readonly number[], rest: Partial<Individual['result']> = {}): Individual => ({
  point: { id },
  result: { class: ended.feasible, losses, violation: 0, step: 0, ...rest },
})
const idsOf = (all: readonly Individual[]): number[] => all.map(({ point }) => point['id']!)

describe('the survival of NSGA-II', () => {
  it.each(reference<Case[]>('survival').map((one) => [one.front[0]!.length, one] as const))(
    'of %i objectives is that of pymoo',
    (_, { losses, survivors, front, distances }) => {
      expect(
        idsOf(
          fittest(
            losses.map((loss, id) => individual(id, loss)),
            50,
          ),
        ),
      ).toEqual(survivors)
      const found = crowdingDistances(front)
      distances.forEach((distance, i) =>
        distance === null ? expect(found[i]).toBe(Infinity) : expect(found[i]! / distance).toBeCloseTo(1, 12),
      )
    },
  )

  it('prefers what is feasible, then what violates least, then what has values at all', () => {
    const all = [
      individual(0, [], { class: ended.failed }),
      individual(1, [0, 0], { class: ended.infeasible, violation: 2 }),
      individual(2, [9, 9]),
      individual(3, [1, 1], { class: ended.infeasible, violation: 1 }),
      individual(4, [5, 5], { class: ended.stopped, step: 3 }),
    ]
    expect([1, 2, 3, 4].map((count) => idsOf(fittest(all, count)))).toEqual([[2], [2, 4], [2, 3, 4], [1, 2, 3, 4]])
  })
})

describe('searches of several objectives', () => {
  // ZDT1 (Zitzler et al. 2000) of six axes, whose front is y = 1 − √x.
  const space: SearchAxis[] = Array.from({ length: 6 }, (_, k) => ({ name: `x${k}`, kind: 'float', low: 0, high: 1 }))
  const zdt1 = (point: Readonly<Record<string, number>>): [number, number] => {
    const [first, ...others] = Object.values(point)
    const g = 1 + (9 * others.reduce((sum, value) => sum + value, 0)) / others.length
    return [first!, g * (1 - Math.sqrt(first! / g))]
  }
  const volumeOf = (name: PointSamplerName, count: number): number => {
    const sampler = createPointSampler(name, space, { directions: ['minimize', 'minimize'], seed: 1 })
    const found: [number, number][] = []
    for (let index = 0; index < count; index++) {
      const { point } = sampler.suggest({ index, pending: [] })!
      found.push(zdt1(point))
      sampler.observe({ index, point, values: found.at(-1)! })
    }
    return hypervolume(found, [11, 11])
  }

  it('by nsga2, tpe and gp find more of the front than random points', () => {
    const random = volumeOf('random', 60)
    expect(volumeOf('gp', 60)).toBeGreaterThan(random + 1)
    expect(volumeOf('tpe', 200)).toBeGreaterThan(volumeOf('random', 200) + 1)
    expect(volumeOf('nsga2', 600)).toBeGreaterThan(volumeOf('random', 600) + 1)
  })
})

describe('the sampler auto', () => {
  const number: SearchAxis = { name: 'x', kind: 'float', low: 0, high: 1 }
  const choice: SearchAxis = { name: 'kind', kind: 'choice', choices: 2 }
  const conditional: SearchAxis = { name: 'y', kind: 'float', low: 0, high: 1, when: { axis: 'kind', among: [1] } }
  const ruleAfter = (space: SearchAxis[], objectives: number, count: number, violations?: number[]): string => {
    const sampler = createPointSampler('auto', space, {
      directions: new Array<'minimize'>(objectives).fill('minimize'),
      seed: 1,
    })
    for (let index = 0; index < count; index++) {
      const x = (index * 0.618034) % 1
      const point = Object.fromEntries(
        space.filter(({ name }) => name !== 'y').map(({ name, kind }) => [name, kind === 'choice' ? 0 : x]),
      )
      sampler.observe({
        index,
        point,
        values: Array.from({ length: objectives }, (_, k) => (x - 0.1 * k) ** 2),
        ...(violations && { violations }),
      })
    }
    return sampler.suggest({ index: count, pending: [] })!.rule
  }

  it.each([
    [[number], 1, 20, undefined, 'gp'],
    [[number], 1, 250, undefined, 'cma-es'],
    [[number], 1, 250, [-1], 'tpe'],
    [[number, choice], 1, 20, undefined, 'tpe'],
    [[number, choice, conditional], 2, 300, undefined, 'tpe'],
    [[number], 2, 20, undefined, 'gp'],
    [[number, choice], 2, 20, undefined, 'tpe'],
    [[number], 4, 20, undefined, 'tpe'],
    [[number, choice], 2, 250, undefined, 'nsga2'],
  ] as const)(
    'over %j of %i objectives after %i results, constraints %j, goes by %s',
    (space, objectives, count, violations, rule) => {
      expect(ruleAfter([...space], objectives, count, violations && [...violations])).toBe(rule)
    },
  )
})
