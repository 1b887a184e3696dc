import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defineExperiment } from '../../src/experiments/experiment.js'
import { MldsError } from '../../src/core/errors.js'
import { boolean, choice, integer, number, parseValue, text } from '../../src/core/space.js'

const factories = { integer, number, choice, boolean, text } as unknown as Record<string, (options: unknown) => never>

describe('an axis written by hand', () => {
  it.each([
    ['choice', { options: ['relu'], default: 'relu' }, 'choice: there is no option options (did you mean choices?)'],
    ['choice', { choices: [], default: 'relu' }, 'choice: choices is [], not a list of texts'],
    ['choice', { choices: [1, 2], default: 1 }, 'choice: choices is [1,2], not a list of texts'],
    ['choice', { default: 'relu' }, 'choice: choices is undefined, not a list of texts'],
    ['choice', { choices: ['a', 'b'], default: 'c' }, 'default: "c" is not one of a, b'],
    ['number', { default: 'a' }, 'number: the default "a" is not a number'],
    ['number', { default: '1' }, 'number: the default "1" is not a number'],
    ['number', {}, 'number: the default is missing'],
    ['number', undefined, 'number: the default is missing'],
    ['number', { default: NaN }, 'default: NaN is not a number'],
    ['integer', { default: -Infinity }, 'default: -Infinity is not an integer'],
    ['number', { default: 1, min: NaN }, 'number: min is NaN, not a number'],
    ['number', { default: 0, above: 0 }, 'default: 0 is not a number above 0'],
    ['number', { default: 1, maximum: 3 }, 'number: there is no option maximum'],
    ['integer', { default: 1.5 }, 'default: 1.5 is not an integer'],
    ['integer', { default: 1, min: 2 }, 'default: 1 is not an integer of at least 2'],
    ['integer', { default: 1, min: '0' }, 'integer: min is "0", not an integer'],
    ['boolean', { default: 'true' }, 'boolean: the default "true" is not true or false'],
    ['text', { default: 1 }, 'text: the default 1 is not text'],
    ['text', {}, 'text: the default is missing'],
  ])('%s(%j) is refused in a sentence', (kind, options, said) => {
    expect(() => factories[kind]!(options)).toThrow(said)
    expect(() => factories[kind]!(options)).toThrow(MldsError)
  })

  it('is refused, or has a default that it allows, whatever it was given', () => {
    const anything = fc.record(
      { default: fc.anything(), min: fc.anything(), max: fc.anything(), above: fc.anything(), choices: fc.anything() },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(factories)), anything, (kind, options) => {
        let axis
        try {
          axis = factories[kind]!(options) as Parameters<typeof parseValue>[1]
        } catch (error) {
          expect(error).toBeInstanceOf(MldsError)
          return
        }
        expect(parseValue('x', axis, axis.default)).toBe(axis.default)
      }),
    )
  })
})

const space = { x: number({ default: 1 }) }
const run = () => ({ loss: 1 })
const make = defineExperiment as (experiment: unknown) => ReturnType<typeof defineExperiment>

describe('an experiment written by hand', () => {
  it.each([
    null,
    undefined,
    3,
    'text',
    [],
    {},
    { kind: 'float' },
    { kind: 'toString' },
    { kind: 'number' },
    number,
    () => 1,
  ])('is refused with a parameter that is %j', (parameter) => {
    const refused = (experiment: unknown) => {
      expect(() => make(experiment)).toThrow(MldsError)
      expect(() => make(experiment)).toThrow(/parameter act: .* \(act: number\(\{ default: 0\.1 \}\), or/)
    }
    refused({ space: { x: space.x, act: parameter }, run })
    refused({ stages: [{ space: { act: parameter }, run }] })
  })

  it('may leave out of its stages all that the short form leaves out', () => {
    const derive = { from: 'train', groups: () => [] }
    const { name, objective, stages, claims, profiles } = make({
      name: 'two',
      stages: [
        { name: 'train', space, run },
        { name: 'evaluate', space: {}, run, derive },
      ],
    })
    expect({ name, objective, claims }).toEqual({
      name: 'two',
      objective: { metric: 'loss', direction: 'minimize' },
      claims: [],
    })
    expect(Object.keys(profiles)).toEqual(['smoke', 'reduced', 'full'])
    expect(stages.map((stage) => [stage.name, stage.cost({ x: 1 }), stage.data({ x: 1 })])).toEqual([
      ['train', 1, []],
      ['evaluate', 1, []],
    ])
    expect(stages[0]).toHaveProperty('run', run)
  })

  it.each([
    [{ space }, 'experiment: run is missing (what a trial does, a function)'],
    [{ run, name: 'a' }, 'experiment a: space is missing'],
    [{ stages: [], name: 'a' }, 'experiment a: stages is not a list of stages'],
    [{ stages: {} }, 'experiment: stages is not a list of stages'],
    [{ stages: [{ name: 's', space }] }, 'experiment: stage s: run is missing'],
    [{ space, run, stages: [{ space, run }] }, 'experiment: it has stages, and space beside them'],
    [
      {
        stages: [
          { name: 's', space, run },
          { name: 't', space, run },
        ],
      },
      'experiment: stage t has no derive: every stage but the first works on trials of an earlier one',
    ],
    [
      { stages: [{ name: 's', space, run, derive: { from: 't', groups: () => [] } }] },
      'experiment: stage s derives from t, which is no earlier stage (it is the first)',
    ],
    [
      {
        stages: [
          { name: 's', space, run },
          { name: 's', space, run, derive: { from: 's', groups: () => [] } },
        ],
      },
      'experiment: two stages are called s',
    ],
  ])('%j is refused in a sentence', (experiment, said) => {
    expect(() => make(experiment)).toThrow(said)
    expect(() => make(experiment)).toThrow(MldsError)
  })

  const [list, object, give] = [[], {}, () => []]
  const values = [null, 0.5, -1, 'text', true, list, [3], [null], object, give, { metric: 'loss', direction: 'down' }]
  const short = (key: string) => (value: unknown) => ({ space, run, [key]: value })
  const staged = (key: string) => (value: unknown) => ({ stages: [{ space, run, [key]: value }] })
  it.each([
    ...['name', 'title', 'question', 'source'].map((key) => ({ key, of: short(key), fit: ['text'] })),
    ...['aliases', 'figures', 'claims', 'data'].map((key) => ({ key, of: short(key), fit: [list] })),
    { key: 'version', of: short('version'), fit: [-1] },
    { key: 'objective', of: short('objective'), fit: [] },
    { key: 'profiles', of: short('profiles'), fit: [object] },
    { key: 'name', of: staged('name'), fit: ['text'] },
    ...['data', 'cost'].map((key) => ({ key, of: staged(key), fit: [give] })),
    ...['engine', 'derive'].map((key) => ({ key, of: staged(key), fit: [] })),
  ])('is refused in a sentence that names its $key, where that is of another kind', ({ key, of, fit }) => {
    for (const value of values) {
      if ((fit as unknown[]).includes(value)) make(of(value))
      else {
        expect(() => make(of(value)), JSON.stringify(value)).toThrow(MldsError)
        expect(() => make(of(value))).toThrow(new RegExp(`^experiment.*: ${key}: .* is not `))
      }
    }
  })
})
