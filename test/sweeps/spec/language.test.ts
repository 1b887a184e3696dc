import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makePlan, sweepIdOf } from '../../../src/sweeps/plan.js'
import { applyOverrides } from '../../../src/sweeps/spec/overrides.js'
import { parseSweepFile, type SweepSpec } from '../../../src/sweeps/spec/spec.js'
import { plainExperiment, toyExperiment } from '../../helpers/experiments.js'

const experiment = plainExperiment()
const plan = (text: string, of = experiment) =>
  makePlan(of, parseSweepFile(`experiment: toy\nprofile: smoke\n${text}`, 'my.yaml'), () => 'none')
const points = (text: string) => plan(text).trials.map(({ params }) => params)

describe('the sweep language', () => {
  it('advances zipped axes together and crosses them with the rest', () => {
    expect(points('zip: {width: [1, 2, 3], rate: [0.1, 0.2, 0.3]}\naxes: {kind: [plain, fancy]}\n')).toEqual([
      { kind: 'plain', width: 1, rate: 0.1 },
      { kind: 'plain', width: 2, rate: 0.2 },
      { kind: 'plain', width: 3, rate: 0.3 },
      { kind: 'fancy', width: 1, rate: 0.1 },
      { kind: 'fancy', width: 2, rate: 0.2 },
      { kind: 'fancy', width: 3, rate: 0.3 },
    ])
  })

  it('keeps an axis at its default where its condition does not hold, so that those points are one', () => {
    expect(points('axes: {width: [1], kind: [plain, fancy], rate: [0.5, 0.6]}\nwhen: {rate: {kind: fancy}}\n')).toEqual(
      [
        { width: 1, kind: 'plain', rate: 0.1 },
        { width: 1, kind: 'fancy', rate: 0.5 },
        { width: 1, kind: 'fancy', rate: 0.6 },
      ],
    )
  })

  it('leaves out what fits a pattern, by values and by bounds', () => {
    const text =
      'axes: {width: [1, 2, 3, 4], kind: [plain, fancy]}\nexclude:\n  - {kind: fancy, width: {min: 2}}\n  - {width: [3]}\n'
    expect(points(text).map(({ width, kind }) => [width, kind].join(' '))).toEqual([
      '1 plain',
      '1 fancy',
      '2 plain',
      '4 plain',
    ])
  })

  it('repeats a point by giving it other seeds', () => {
    const { trials } = plan('axes: {width: [1]}\nrepeat: 3\n')
    expect(trials.map(({ seeds }) => seeds.init)).toEqual([0, 1, 2])
    expect(new Set(trials.map(({ id }) => id)).size).toBe(3)
  })

  it('draws as many points as a search asks for, crossed with the other axes', () => {
    const { trials } = plan(
      'axes: {kind: [plain, fancy], width: [1]}\nsearch: {count: 10, axes: {rate: {log: [1e-3, 1]}}}\n',
    )
    expect(trials).toHaveLength(20)
    expect(new Set(trials.map(({ params }) => params['rate'])).size).toBe(10)
  })

  it('takes an axis out of a search when a value is given by hand', () => {
    const written = parseSweepFile(
      'experiment: toy\nsearch: {count: 4, axes: {rate: {log: [1e-3, 1]}, width: {int: [1, 9]}}}\n',
      'f',
    )
    const { search, axes } = applyOverrides(written, ['rate=0.5'])
    expect(Object.keys(search!.axes)).toEqual(['width'])
    expect(axes).toEqual({ rate: ['0.5'] })
  })

  it('does not set one of several zipped axes', () => {
    const written = parseSweepFile('experiment: toy\nzip: {width: [1, 2], rate: [0.1, 0.2]}\n', 'f')
    expect(() => applyOverrides(written, ['rate=0.5'])).toThrow('rate is zipped with width')
  })

  it('is another sweep under another stopping rule', () => {
    const ids = ['', 'scheduler: median\n', 'scheduler: {asha: {maxSteps: 9}}\n'].map((rule) =>
      sweepIdOf(plan(`axes: {width: [1, 2]}\n${rule}`)),
    )
    expect(new Set(ids).size).toBe(3)
  })

  it.each([
    ['zip: {width: [1, 2], rate: [0.1]}', /^my\.yaml:3:6: zip: width has 2 values and rate has 1/],
    ['zip: {width: [1, 2]}', /zip: a group needs at least two axes/],
    ['repeat: 0', /^my\.yaml:3:9: repeat: 0 is not a number of repeats/],
    ['repeat: 2\nseeds: [1]', /repeat and seeds both say/],
    ['when: {rate: 3}', /^my\.yaml:3:7: when: rate: 3 is not a mapping/],
    ['exclude: [{}]', /exclude: names no axis/],
    ['exclude: {width: {mim: 2, max: 3}}', /unknown bound of exclude: width: mim/],
    ['budget: {epochs: 3, updates: 4}', /budget: exactly one of/],
    ['scheduler: ahsa', /^my\.yaml:3:12: unknown scheduler: ahsa/],
    ['scheduler: {plateau: {}}', /plateau needs patience/],
    ['scheduler: {asha: {reducton: 3}}', /unknown option of asha: reducton/],
    ['objective: {direction: up, metric: a}', /unknown direction: "?up/],
    ['serach: {}', /unknown key: serach/],
  ])('%s is refused with its place', (text, message) => {
    expect(() => plan(`${text}\n`)).toThrow(message)
  })

  it.each([
    ['axes: {width: [1]}\nzip: {width: [1], rate: [0.1]}', /width: given twice/],
    ['exclude: {widht: 3}', /unknown axis: widht/],
    ['when: {rate: {kind: fnacy}}', /kind: "fnacy" is not one of plain, fancy/],
    ['budget: {epochs: 3}', /budget: epochs: this experiment has no axis of that name/],
    ['exclude: {kind: {min: 2}}', /kind: min and max are for numbers/],
    ['axes: {width: [1, 2]}\nexclude: [{width: 1}, {width: {min: 2}}]', /exclude: nothing is left of 2 points/],
  ])('%s is refused by the experiment’s axes', (text, message) => {
    expect(() => plan(`${text}\n`)).toThrow(message)
  })
})

const values = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 })
const specs = fc
  .record({
    width: values,
    rate: fc.uniqueArray(fc.constantFrom(0.1, 0.2, 0.3, 0.4), { minLength: 1, maxLength: 4 }),
    kind: fc.constantFrom(['plain'], ['plain', 'fancy'], ['fancy', 'plain']),
    seeds: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 }),
    excludedWidth: fc.integer({ min: 1, max: 12 }),
  })
  .filter(({ width, excludedWidth }) => width.some((one) => one !== excludedWidth))
interface Drawn {
  readonly width: readonly number[]
  readonly rate: readonly number[]
  readonly kind: readonly string[]
  readonly seeds: readonly number[]
  readonly excludedWidth: number
}
const specOf = ({ width, rate, kind, seeds, excludedWidth }: Drawn): SweepSpec => ({
  experiment: 'toy',
  profile: 'smoke',
  axes: { width, rate, kind },
  seeds,
  when: { rate: { kind: ['fancy'] } },
  exclude: [{ width: [excludedWidth] }],
})
const trialsOf = (spec: SweepSpec) => makePlan(experiment, spec, () => 'none').trials

describe('whatever is written, a plan', () => {
  it('has different ids throughout, honours exclude and when, and holds every point that is left', () => {
    fc.assert(
      fc.property(specs, (drawn) => {
        const spec = specOf(drawn)
        const trials = trialsOf(spec)
        expect(new Set(trials.map(({ id }) => id)).size).toBe(trials.length)
        for (const { params } of trials) {
          expect(params['width']).not.toBe(drawn.excludedWidth)
          if (params['kind'] === 'plain') expect(params['rate']).toBe(0.1)
        }
        const widths = drawn.width.filter((width) => width !== drawn.excludedWidth).length
        const kinds = drawn.kind.reduce((sum, kind) => sum + (kind === 'fancy' ? drawn.rate.length : 1), 0)
        expect(trials).toHaveLength(widths * kinds * drawn.seeds.length)
      }),
    )
  })

  it('asks for the same trials in whatever order its values are written', () => {
    fc.assert(
      fc.property(specs, (drawn) => {
        const ids = (spec: SweepSpec) =>
          trialsOf(spec)
            .map(({ id }) => id)
            .sort()
        const turned = {
          ...drawn,
          width: [...drawn.width].reverse(),
          rate: [...drawn.rate].reverse(),
          seeds: [...drawn.seeds].reverse(),
        }
        expect(ids(specOf(turned))).toEqual(ids(specOf(drawn)))
      }),
    )
  })

  it('is what was done and what an extension adds', () => {
    fc.assert(
      fc.property(specs, values, (drawn, more) => {
        const before = new Set(trialsOf(specOf(drawn)).map(({ id }) => id))
        const all = trialsOf(specOf({ ...drawn, width: [...new Set([...drawn.width, ...more])] })).map(({ id }) => id)
        const added = all.filter((id) => !before.has(id))
        expect(added.length + before.size).toBe(all.length)
        expect(all.filter((id) => before.has(id))).toHaveLength(before.size)
      }),
    )
  })

  it('says what a trial takes of its host, which is no part of its identity', () => {
    const { spec, trials } = plan('resources: {memoryGb: 2, isolate: true}\n')
    expect(spec.resources).toEqual({ memoryGb: 2, isolate: true })
    const plain = plan('resources: {isolate: false}\n')
    expect(plain.spec.resources).toEqual({})
    expect(trials.map(({ id }) => id)).toEqual(plan('').trials.map(({ id }) => id))
    expect(() => plan('resources: {isolate: 1}\n')).toThrow('resources: isolate: 1 is neither true nor false')
  })

  it('addresses axes of later stages', () => {
    const { trials } = makePlan(
      toyExperiment(),
      { experiment: 'toy', profile: 'reduced', axes: {}, exclude: [{ 'line.alpha': [0.5] }] },
      () => 'none',
    )
    const alphas = new Set(trials.filter(({ stage }) => stage === 'line').map(({ params }) => params['alpha']))
    expect(alphas).toEqual(new Set([0, 1]))
  })
})
