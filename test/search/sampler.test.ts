import { describe, expect, it } from 'vitest'
import { contentHash } from '../../src/core/seed.js'
import {
  createPointSampler,
  pointSamplers,
  samplerVersionOf,
  type PointSamplerName,
} from '../../src/search/samplers.js'
import { buildPoint, countPoints, nearestValue, pointKey, type SearchAxis } from '../../src/search/space.js'
import type { SearchPoint } from '../../src/search/space.js'
import { objective, search, spaces } from './searches.js'

const names = Object.keys(pointSamplers) as PointSamplerName[]

/** What the space says a point is, found without the code that makes points. */
function isOf(space: readonly SearchAxis[], point: SearchPoint): boolean {
  const own = Object.keys(point)
  const right = space.filter(({ when }) => when === undefined || when.among.includes(point[when.axis] ?? -1))
  if (own.join() !== right.map(({ name }) => name).join()) return false
  return right.every((axis) => {
    const value = point[axis.name]!
    if (axis.kind === 'choice') return Number.isInteger(value) && value >= 0 && value < axis.choices
    if (!(value >= axis.low && value <= axis.high)) return false
    if (axis.kind === 'int') return Number.isInteger((value - axis.low) / (axis.step ?? 1))
    const steps = (value - axis.low) / (axis.step ?? 1e-300)
    return axis.step === undefined || Math.abs(steps - Math.round(steps)) < 1e-9
  })
}

describe.each(names)('the sampler %s', (name) => {
  describe.each(Object.entries(spaces))('in a space of %s', (_, space) => {
    it.each([1, 2])(
      'with %s objectives suggests points of the space, none twice, until there are no more',
      (objectives) => {
        if (name === 'cma-es' && objectives > 1)
          return expect(() => search(name, space, { count: 1, lag: 1, objectives })).toThrow('cma-es: 2 objectives')
        for (const lag of [1, 5]) {
          const found = search(name, space, { count: 24, lag, objectives })
          expect(found.filter(({ point }) => !isOf(space, point))).toEqual([])
          expect(new Set(found.map(({ point }) => pointKey(space, point))).size).toBe(found.length)
          expect(found).toHaveLength(Math.min(24, countPoints(space)))
        }
      },
    )

    it('suggests the same after the same observations, whatever it was asked before', () => {
      const found = search(name, space, { count: 20, lag: 3 })
      const again = createPointSampler(name, space, { directions: ['minimize'], seed: 1 })
      const told = Math.min(16, found.length)
      for (let index = 0; index < told; index++) {
        const { point } = found[index]!
        again.observe({ index, point, ...(index % 7 !== 6 && { values: [objective(point)] }) })
      }
      const index = told + 2
      const pending = found.slice(told, index).map(({ point }) => point)
      if (found.length > index) expect(again.suggest({ index, pending })).toEqual(found[index])
    })
  })

  it.each([
    [1, 1.0000000000000002, 2],
    [1, 1.000000000000001, 6],
    [-1.0000000000000004, -1, 3],
    [-1e-323, 1e-323, 5],
  ])('tries every number from %s to %s, and says that there are no more', (low, high, count) => {
    const space: SearchAxis[] = [
      { name: 'x', kind: 'float', low, high },
      { name: 'c', kind: 'choice', choices: 2 },
    ]
    const found = search(name, space, { count: 20, lag: 2 })
    expect(found.filter(({ point }) => !isOf(space, point))).toEqual([])
    expect(new Set(found.map(({ point }) => pointKey(space, point))).size).toBe(2 * count)
    expect(found).toHaveLength(2 * count)
  })

  it('suggests others for another seed', () => {
    const [one, two] = [1, 2].map((seed) => search(name, spaces['numbers']!, { count: 20, lag: 1, seed }))
    expect(one!.map(({ point }) => point)).not.toEqual(two!.map(({ point }) => point))
  })
})

describe('samplers, whatever they are told', () => {
  const extreme: readonly SearchAxis[] = [
    { name: 'wide', kind: 'float', low: 1e-300, high: 1e300, log: true },
    { name: 'narrow', kind: 'float', low: 1e9, high: 1e9 + 1e-3 },
    { name: 'many', kind: 'int', low: 0, high: Number.MAX_SAFE_INTEGER },
    { name: 'uneven', kind: 'float', low: 0, high: 1, step: 0.3 },
    { name: 'kind', kind: 'choice', choices: 3, weights: [0, 1, 1e-9] },
    { name: 'logMany', kind: 'int', low: 1, high: 1e12, log: true },
  ]
  const numbers = extreme.filter(({ kind }) => kind !== 'choice')
  const stories: Readonly<Record<string, (index: number) => object>> = {
    'that all is equal': () => ({ values: [1] }),
    'numbers near the ends of doubles': (index) => ({ values: [index % 2 === 0 ? 1.7e308 : -1.7e308] }),
    'no finite number': (index) => ({ values: [[NaN, Infinity, -Infinity][index % 3]!] }),
    'failures alone': () => ({}),
    'that all violates a constraint': (index) => ({ values: [index], violations: [1 + index, Infinity] }),
    'that all was stopped': (index) => ({ values: [index], stoppedAtStep: index % 3 }),
    'to ignore all': (index) => ({ values: [index], ignored: true }),
    'another number of objectives': (index) => ({ values: [index, 1, 2] }),
  }
  it.each(Object.keys(stories))('%s, suggest new points of the space', (story) => {
    for (const name of names)
      for (const space of [extreme, numbers]) {
        const sampler = createPointSampler(name, space, { directions: ['minimize'], seed: 1 })
        const keys = new Set<string>()
        for (let index = 0; index < 55; index++) {
          // Most of the first points are told, without having been suggested.
          const isAsked = index >= 48 || index % 8 === 0
          const { point } = isAsked
            ? sampler.suggest({ index, pending: [] })!
            : createPointSampler('random', space, { directions: ['minimize'], seed: 2 }).suggest({
                index,
                pending: [],
              })!
          if (isAsked)
            expect([name, point, isOf(space, point) && !keys.has(pointKey(space, point))]).toEqual([name, point, true])
          keys.add(pointKey(space, point))
          sampler.observe({ index, point, ...stories[story]!(index) })
        }
      }
  })

  it('points from outside the space, suggest points of it', () => {
    for (const name of names) {
      const sampler = createPointSampler(name, extreme, { directions: ['minimize'], seed: 1 })
      for (let index = 0; index < 60; index++)
        sampler.observe({ index, point: { wide: -1, narrow: 5 + index, many: -3, kind: 7, other: 1 }, values: [index] })
      const { point } = sampler.suggest({ index: 60, pending: [{ wide: 0 }] })!
      expect([name, point, isOf(extreme, point)]).toEqual([name, point, true])
    }
  })

  it('suggest the same on every host and version of Node, also by former versions of their rules', () => {
    const hashOf = (name: PointSamplerName, version?: number): string =>
      contentHash(
        [spaces['numbers']!, spaces['conditional']!].map((space) =>
          search(name, space, { count: 22, lag: 2, ...(version && { version }) }),
        ),
      )
    const former = names.filter((name) => samplerVersionOf(name) !== undefined)
    const hashes = [
      ...names.map((name) => `${name} ${hashOf(name)}`),
      ...former.map((name) => `${name}, version 1: ${hashOf(name, 1)}`),
    ]
    expect(hashes).toMatchInlineSnapshot(`
      [
        "random 9fdaf7256b4c969f",
        "tpe 5ec1c844870ad57b",
        "gp 5071c03950e367f3",
        "cma-es b382ba94f30374d4",
        "nsga2 f897fff160ed98ad",
        "auto 780d8676e6fb2224",
        "gp, version 1: fd13c0e71d0191ec",
        "auto, version 1: b143d889a5372cf9",
      ]
    `)
  })
})

describe('a search space', () => {
  it('counts its points', () => {
    expect(countPoints(spaces['finite']!)).toBe(1 + 4 + 4 * 4)
    expect(countPoints(spaces['numbers']!)).toBe(Infinity)
    expect(countPoints(spaces['one value']!)).toBe(1)
  })

  it('keeps values short, with a millionth of a narrow range told apart', () => {
    expect(nearestValue({ name: 'x', kind: 'float', low: 0, high: 1 }, 1 / 3)).toBe(0.333333)
    expect(nearestValue({ name: 'x', kind: 'float', low: 1000, high: 1000.01 }, 1000.0012345678)).toBe(1000.00123457)
    expect(nearestValue({ name: 'x', kind: 'float', low: 0.1, high: 0.3, step: 0.1 }, 0.31)).toBe(0.3)
    expect(nearestValue({ name: 'x', kind: 'int', low: 1, high: 10, step: 4 }, 10)).toBe(9)
  })

  it.each([
    [[{ name: 'x', kind: 'float', low: 2, high: 1 }], 'x: 2 to 1 is not a range'],
    [[{ name: 'x', kind: 'float', low: 0, high: 1, log: true }], 'x: 0 to 1 has no logarithm'],
    [[{ name: 'x', kind: 'int', low: 0, high: 1.5 }], 'x: 0 to 1.5, step 1 are not integers'],
    [[{ name: 'x', kind: 'float', low: 0, high: 1, step: 0 }], 'x: step: 0'],
    [[{ name: 'x', kind: 'choice', choices: 0 }], 'x: 0 choices'],
    [[{ name: 'x', kind: 'choice', choices: 2, weights: [0, 0] }], 'x: weights: 0, 0'],
    [[{ name: 'x', kind: 'int', low: 0, high: 1, when: { axis: 'k', among: [0] } }], 'x: depends on k'],
    [[...spaces['choices']!, ...spaces['choices']!], 'optimizer: is an axis twice'],
  ] as [SearchAxis[], string][])('refuses %j', (space, message) => {
    for (const name of names)
      expect(() => createPointSampler(name, space, { directions: ['minimize'], seed: 1 })).toThrow(message)
  })

  it('takes names that every object inherits', () => {
    const space: SearchAxis[] = [
      { name: '__proto__', kind: 'choice', choices: 2 },
      { name: 'constructor', kind: 'int', low: 1, high: 2, when: { axis: '__proto__', among: [1] } },
    ]
    expect(Object.entries(buildPoint(space, () => 1))).toEqual([
      ['__proto__', 1],
      ['constructor', 1],
    ])
    for (const name of names) expect(search(name, space, { count: 9, lag: 1 })).toHaveLength(3)
  })
})
