import { describe, expect, it } from 'vitest'
import { estimate } from '../../src/analysis/intervals.js'
import { mean, median } from '../../src/analysis/statistics.js'
import { groupBy } from '../../src/core/group-by.js'
import { lookUp } from '../../src/core/names.js'
import { inheriting } from '../../src/core/setting.js'
import { literal, type Space } from '../../src/core/space.js'
import type { Params, ParamValue, TrialRecord } from '../../src/core/trial.js'
import { varyingAxes } from '../../src/core/varying-axes.js'
import { defaultFigures } from '../../src/figures/default-figures.js'
import type { VegaLiteSpec } from '../../src/figures/figure.js'
import { renderSvg, sizeOfSvg } from '../../src/figures/render.js'

/** Values of an axis, by what they are; `drawn` gives the place-th of many. */
const kinds = {
  numbers: { values: [1, 2, 3], drawn: (u: number) => Number((10 * u).toFixed(4)) },
  logarithms: { values: [1e-4, 1e-3, 1e-2, 1e-1], drawn: (u: number) => Number((10 ** (-4 * u)).toPrecision(5)) },
  texts: {
    values: ['relu', 'a "quoted", long text', 'tanh'],
    drawn: (u: number) => ['relu', 'tanh', 'elu'][Math.floor(3 * u)]!,
  },
  'yes and no': { values: [true, false], drawn: (u: number) => u < 0.5 },
  'many texts': {
    values: Array.from({ length: 14 }, (_, i) => `subject${i}`),
    drawn: (u: number) => `subject${Math.floor(14 * u)}`,
  },
  mixed: { values: ['auto', 10, 9, null], drawn: (u: number) => (u < 0.3 ? 'auto' : Math.floor(10 * u)) },
} as const
type Kind = keyof typeof kinds
const kindNames = Object.keys(kinds) as Kind[]

interface Case {
  readonly axes: readonly Kind[]
  readonly seeds: number
  readonly design: 'grid' | 'drawn' | 'paired'
  readonly stages: 1 | 2
}

const cases: Case[] = [1, 2, 3, 4].flatMap((count) =>
  kindNames.flatMap((_, first) =>
    ([1, 5] as const).flatMap((seeds) =>
      (['grid', 'drawn', 'paired'] as const).flatMap((design) =>
        ([1, 2] as const).map((stages) => ({
          ...{ seeds, design, stages },
          axes: Array.from({ length: count }, (_, i) => kindNames[(first + i) % kindNames.length]!),
        })),
      ),
    ),
  ),
)

const nameOf = (i: number): string => ['rate', 'width', 'act.fn', 'solver'][i]!

function pointsOf({ axes, design }: Case): Params[] {
  if (design === 'grid')
    return axes.reduce<Params[]>(
      (points, kind, i) =>
        points.flatMap((point) =>
          (kinds[kind].values as readonly ParamValue[])
            .filter((_, at, all) => i < 2 || at === 0 || at === all.length - 1)
            .map((value) => ({ ...point, [nameOf(i)]: value })),
        ),
      [{}],
    )
  // Additive recurrences, one an axis: evenly spread, and no two the same.
  const share = (k: number, i: number): number => ((k + 1) * [0.618034, 0.754878, 0.819173, 0.856675][i]!) % 1
  const count = design === 'drawn' ? 30 : 4
  return Array.from({ length: count }, (_, k) =>
    Object.fromEntries(
      axes.map((kind, i) => {
        const { values, drawn } = kinds[kind]
        return [nameOf(i), design === 'drawn' ? drawn(share(k, i)) : values[k % values.length]!]
      }),
    ),
  )
}

/** What each setting comes to is a number of its own, so that whoever takes two together is found out. */
function recordsOf(sweep: Case): TrialRecord[] {
  let index = 0
  const record = (stage: string, params: Params, seed: number, parents: string[], at: number): TrialRecord => {
    const loss = 1 + ((at * 0.618034) % 1) + seed * 1e-5 * (1 + ((at * 0.7548777) % 1))
    return {
      trial: {
        ...{ id: `${stage}-${index}`, index: index++, experiment: 'e', version: 1, stage, params, parents, cost: 1 },
        seeds: { data: seed, init: seed, shuffle: seed, corruption: seed },
      },
      ...{ state: 'finished', attempts: 1, artifacts: {}, metrics: { loss } },
      series: { loss: { steps: [1, 2, 3], values: [loss + 2, loss + 1, loss] } },
    }
  }
  const unique = [...new Map(pointsOf(sweep).map((params) => [JSON.stringify(params), params])).values()]
  const seeds = Array.from({ length: sweep.seeds }, (_, seed) => seed)
  const first = unique.flatMap((params, at) => seeds.map((seed) => record('main', params, seed, [], at + 1)))
  if (sweep.stages === 1) return first
  const derived = [1, 2].flatMap((probe) =>
    first.map(({ trial }, i) =>
      record('probe', { probe }, trial.seeds.init, [trial.id], 1000 * probe + Math.floor(i / sweep.seeds)),
    ),
  )
  return [...first, ...derived]
}

const spaceOf = (names: readonly string[]): Space =>
  Object.fromEntries(names.map((name) => [name, literal({ default: 0 })]))

async function draw(sweep: Case, records: readonly TrialRecord[]): Promise<Map<string, VegaLiteSpec>> {
  const stages = [
    { name: 'main', space: spaceOf(sweep.axes.map((_, i) => nameOf(i))) },
    ...(sweep.stages === 1 ? [] : [{ name: 'probe', space: spaceOf(['probe']), derive: { from: 'main' } }]),
  ]
  const specs = new Map<string, VegaLiteSpec>()
  for (const figure of defaultFigures(stages, { metric: 'loss' })) {
    const spec = await figure.draw(records, () => Promise.reject(new Error('nothing was saved')))
    if (spec !== undefined) specs.set(figure.name, spec)
  }
  return specs
}

interface Channel {
  readonly field?: string
  readonly title?: unknown
  readonly type?: string
  readonly scale?: { readonly type?: string; readonly domain?: readonly unknown[] }
}
type Row = Readonly<Record<string, number | string>>
interface Layer {
  readonly mark: string
  readonly encoding: Readonly<Record<string, Channel | readonly Channel[]>>
  readonly rows: readonly Row[]
}

/** The figure's layers, each with the rows that it draws. */
function layersOf(part: VegaLiteSpec, above: readonly Row[] = []): Layer[] {
  const { data, mark, encoding } = part as {
    data?: { values: Row[] }
    mark?: { type: string }
    encoding?: Layer['encoding']
  }
  const rows = data?.values ?? above
  const inner = ['layer', 'concat', 'vconcat', 'hconcat'].flatMap((key) => (part[key] ?? []) as VegaLiteSpec[])
  return [
    ...(mark === undefined ? [] : [{ mark: mark.type, encoding: encoding!, rows }]),
    ...inner.flatMap((one) => layersOf(one, rows)),
  ]
}

const isNear = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9 * Math.max(1, Math.abs(b))

interface Setting {
  readonly params: Params
  readonly values: readonly number[]
}

const rounded = (value: number): string => value.toFixed(10)

/** The settings of a stage by what marks say of them: the mean of their final values, and the median. */
function settingsOf(records: readonly TrialRecord[], axes: readonly string[]): Map<string, Setting> {
  const keyOf = ({ trial }: TrialRecord): string => JSON.stringify(axes.map((axis) => lookUp(trial.params, axis)))
  return new Map(
    [...groupBy(records, keyOf).values()].flatMap((own) => {
      const values = own.map(({ metrics }) => metrics['loss']!)
      const setting = { params: own[0]!.trial.params, values }
      return [mean(values), median(values)].map((value) => [rounded(value), setting] as const)
    }),
  )
}

/** The one setting whose mean, or whose median at a step, it is. */
function settingOf(row: Row, settings: ReadonlyMap<string, Setting>): Setting {
  const value = 'mean' in row ? Number(row['mean']) : Number(row['median']) - (3 - Number(row['step']))
  const found = settings.get(rounded(value))
  if (found === undefined) throw new Error(`this is of no single setting: ${JSON.stringify(row)}`)
  return found
}

const fieldsOf = (encoding: Layer['encoding'], channels: readonly string[]): string[] =>
  channels.flatMap((channel) => [encoding[channel] ?? []].flat().flatMap((one) => one.field ?? []))

/** Every mark, bar and band is of one setting, and every line of settings that differ in x alone. */
function expectApart(
  layers: readonly Layer[],
  settings: ReadonlyMap<string, Setting>,
  axes: readonly string[],
  x: string | undefined,
): void {
  for (const { mark, encoding, rows } of layers) {
    const drawn = rows.filter((row) => 'mean' in row || 'median' in row)
    const own = new Map(drawn.map((row) => [row, settingOf(row, settings)]))
    for (const [row, { values }] of own) {
      if (row['low'] === undefined || 'median' in row) continue
      const ends = [row['low'], row['high']] as number[]
      const interval = estimate(values, 'linear').interval
      const range = [Math.min(...values), Math.max(...values)]
      if (![interval, range].some((allowed) => ends.every((end, i) => isNear(end, allowed[i]!))))
        throw new Error(`its ends are not of that setting: ${JSON.stringify(row)}`)
    }
    if (mark !== 'line' && mark !== 'area') continue
    const fields = fieldsOf(encoding, ['color', 'detail', 'strokeDash'])
    for (const line of groupBy(drawn, (row) => JSON.stringify(fields.map((field) => row[field]))).values()) {
      const others = line.map((row) =>
        axes.filter((axis) => axis !== x).map((axis) => lookUp(own.get(row)!.params, axis)),
      )
      expect(new Set(others.map((values) => JSON.stringify(values))).size).toBe(1)
    }
  }
}

/** All that a reader sees in words: titles of the figure, its panels, axes and legends, and names in legends. */
function wordsOf(spec: VegaLiteSpec): string {
  const channels = layersOf(spec).flatMap(({ encoding }) => Object.values(encoding).flat())
  const titles = (part: VegaLiteSpec): unknown[] => [
    part['title'],
    ...['concat', 'vconcat'].flatMap((key) => ((part[key] ?? []) as VegaLiteSpec[]).flatMap(titles)),
  ]
  return JSON.stringify([titles(spec), channels.map(({ title, scale }) => [title, scale?.domain])])
}

describe('the default figures of any sweep', () => {
  const titleOf = ({ axes, seeds, design, stages }: Case): string =>
    `${design}, ${axes.join(' × ')}, ${seeds} seeds, ${stages} stages`

  it.each(cases.map((one) => [titleOf(one), one] as const))(
    'take no settings together, and name what varies: %s',
    async (_, sweep) => {
      const records = recordsOf(sweep)
      const specs = await draw(sweep, records)
      for (const stage of sweep.stages === 1 ? ['main'] : ['main', 'probe']) {
        const own = inheriting(records).filter(({ trial }) => trial.stage === stage)
        const axes = varyingAxes(own.map(({ trial }) => trial))
        const settings = settingsOf(own, axes)
        const of = stage === 'main' ? '' : `of-${stage}-`
        const course = specs.get(stage === 'main' ? 'course' : `course-of-${stage}`)!
        expectApart(layersOf(course), settings, axes, undefined)
        for (const axis of axes) expect(wordsOf(course)).toContain(axis)
        for (const [name, x] of axes.map((axis) => [`result-${of}against-${axis.replace('.', '-')}`, axis] as const)) {
          const spec = specs.get(name)
          expect(spec, name).toBeDefined()
          const layers = layersOf(spec!)
          expectApart(layers, settings, axes, x)
          expect(layers.flatMap(({ rows }) => rows).filter((row) => 'mean' in row).length).toBeGreaterThanOrEqual(
            Math.min(1000, new Set(settings.values()).size),
          )
          for (const axis of axes) expect(wordsOf(spec!)).toContain(axis)
          if (x === 'probe') continue
          const { type, scale } = layers[0]!.encoding['x'] as Channel
          const kind = sweep.axes[[0, 1, 2, 3].findIndex((i) => nameOf(i) === x)]!
          expect(type).toBe(['numbers', 'logarithms'].includes(kind) ? 'quantitative' : 'nominal')
          if (kind === 'logarithms') expect(scale?.type).toBe('log')
          if (kind === 'mixed' && sweep.design === 'grid' && sweep.axes.indexOf(kind) < 2)
            expect(scale?.domain).toEqual(['9', '10', 'auto', 'null'])
        }
      }
    },
  )

  it.each(
    cases
      .filter(({ seeds, stages, axes }) => seeds === 5 && stages === 1 && axes.length === 4)
      .map((one) => [titleOf(one), one] as const),
  )('fit a page, and are drawn without a warning: %s', async (_, sweep) => {
    for (const spec of (await draw(sweep, recordsOf(sweep))).values()) {
      const warnings: string[] = []
      const { width, height } = sizeOfSvg(await renderSvg(spec, (message) => warnings.push(message)))
      expect(warnings).toEqual([])
      expect(width).toBeLessThan(900)
      expect(height).toBeLessThan(1100)
    }
  })
})
