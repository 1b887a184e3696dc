import { describe, expect, it } from 'vitest'
import { defaultFigures } from '../../src/figures/default-figures.js'
import { forPrint } from '../../src/figures/print.js'
import { renderSvg } from '../../src/figures/render.js'
import type { VegaLiteSpec } from '../../src/figures/figure.js'
import { choice, number } from '../../src/core/space.js'
import type { Params, TrialRecord } from '../../src/core/trial.js'

const space = { lr: number({ default: 0.1 }), width: number({ default: 1 }) }
const objective = { metric: 'loss' }
const read = () => Promise.reject(new Error('nothing was saved'))

function record(index: number, params: Params, steps: readonly number[], seed = 0): TrialRecord {
  const loss = Number(params['lr']) + Number(params['width']) / 100 + seed / 1000
  return {
    trial: {
      ...{ id: index.toString(16).padStart(16, '0'), index, experiment: 'e', version: 1, stage: 'main', parents: [] },
      ...{ params, cost: 1, seeds: { data: seed, init: seed, shuffle: seed, corruption: seed } },
    },
    state: 'finished',
    attempts: 1,
    metrics: { loss },
    artifacts: {},
    series: { loss: { steps, values: steps.map((step) => loss / step) } },
  }
}

/** A search: every value of each axis is met once. */
const search = (count: number): TrialRecord[] =>
  Array.from({ length: count }, (_, i) => record(i, { lr: (i + 1) / count, width: ((i * 7) % count) + 1 }, [1, 2, 3]))

async function draw(name: string, records: readonly TrialRecord[]): Promise<VegaLiteSpec> {
  const figure = defaultFigures([{ name: 'main', space }], objective).find((candidate) => candidate.name === name)!
  return (await figure.draw(records, read))!
}

/** The marks of a figure's layers, and its subtitle. */
function looks(spec: VegaLiteSpec): { marks: string[]; subtitle: string } {
  const { layer, title } = spec as unknown as { layer: { mark: { type: string } }[]; title: { subtitle: string[] } }
  return { marks: layer.map(({ mark }) => mark.type), subtitle: title.subtitle.join('\n') }
}

describe('the default figures of a sweep of many settings', () => {
  it('stay small at 10,000 trials, say what they leave out, and are the same each time', async () => {
    const records = search(10_000)
    for (const name of ['course', 'result-against-lr', 'result-against-width']) {
      const spec = await draw(name, records)
      expect(JSON.stringify(spec).length).toBeLessThan(200_000)
      expect(JSON.stringify(await draw(name, records))).toBe(JSON.stringify(spec))
      expect((await renderSvg(spec)).length).toBeLessThan(500_000)
    }
    expect(looks(await draw('course', records)).subtitle).toMatch(
      /^10000 settings of lr and width, 1 seed\nbands: all of them/,
    )
    expect(looks(await draw('result-against-lr', records)).subtitle).toContain('1000 of 10000 settings, evenly chosen')
  })

  it('draw a line for each of a dozen settings, and bands, their median and six of them for one more', async () => {
    expect(looks(await draw('course', search(12))).marks).toEqual(['line'])
    expect(looks(await draw('course', search(13))).marks).toEqual(['area', 'area', 'line', 'line', 'point'])
  })

  it.each([12, 13])('mark a setting of %i that was stopped after one report', async (count) => {
    const records = search(count).map((whole, i) => (i === 0 ? record(0, whole.trial.params, [1]) : whole))
    const { layer } = (await draw('course', records)) as unknown as {
      layer: { mark: { type: string }; data?: { values: { group: string; step: number }[] } }[]
    }
    const ends = layer.find(({ mark }) => mark.type === 'point')!.data!.values
    expect(ends.some(({ step }) => step === 1)).toBe(true)
  })

  it('join no points of a search by a line, and tell the other axis of a grid by colour', async () => {
    expect(looks(await draw('result-against-lr', search(12))).marks).toEqual(['point'])
    const grid = [1, 2, 4].flatMap((width) =>
      [0.1, 0.2].flatMap((lr) =>
        [0, 1].map((seed) => record(width * 10 + lr * 10 + seed * 100, { lr, width }, [1], seed)),
      ),
    )
    const spec = await draw('result-against-width', grid)
    expect(looks(spec).marks).toEqual(['area', 'line', 'point'])
    expect(JSON.stringify(spec)).toContain('"setting":"lr 0.1"')
  })

  it('have a line for each value of another axis that has more of them than there are colours', async () => {
    const grid = Array.from({ length: 40 }, (_, i) => record(i, { lr: (i % 10) + 1, width: Math.floor(i / 10) }, [1]))
    const { layer } = (await draw('result-against-width', grid)) as unknown as {
      layer: { mark: { type: string }; encoding: { color: { title: string }; detail: { field: string } } }[]
    }
    expect(layer.map(({ mark }) => mark.type)).toEqual(['line', 'point'])
    expect(layer[0]!.encoding).toMatchObject({
      color: { title: 'lr', type: 'quantitative' },
      detail: { field: 'setting' },
    })
  })

  it('mark each value of an axis of texts, each setting of the others in a colour of its own; no line joins them', async () => {
    const act = ['relu', 'tanh', 'a "quoted" one']
    const records = act.flatMap((value, i) =>
      [0.1, 0.2].flatMap((lr, j) =>
        [0, 1].map((seed) => record(4 * i + 2 * j + seed, { lr, width: i, act: value }, [1], seed)),
      ),
    )
    const withText = { lr: number({ default: 0.1 }), act: choice({ choices: act, default: 'relu' }) }
    const figure = defaultFigures([{ name: 'main', space: withText }], objective).find(
      ({ name }) => name === 'result-against-act',
    )!
    const spec = (await figure.draw(
      records.map((each) => ({ ...each, trial: { ...each.trial, params: lessWidth(each.trial.params) } })),
      read,
    ))!
    expect(looks(spec)).toEqual({ marks: ['rule', 'point'], subtitle: '2 seeds · mark: mean · bar: least to greatest' })
    const { values } = spec['data'] as { values: { x: string; setting: string; mean: number }[] }
    expect(values).toHaveLength(6)
    expect(values.find(({ x, setting }) => x === 'tanh' && setting === 'lr 0.2')!.mean).toBeCloseTo(0.2105, 6)
    const svg = await renderSvg(spec)
    for (const value of ['relu', 'tanh', '>lr<', '0.1', '0.2']) expect(svg).toContain(value)
  })

  it.each([3, 6, 12, 20])('say each of %i names along an axis, in panels and in print too', async (count) => {
    const names = Array.from({ length: count }, (_, i) => `a long name ${i}`)
    const widths = [1, 2, 3]
    const records = names.flatMap((act, i) =>
      widths.flatMap((width, j) => [1, 2].map((lr) => record(6 * i + 2 * j + lr, { lr, width, act }, [1]))),
    )
    const axes = { ...space, act: choice({ choices: names, default: names[0]! }) }
    const figure = defaultFigures([{ name: 'main', space: axes }], objective).find(
      ({ name }) => name === 'result-against-act',
    )!
    const spec = (await figure.draw(records, read))!
    for (const drawn of [spec, await forPrint(spec, { widthInches: 6.75 })]) {
      const svg = await renderSvg(drawn)
      for (const name of names) {
        const said = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].filter(
          ([text, words]) => words === name && !text.includes('opacity="0"'),
        )
        // Of two axes beside it, the one of two values has a panel for each.
        expect(said, name).toHaveLength(2)
      }
    }
  })
})

function lessWidth({ lr, act }: Params): Params {
  return { lr: lr!, act: act! }
}
