import { describe, expect, it } from 'vitest'
import { asPlanned } from '../../../src/experiments/as-planned.js'
import { drawFigure } from '../../../src/figures/draw.js'
import type { PrintOptions } from '../../../src/figures/print.js'
import { figureCsv } from '../../../src/figures/figure-data.js'
import type { FigureDefinition, VegaLiteSpec } from '../../../src/figures/figure.js'
import { sizeOfSvg } from '../../../src/figures/render.js'
import { distributions } from '../../../src/figures/search/distributions.js'
import { fieldOf } from '../../../src/figures/search/field.js'
import { searchFigures } from '../../../src/figures/search/search-figures.js'
import { importancesOf, settingsOf, type Searched } from '../../../src/figures/search/settings.js'
import type { TrialRecord } from '../../../src/core/trial.js'
import { importances } from '../../../src/search/importance.js'
import { plainExperiment, toyExperiment } from '../../helpers/experiments.js'
import { finishedTrial, readSaved } from '../../helpers/figures.js'

const axes: Searched['axes'] = [
  { title: 'lr', axis: { name: 'lr', kind: 'float', low: 1e-4, high: 1, log: true } },
  { title: 'main.width', axis: { name: 'width', kind: 'int', low: 1, high: 100 } },
  { title: 'act', axis: { name: 'act', kind: 'choice', choices: 3 }, values: ['relu', 'tanh', 7] },
]
const one: Searched = { axes, objective: { metric: 'loss', direction: 'minimize' } }
const two: Searched = {
  axes,
  objective: {
    ...{ metric: 'loss', direction: 'minimize', also: [{ metric: 'speed', direction: 'maximize' }] },
    constraints: [{ metric: 'memory', max: 90 }],
  },
}

/** Two seeds of each setting, in the order of the search; the loss hangs on lr alone. */
const records: TrialRecord[] = Array.from({ length: 60 }, (_, i) => {
  const setting = i >> 1
  const params = {
    lr: 10 ** (-4 + ((setting * 7) % 29) / 7.25),
    width: 1 + ((setting * 13) % 97),
    act: (['relu', 'tanh', 7] as const)[setting % 3]!,
  }
  const loss = Math.abs(Math.log10(params.lr) + 2) + 0.1 + 0.01 * (i % 2)
  const made = finishedTrial({
    id: `t${i}`,
    seed: i % 2,
    params,
    metrics: { loss, speed: 100 / params.width, memory: params.width },
  })
  return { ...made, trial: { ...made.trial, index: i } }
})

const rowsOf = async (name: string, searched: Searched, from = records): Promise<Record<string, string>[]> => {
  const figure = searchFigures(searched).find((one) => one.name === name)!
  const [header = '', ...lines] = figureCsv((await figure.draw(from, readSaved))!)
    .trim()
    .split('\n')
  const columns = header.trim().split(',')
  return lines.map((line) =>
    Object.fromEntries(
      line
        .trim()
        .split(',')
        .map((cell, i) => [columns[i]!, cell]),
    ),
  )
}

describe('the figures of a search', () => {
  it('are those of its objectives, before those of its experiment, and those of a sweep that learns nothing stay', () => {
    const search = { axes: { width: { kind: 'int', low: 1, high: 9 } }, learning: {} }
    const namesOf = (spec: Parameters<typeof asPlanned>[0]): string[] =>
      asPlanned(
        spec,
        toyExperiment({ figures: [{ name: 'own', caption: '', draw: async () => undefined }] }),
      ).figures.map(({ name }) => name)
    const shared = ['importances', 'slices', 'pairs', 'parallel-coordinates', 'own']
    expect(namesOf({ search })).toEqual(['best-so-far', ...shared])
    expect(namesOf({ search, objective: two.objective })).toEqual(['front', 'hypervolume', ...shared])
    expect(namesOf({ search: { axes: search.axes } })).toEqual(['own'])
    expect(namesOf({})).toEqual(['own'])
  })

  it('show the best so far as it falls, with the seeds of each new best', async () => {
    const rows = await rowsOf('best-so-far', one)
    const settings = rows.filter(({ layer }) => layer === '1').map(({ value }) => Number(value))
    expect(settings).toHaveLength(30)
    const best = rows.filter(({ layer }) => layer === '2').map(({ number, value }) => [Number(number), Number(value)])
    let least = Infinity
    const falls = settings.flatMap((value, i) => (value < least ? [[i + 1, (least = value)]] : []))
    expect(best).toEqual([...falls, [30, least]])
    const seeds = rows.filter(({ layer }) => layer === '3')
    expect(seeds).toHaveLength(2 * falls.length)
  })

  it('know the importances that mlds best tells', () => {
    const { settings } = settingsOf(records, one)
    const told = importancesOf(settings, one)
    expect(told[0]![0].title).toBe('lr')
    const space = axes.map(({ axis }) => axis)
    const observations = settings.map(({ point, means, number }) => ({ index: number, point, values: means }))
    const known = importances(space, observations, ['minimize'])
    expect(Object.fromEntries(told.map(([{ axis }, share]) => [axis.name, share]))).toEqual(Object.fromEntries(known))
    expect(importancesOf(settings.slice(0, 19), one)).toEqual([])
  })

  it('show fronts and how the hypervolume grows to all of it', async () => {
    const { settings } = settingsOf(records, two)
    const front = (await rowsOf('front', two)).filter(({ layer, rank }) => layer === '2' && rank === 'front')
    const beats = (a: readonly number[], b: readonly number[]): boolean =>
      a.every((x, k) => x <= b[k]!) && a.some((x, k) => x < b[k]!)
    const kept = settings.filter(({ kind }) => kind !== 'breaks a constraint')
    const unbeaten = kept.filter((a) => !kept.some((b) => beats(b.losses, a.losses)))
    expect(front.map(({ setting }) => Number(setting)).sort((a, b) => a - b)).toEqual(
      unbeaten.map(({ number }) => number),
    )
    expect(settings.length - kept.length).toBeGreaterThan(0)
    const volumes = (await rowsOf('hypervolume', two)).map(({ share }) => Number(share))
    expect(volumes.at(-1)).toBe(1)
    expect(volumes).toEqual(volumes.toSorted((a, b) => a - b))
    // The area of the first setting, by hand.
    const [first] = kept
    const worst = [0, 1].map((k) => Math.max(...kept.map(({ losses }) => losses[k]!)))
    const reference = worst.map((loss) => Math.max(1.1 * loss, 0.9 * loss))
    const area = (reference[0]! - first!.losses[0]!) * (reference[1]! - first!.losses[1]!)
    const staircase = unbeaten.map(({ losses }) => losses).sort((a, b) => a[0]! - b[0]!)
    const whole = staircase.reduce(
      (sum, [x, y], i) => sum + ((staircase[i + 1]?.[0] ?? reference[0]!) - x!) * (reference[1]! - y!),
      0,
    )
    expect(volumes[0]).toBeCloseTo(area / whole, 9)
  })

  it('interpolate between settings along axes as they are drawn, choice by choice, and not where none is near', async () => {
    const [lr, width, act] = [axes[0]!, axes[1]!, axes[2]!]
    // Good on the left half of the decades, bad on the right: the border lies at their middle, not at that of the numbers.
    const grid = Array.from({ length: 11 }, (_, i) => 10 ** (-4 + 0.4 * i))
    const points = grid.flatMap((x) => [1, 50, 100].map((y) => ({ x, y, behind: x < 1e-2 ? 1 : x > 1.1e-2 ? 0 : 0.5 })))
    const field = fieldOf(points, lr, width)
    for (const { x, x2, behind } of field) {
      expect([x >= 1e-4, x < x2, x2 <= 1]).toEqual([true, true, true])
      if (x2 < 2e-3) expect(behind).toBeGreaterThan(0.5)
      if (x > 5e-2) expect(behind).toBeLessThan(0.5)
    }
    // What lies beside or above begins before it ends: a renderer lets white through where they only touch.
    for (const { x, x2, y, y2 } of field) {
      const meets = field.filter((other) => other.y > y && other.y <= y2 && other.x < x2 && other.x2 > x)
      expect(y2 === 100 || meets.length > 0).toBe(true)
      for (const other of meets) expect(other.y).toBeLessThan(y2)
    }
    expect([Math.min(...field.map(({ x }) => x)), Math.max(...field.map(({ x2 }) => x2))]).toEqual([1e-4, 1])
    // A band hears nothing of its neighbours, and one without settings stays empty.
    const banded = fieldOf(
      grid.flatMap((x) => [0, 2].map((y) => ({ x, y, behind: y / 2 }))),
      lr,
      act,
    )
    expect(new Set(banded.map(({ y, behind }) => `${y} ${behind}`))).toEqual(new Set(['-0.5 0.1', '1.5 0.9']))
    const left = fieldOf(
      points.filter(({ x }) => x < 1e-3),
      lr,
      width,
    )
    expect(Math.max(...left.map(({ x2 }) => x2))).toBeLessThan(0.05)
    expect(fieldOf(points.slice(0, 9), lr, width)).toEqual([])
    const one: Searched['axes'][number] = { title: 'one', axis: { name: 'one', kind: 'int', low: 3, high: 3 } }
    expect(
      fieldOf(
        points.map((point) => ({ ...point, y: 3 })),
        lr,
        one,
      ),
    ).toEqual([])
  })

  it('are drawn for screen and print, with names and values that nobody would give, and leave out what has no value', async () => {
    const hostile = '"><script>alert(1)</script>\u001b[31m'
    const odd: Searched = {
      ...two,
      axes: [...axes, { title: hostile, axis: { name: hostile, kind: 'choice', choices: 2 }, values: [hostile, null] }],
    }
    const some = records.map((record, i): TrialRecord => ({
      ...record,
      ...(i < 2 ? { state: 'failed', metrics: {} } : i < 4 ? { metrics: { loss: NaN } } : {}),
      trial: { ...record.trial, params: { ...record.trial.params, [hostile]: i % 4 < 2 ? hostile : null } },
    }))
    for (const searched of [odd, { ...odd, objective: one.objective }]) {
      for (const definition of searchFigures(searched)) {
        const drawn = await drawFigure(definition, some, readSaved)
        expect(drawn, definition.name).toHaveProperty('svg')
        expect((drawn as { svg: string }).svg).not.toContain('<script')
        if (definition.name !== 'slices') continue
        const print = await drawFigure(definition, some, readSaved, { widthInches: 6, grey: true })
        expect(sizeOfSvg((print as { svg: string }).svg).width).toBeCloseTo(576, -1)
      }
    }
  })

  it.each([one, two])(
    'say in print at column width, in grey, every name and each legend that they say on a screen',
    async (searched) => {
      const wordsOf = (svg: string): string[] =>
        [...svg.matchAll(/<text([^>]*)>([^<]*)</g)].flatMap(([, how, words]) =>
          how!.includes('opacity="0"') || !/[a-z]/.test(words!) ? [] : [words!],
        )
      for (const definition of searchFigures(searched)) {
        const svgOf = async (print?: PrintOptions): Promise<string> =>
          ((await drawFigure(definition, records, readSaved, print)) as { svg: string }).svg
        const [screen, printed] = [await svgOf(), await svgOf({ widthInches: 3.25, grey: true })]
        const legends = (svg: string): number => svg.split('role-legend-title').length
        expect(legends(printed), definition.name).toBe(legends(screen))
        for (const { title } of searched.axes) {
          const isSaid = (svg: string): boolean => wordsOf(svg).includes(title)
          expect(isSaid(printed), `${definition.name}: ${title}`).toBe(isSaid(screen))
        }
        if (JSON.stringify(await definition.draw(records, readSaved)).includes('"field":"behind"'))
          expect(screen, definition.name).toContain('role-legend-title')
      }
    },
  )

  it('are none where there is nothing to show', async () => {
    const drawn = (from: TrialRecord[]): Promise<(VegaLiteSpec | undefined)[]> =>
      Promise.all([one, two].flatMap(searchFigures).map((figure: FigureDefinition) => figure.draw(from, readSaved)))
    for (const from of [[], records.slice(0, 2), records.map((record) => ({ ...record, metrics: {} }))])
      expect((await drawn(from)).every((spec) => spec === undefined)).toBe(true)
  })

  it('take an axis for what trials call it, and leave out one that does not matter at a setting', () => {
    const spec = {
      search: {
        axes: { 'main.width': { kind: 'int', low: 1, high: 9 }, kind: { kind: 'choice', values: ['plain', 'fancy'] } },
        learning: {},
      },
      when: { 'main.width': { kind: ['fancy'] } },
    }
    expect(asPlanned(spec, plainExperiment()).figures.length).toBeGreaterThan(0)
    const searched: Searched = {
      ...one,
      axes: [
        {
          title: 'width',
          axis: { name: 'width', kind: 'int', low: 1, high: 100 },
          when: { axis: 'act', among: ['relu'] },
        },
        axes[2]!,
      ],
    }
    const { settings } = settingsOf(records, searched)
    expect(settings.filter(({ point }) => Object.hasOwn(point, 'width')).map(({ point }) => point['act'])).toEqual(
      Array(10).fill(0),
    )
  })
})

describe('the distributions of several sweeps', () => {
  it('show of each which share of its points, those without a value too, reaches what', async () => {
    const sweeps = [
      { sweep: 'a', values: [3, 1, 2], without: 1 },
      { sweep: 'b"<x>', values: [5], without: 0 },
    ]
    const sharesOf = async (direction: 'minimize' | 'maximize'): Promise<unknown> => {
      const figure = distributions(sweeps, { metric: 'loss', direction })
      expect(await drawFigure(figure, [], readSaved)).toHaveProperty('svg')
      const { data } = (await figure.draw([], readSaved)) as unknown as { data: { values: Record<string, unknown>[] } }
      return data.values.map(({ sweep, value, share }) => [sweep, value, share])
    }
    const b = ['b"<x>', 5, 1]
    expect(await sharesOf('minimize')).toEqual([['a', 1, 0.25], ['a', 2, 0.5], ['a', 3, 0.75], b])
    expect(await sharesOf('maximize')).toEqual([['a', 3, 0.25], ['a', 2, 0.5], ['a', 1, 0.75], b])
    expect(await distributions([], one.objective).draw([], readSaved)).toBeUndefined()
  })
})
