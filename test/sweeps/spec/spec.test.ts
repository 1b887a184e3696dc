import { describe, expect, it } from 'vitest'
import { applyOverrides } from '../../../src/sweeps/spec/overrides.js'
import { parseSweepFile } from '../../../src/sweeps/spec/spec.js'

describe('a sweep file', () => {
  it('names an experiment, axes and seeds', () => {
    const spec = parseSweepFile(
      'experiment: params\nprofile: smoke\naxes:\n  width: [8, 32]\n  learningRate: {logspace: [1e-3, 1e-1, 3]}\nseeds: 0..2\n',
      'my.yaml',
    )
    expect(spec).toEqual({
      experiment: 'params',
      language: 3,
      profile: 'smoke',
      axes: { width: [8, 32], learningRate: [1e-3, 1e-2, 1e-1] },
      seeds: [0, 1, 2],
    })
  })

  it('sets the four seeds apart when asked to', () => {
    expect(parseSweepFile('experiment: params\nseeds: {init: 0..1, data: 7}\n', 'my.yaml').seeds).toEqual({
      init: [0, 1],
      data: [7],
    })
  })

  it.each([
    ['experiment: params\naxes: {width: [1, 2\n', /^my\.yaml:\d+:\d+: /],
    ['experiment: params\naxis:\n  width: 3\n', /^my\.yaml:2:1: unknown key: axis/],
    ['experiment: params\nprofile: 3\n', /^my\.yaml:2:10: profile: 3 is not text/],
    ['experiment: params\nname: [a]\n', /^my\.yaml:2:7: name: \["a"\] is not text/],
    ['experiment: params\naxes:\n  width: []\n', /^my\.yaml:3:10: width: no values/],
    ['experiment: params\naxes:\n  lr: logspace(0, 1, 3)\n', /^my\.yaml:3:7: lr: logspace/],
    ['experiment: params\naxes: 3\n', /^my\.yaml:2:7: axes is a mapping/],
    ['axes: {}\n', /^my\.yaml: experiment: missing/],
    ['- a\n- b\n', /^my\.yaml: a sweep file is a mapping/],
    ['experiment: params\nseeds: -1\n', /^my\.yaml:2:8: seed: -1 is not a seed/],
  ])('%j is refused with the place of the mistake', (text, message) => {
    expect(() => parseSweepFile(text, 'my.yaml')).toThrow(message)
  })
})

describe('--set', () => {
  const spec = { experiment: 'params', axes: { width: [1] } }

  it('replaces an axis and sets seeds', () => {
    expect(applyOverrides(spec, ['width=8,32', 'seed=0..2'])).toEqual({
      experiment: 'params',
      axes: { width: ['8', '32'] },
      seeds: [0, 1, 2],
    })
  })

  it('sets one seed apart from the others', () => {
    expect(applyOverrides(spec, ['seed.init=0..1', 'seed.data=5']).seeds).toEqual({ init: [0, 1], data: [5] })
  })

  it('keeps an equals sign that belongs to the value', () => {
    expect(applyOverrides(spec, ['label=a=b']).axes['label']).toEqual(['a=b'])
  })

  it.each([
    ['width', /--set width: not of the form/],
    ['=3', /--set =3: not of the form/],
    ['width=', /--set width=: width: no values/],
    ['seed.inti=3', /did you mean init\?|unknown seed: inti/],
    ['seed=1.5', /is not a seed/],
  ])('%s is refused with a sentence', (override, message) => {
    expect(() => applyOverrides(spec, [override])).toThrow(message)
  })
})
