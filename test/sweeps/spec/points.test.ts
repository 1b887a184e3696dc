import { describe, expect, it } from 'vitest'
import { pointsOfStages } from '../../../src/sweeps/spec/points.js'
import type { SweepSpec } from '../../../src/sweeps/spec/spec.js'
import { toyExperiment } from '../../helpers/experiments.js'

const toy = toyExperiment()
const [main, line] = toy.stages as [(typeof toy.stages)[0], (typeof toy.stages)[0]]

/** The points of the first stage as `width rate kind`, the profile's axes being `width: [1, 2]`. */
const points = (spec: Partial<SweepSpec>): string[] =>
  pointsOfStages(toy, toy.profiles.smoke, { experiment: 'toy', axes: {}, ...spec })(main).map(({ width, rate, kind }) =>
    [width, rate, kind].map(String).join(' '),
  )

describe('the points of a stage', () => {
  it.each<[string, Partial<SweepSpec>, string[]]>([
    ["are the profile's where nothing is asked for", {}, ['1 0.1 plain', '2 0.1 plain']],
    ["take a person's values instead of the profile's", { axes: { width: [8] } }, ['8 0.1 plain']],
    [
      'cross the axes, the last the fastest',
      { axes: { width: [1, 2], kind: ['plain', 'fancy'] } },
      ['1 0.1 plain', '1 0.1 fancy', '2 0.1 plain', '2 0.1 fancy'],
    ],
    [
      'take zipped axes row by row, behind the crossed ones',
      { axes: { kind: ['fancy'] }, zip: [{ width: [3, 5], rate: [0.3, 0.5] }] },
      ['3 0.3 fancy', '5 0.5 fancy'],
    ],
    [
      'leave out what a pattern excludes',
      { axes: { width: [1, 2, 3], kind: ['plain', 'fancy'] }, exclude: [{ width: { min: 2 }, kind: ['fancy'] }] },
      ['1 0.1 plain', '1 0.1 fancy', '2 0.1 plain', '3 0.1 plain'],
    ],
    [
      'have an axis at its default where its condition does not hold',
      { axes: { width: [1, 2], rate: [0.5] }, when: { rate: { width: [2] } } },
      ['1 0.1 plain', '2 0.5 plain'],
    ],
    ['take an axis by the name of its stage', { axes: { 'main.width': [7] } }, ['7 0.1 plain']],
  ])('%s', (_, spec, wanted) => {
    expect(points(spec)).toEqual(wanted)
  })

  it.each<[string, Partial<SweepSpec>, string]>([
    ['an axis that is none', { axes: { widht: [1] } }, 'unknown axis: widht'],
    ['an axis given twice', { axes: { width: [1] }, zip: [{ width: [2], rate: [0.1] }] }, 'width: given twice'],
    ['no values', { axes: { width: [] } }, 'width: no values'],
    [
      'zipped axes of two stages',
      { zip: [{ width: [1], alpha: [0.5] }] },
      'zip: alpha is an axis of stage line, not main',
    ],
    ['an exclusion of everything', { exclude: [{ width: { min: 0 } }] }, 'exclude: nothing is left of 2 points'],
    ['bounds of an axis of words', { exclude: [{ kind: { min: 1 } }] }, 'kind: min and max are for numbers'],
    [
      'more points than a plan holds',
      {
        axes: {
          width: Array.from({ length: 2000 }, (_, i) => i + 1),
          rate: Array.from({ length: 501 }, (_, i) => i + 1),
        },
      },
      'the axes cross to more than 1000000 points at rate',
    ],
  ])('refuse %s', (_, spec, message) => {
    expect(() => points(spec)).toThrow(message)
  })

  it('of a later stage are its own axes, unqualified where no earlier stage has one of that name', () => {
    const of = pointsOfStages(toy, toy.profiles.smoke, { experiment: 'toy', axes: { alpha: [0.25, 0.75] } })
    expect(of(line)).toEqual([{ alpha: 0.25 }, { alpha: 0.75 }])
    expect(of(main)).toHaveLength(2)
  })
})
