import { describe, expect, it } from 'vitest'
import { isOfData, makePlan, sweepIdOf, varyingAxes } from '../../src/sweeps/plan.js'
import type { SweepSpec } from '../../src/sweeps/spec/spec.js'
import { plainExperiment, toyExperiment } from '../helpers/experiments.js'

const noData = (): string => 'none'
const plan = (spec: Partial<SweepSpec> = {}, experiment = toyExperiment()) =>
  makePlan(experiment, { experiment: 'toy', axes: {}, ...spec }, noData)

describe('a plan', () => {
  it('crosses axes and seeds, then derives the later stages from what it planned', () => {
    const { trials } = plan()
    const main = trials.filter((trial) => trial.stage === 'main')
    const line = trials.filter((trial) => trial.stage === 'line')
    expect(main).toHaveLength(3 * 2)
    expect(line).toHaveLength((6 - 1) * 3)
    expect(
      line.every(
        (trial) => trial.parents.length === 2 && trial.parents.every((id) => main.some((parent) => parent.id === id)),
      ),
    ).toBe(true)
    expect(trials.map((trial) => trial.index)).toEqual(trials.map((_, i) => i))
  })

  it('is the same for the same spec, and its ids do not depend on the order of axes or values', () => {
    const one = plan({ axes: { width: [1, 2], rate: [0.1, 0.2] } }, plainExperiment())
    const other = plan({ axes: { rate: [0.2, 0.1], width: [2, 1] } }, plainExperiment())
    expect(one.hash).toBe(other.hash)
    expect(new Set(one.trials.map((t) => t.id))).toEqual(new Set(other.trials.map((t) => t.id)))
    expect(sweepIdOf(one)).toMatch(/^toy-[0-9a-f]{8}$/)
  })

  it('collapses equal points, however they were written', () => {
    expect(plan({ axes: { width: [4, '4', '4.0'] }, seeds: [0] }, plainExperiment()).trials).toHaveLength(1)
    expect(plan({ axes: { width: [1] }, seeds: [3, 3] }, plainExperiment()).trials).toHaveLength(1)
  })

  it('gives another id for another seed, version, value or data fingerprint', () => {
    const base = plan({ axes: { width: [1] }, seeds: [0] }, plainExperiment()).trials[0]!.id
    const experiment = plainExperiment()
    const withData = {
      ...experiment,
      stages: [{ ...experiment.stages[0], data: () => ['digits'] }] as typeof experiment.stages,
    }
    const id = (e: typeof experiment, spec: Partial<SweepSpec>, data = noData): string =>
      makePlan(e, { experiment: 'toy', axes: { width: [1] }, seeds: [0], ...spec }, data).trials[0]!.id
    const ids = [
      base,
      id(experiment, { seeds: [1] }),
      id(experiment, { seeds: { init: [1] } }),
      id({ ...experiment, version: 2 }, {}),
      id(experiment, { axes: { width: [2] } }),
      id(withData, {}, () => 'a'),
      id(withData, {}, () => 'b'),
    ]
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('gives each trial the id that the content of all its parts gives, whatever is in them', () => {
    const wide = {
      count: { kind: 'number', default: 0 },
      word: { kind: 'text', default: 'no "quotes"' },
      deep: { kind: 'boolean', default: false },
      __proto__x: { kind: 'integer', default: 3 },
    } as const
    const experiment = toyExperiment()
    const stages = experiment.stages.map((stage) => ({
      ...stage,
      space: { ...wide, ...stage.space },
      data: () => ['digits', 'letters "é"'],
    })) as unknown as typeof experiment.stages
    const axes = {
      'main.count': [-0, 1e21, 1e-7, 0.1],
      'main.word': ['a\\b', '\u2028', ''],
      'main.deep': [true, false],
    }
    const { trials } = plan({ axes }, { ...experiment, stages })
    expect(trials.length).toBeGreaterThan(4 * 3 * 2)
    for (const trial of trials)
      expect(
        isOfData(trial, [
          ['digits', 'none'],
          ['letters "é"', 'none'],
        ]),
      ).toBe(true)
  })

  it('takes an axis of a later stage by its own name or with the stage before it', () => {
    expect(plan({ axes: { alpha: [0, 1] }, seeds: [0] }).trials.filter((t) => t.stage === 'line')).toHaveLength(2 * 2)
    expect(plan({ axes: { 'line.alpha': [0] }, seeds: [0] }).trials.filter((t) => t.stage === 'line')).toHaveLength(2)
  })

  it('names the axes that vary', () => {
    expect(varyingAxes(plan({}, plainExperiment()).trials)).toEqual(['width'])
  })

  it.each([
    [{ axes: { widht: [1] } }, /unknown axis: widht/],
    [{ axes: { width: [0] } }, /width: 0 is not an integer from 1 to 100000/],
    [{ axes: { width: ['ten'] } }, /width: "ten" is not an integer/],
    [{ axes: { width: [] } }, /width: no values/],
    [{ axes: { rate: [0] } }, /rate: 0 is not a number above 0/],
    [{ axes: { kind: ['odd'] } }, /kind: "odd" is not one of plain, fancy/],
    [{ axes: { constructor: [1] } }, /unknown axis: constructor/],
    [{ profile: 'tiny' }, /unknown profile: tiny/],
    [
      {
        axes: {
          width: Array.from({ length: 1001 }, (_, i) => i + 1),
          rate: Array.from({ length: 1000 }, (_, i) => i + 1),
        },
      },
      /more than 1000000 points/,
    ],
  ])('refuses %j before anything runs', (spec, message) => {
    expect(() => plan(spec)).toThrow(message)
  })
})
