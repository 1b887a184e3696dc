import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { planSweep, type SweepDescription } from '../../../src/app/library.js'
import type { Params, Trial } from '../../../src/core/trial.js'
import { applyOverrides } from '../../../src/sweeps/spec/overrides.js'
import { makePlan } from '../../../src/sweeps/plan.js'
import { findExperiment } from '../../../src/experiments/registry.js'
import { parseSweepFile, placed } from '../../../src/sweeps/spec/spec.js'

type Written = Omit<SweepDescription, 'experiment'>
const params = await findExperiment('params')

function trialsOf(written: Written): readonly Trial[] {
  const text = stringify({ experiment: 'params', profile: 'smoke', seeds: [0], ...written })
  const spec = parseSweepFile(text, 'file.yaml')
  try {
    return makePlan(params, spec, () => 'fingerprint').trials
  } catch (error) {
    throw placed(spec, error)
  }
}
const idsOf = (written: Written): string[] => trialsOf(written).map(({ id }) => id)
const settingsOf = (written: Written, ...names: string[]): unknown[][] =>
  trialsOf(written).map(({ params }: { params: Params }) => names.map((name) => params[name]))

describe('points', () => {
  it('are settings one by one: what a row leaves out keeps its value', () => {
    const points = [{ width: 4, depth: 1 }, { width: 8 }, { depth: 2, optimizer: 'adam' }]
    expect(settingsOf({ axes: { batch: [50] }, points }, 'width', 'depth', 'optimizer', 'batch')).toEqual([
      [4, 1, 'adagrad', 50],
      [8, 3, 'adagrad', 50],
      [64, 2, 'adam', 50],
    ])
  })

  it('of the same axes say what zip says', () => {
    const points = [
      { width: 4, batch: 50 },
      { width: 8, batch: 100 },
    ]
    expect(idsOf({ points, axes: { depth: [1, 2] } })).toEqual(
      idsOf({ zip: { width: [4, 8], batch: [50, 100] }, axes: { depth: [1, 2] } }),
    )
  })
})

describe('around', () => {
  it('varies a baseline one axis at a time, the baseline once', () => {
    const around = { baseline: { width: 8, depth: 2 }, vary: { width: [4, 8, 16], depth: [1], optimizer: ['adam'] } }
    expect(settingsOf({ around }, 'width', 'depth', 'optimizer')).toEqual([
      [8, 2, 'adagrad'],
      [4, 2, 'adagrad'],
      [16, 2, 'adagrad'],
      [8, 1, 'adagrad'],
      [8, 2, 'adam'],
    ])
  })
})

describe('where', () => {
  it('keeps exactly the points of the grid that fulfil it', () => {
    const axes = { width: [2, 4, 8, 16], depth: [1, 2, 3], batch: [50, 100] }
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 60 }), fc.constantFrom(50, 100), (most, batch) => {
        const kept = trialsOf({ axes }).filter(
          ({ params }) => Number(params['width']) * Number(params['depth']) <= most && params['batch'] === batch,
        )
        expect(idsOf({ axes, where: [`width * depth <= ${most}`, `batch == ${batch}`] })).toEqual(
          kept.map(({ id }) => id),
        )
      }),
      { numRuns: 30 },
    )
  })
})

it('tells where it was written that nothing is left', () => {
  expect(() => trialsOf({ axes: { width: [8] }, where: ['width > 8'] })).toThrow(
    /^file\.yaml:\d+:\d+: where: nothing is left of 1 points/,
  )
})

describe('where comes to no finite number', () => {
  const where = ['width == 8 or 1 / (width - 4) > 0']

  it('for a point of a grid, the sweep is refused with the place and the point', () => {
    expect(() => trialsOf({ axes: { width: [8, 4] }, where })).toThrow(
      /^file\.yaml:\d+:\d+: 1 \/ \(width - 4\): it comes to Infinity, .* \(where width = 4\)$/,
    )
  })

  it('for a point that was drawn, it is left out', () => {
    const search = { sampler: 'latin-hypercube' as const, count: 3, axes: { width: [2, 4, 8] } }
    expect(settingsOf({ search, where }, 'width')).toEqual([[8]])
  })
})

describe('an axis with an expression', () => {
  it('has the value that follows from the others, and the id of the same point written out', () => {
    const derived = { axes: { width: [4, 8], batch: { expr: 'width * 10' }, trainRows: { expr: 'batch * 5' } } }
    expect(settingsOf(derived, 'width', 'batch', 'trainRows')).toEqual([
      [4, 40, 200],
      [8, 80, 400],
    ])
    expect(idsOf(derived)).toEqual(idsOf({ zip: { width: [4, 8], batch: [40, 80], trainRows: [200, 400] } }))
  })

  it('comes before when, where and exclude', () => {
    expect(
      settingsOf(
        { axes: { width: [4, 8, 16], batch: { expr: 'width * 10' } }, where: 'batch > 40', exclude: { batch: [160] } },
        'width',
        'batch',
      ),
    ).toEqual([[8, 80]])
  })

  it('gives way to --set', () => {
    const spec = parseSweepFile('experiment: params\naxes: {width: [4], batch: {expr: width * 10}}', 'file.yaml')
    const set = applyOverrides(spec, ['batch=50'])
    expect(makePlan(params, set, () => '').trials[0]!.params).toMatchObject({ width: 4, batch: 50 })
  })

  it('of a command is of the kind that its expression gives', async () => {
    const plan = await planSweep({
      experiment: { command: ['true', '{n}', '{half}', '{name}', '{big}'] },
      axes: { n: [1, 3], half: { expr: 'n / 2' }, name: { expr: "n > 2 ? 'large' : 'small'" }, big: { expr: 'n > 2' } },
    })
    expect(plan.trials.map((trial) => trial.params)).toEqual([
      { n: 1, half: 0.5, name: 'small', big: false },
      { n: 3, half: 1.5, name: 'large', big: true },
    ])
  })
})

describe('blocks', () => {
  it('are grids of their own, each crossed with what is outside; a point of two blocks is one', () => {
    const outside = { batch: [50, 100] }
    const blocks = [
      { axes: { width: [4, 8], depth: [1] } },
      { points: [{ width: 8, depth: 1 }, { width: 16 }], where: 'batch == 50' },
    ]
    expect(settingsOf({ axes: outside, blocks }, 'batch', 'width', 'depth')).toEqual([
      [50, 4, 1],
      [100, 4, 1],
      [50, 8, 1],
      [100, 8, 1],
      [50, 16, 3],
    ])
  })
})

describe('what is not right', () => {
  it.each<[string, Written, string]>([
    ['an unknown axis of a setting', { points: [{ width: 4 }, { wdth: 8 }] }, 'file.yaml:7:5: unknown axis: wdth'],
    [
      'a value of a setting',
      { points: [{ width: 4 }, { width: 'x' }] },
      'file.yaml:7:12: width: "x" is not an integer',
    ],
    ['an empty setting', { points: [{}] }, 'file.yaml:6:5: points: a setting names no axis'],
    ['an axis given twice', { axes: { width: [4] }, points: [{ width: 8 }] }, 'width: given twice'],
    ['around nothing', { around: { vary: {} } }, 'around: vary: names no axis'],
    ['a word of where', { where: ['width > 3', 'width > dpth'] }, 'file.yaml:7:5: unknown axis: dpth'],
    ['where that is no question', { where: 'width * 2' }, 'where: width * 2: is a number (it must be true or false'],
    ['where that leaves nothing', { where: 'width < 0' }, 'where: nothing is left of'],
    ['an expression of an unknown axis', { axes: { batch: { expr: 'wdth * 2' } } }, 'unknown axis: wdth'],
    [
      'a value that follows from itself',
      { axes: { batch: { expr: 'width' }, width: { expr: 'batch' } } },
      'follows from itself',
    ],
    [
      'a value that its axis refuses',
      { axes: { width: [3], batch: { expr: 'width / 2' } } },
      'batch: 1.5 is not an integer',
    ],
    [
      'expr beside other keys',
      { axes: { batch: { expr: '1', range: [3] } } },
      'batch: expr is a text and stands alone',
    ],
    [
      'a key of a block',
      { blocks: [{ axes: { width: [4] } }, { seeds: [1] } as never] },
      'unknown key of a block: seeds',
    ],
    [
      'an axis of a block',
      { blocks: [{ axes: { width: [4] } }, { axes: { dpth: [1] } }] },
      'file.yaml:10:7: unknown axis: dpth',
    ],
    [
      'an axis outside and in a block',
      { axes: { width: [4] }, blocks: [{ axes: { width: [8] } }] },
      'width: given twice',
    ],
  ])('%s is told of, and where it is', (_, written, said) => {
    expect(() => trialsOf(written)).toThrow(said)
  })

  it.each(['points', 'around', 'blocks'])('--set of an axis that has its values in %s is refused', (key) => {
    const values = { points: '[{width: 4}]', around: '{vary: {width: [4]}}', blocks: '[{axes: {width: [4]}}]' }[key]
    const spec = parseSweepFile(`experiment: params\n${key}: ${values}`, 'file.yaml')
    expect(() => applyOverrides(spec, ['width=8'])).toThrow(`width has its values in ${key}`)
  })
})
