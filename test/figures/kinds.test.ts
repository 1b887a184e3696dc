import { describe, expect, it } from 'vitest'
import { againstSteps } from '../../src/figures/against-steps.js'
import type { FigureDefinition } from '../../src/figures/figure.js'
import { renderSvg } from '../../src/figures/render.js'
import { inReadingOrder, logarithmic, spread } from '../../src/figures/style.js'
import { contourFigure, surfaceFigure } from '../../src/figures/surface.js'
import { twinAxes } from '../../src/figures/twin-axes.js'
import type { TrialRecord } from '../../src/core/trial.js'
import { finishedTrial, readable, readSaved } from '../helpers/figures.js'
import {
  kinds,
  named,
  plane,
  planeOptions,
  planeTrial,
  course,
  courseOptions,
  batchTrials,
  valueOf,
} from '../helpers/figure-kinds.js'

describe.each(Object.entries(kinds))('a figure of kind %s', (_, { figure, records, says }) => {
  it('is drawn from this specification', async () => {
    expect(readable(await figure.draw(records, readSaved))).toMatchSnapshot()
  })

  it('compiles and renders without a warning, and says what it shows', async () => {
    const warnings: string[] = []
    const svg = await renderSvg((await figure.draw(records, readSaved))!, (message) => warnings.push(message))
    expect(warnings).toEqual([])
    for (const text of says) expect(svg).toContain(text)
    expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  })

  it('is not drawn from trials that failed', async () => {
    const failed = records.map((record): TrialRecord => ({ ...record, state: 'failed' }))
    expect(await figure.draw(failed, readSaved)).toBeUndefined()
  })
})

interface Layered {
  readonly layer: readonly { readonly data?: { readonly values: readonly Record<string, never>[] }; mark: unknown }[]
}
const layersOf = async (figure: FigureDefinition, records: readonly TrialRecord[]): Promise<Layered['layer']> =>
  ((await figure.draw(records, readSaved)) as unknown as Layered).layer

describe('a contour figure', () => {
  it('draws each line where the loss has its value, from border to border', async () => {
    const loss = plane.y.map(() => plane.x.map((x) => 10 ** x))
    const trial = finishedTrial({ saved: { 'surface.json': { ...plane, loss } } })
    const lines = (await layersOf(contourFigure(planeOptions), [trial]))[1]!.data!.values
    const drawn = lines.filter(({ x }) => x !== null) as unknown as { x: number; y: number }[]
    // Twelve lines evenly apart in the logarithm, which is x itself.
    const at = [...new Set(drawn.map(({ x }) => Number(x.toFixed(6))))].sort((a, b) => a - b)
    expect(at).toEqual(Array.from({ length: 12 }, (_, k) => Number((-2 + (2 * (k + 1)) / 13).toFixed(6))))
    for (const x of at) {
      const ys = drawn.filter((point) => Number(point.x.toFixed(6)) === x).map(({ y }) => y)
      expect([Math.min(...ys), Math.max(...ys)]).toEqual([0, 2])
    }
  })

  it('has a cell for each finite loss, and they leave no gap', async () => {
    const cells = (await layersOf(contourFigure(planeOptions), planeTrial))[0]!.data!.values as unknown as {
      x: number
      x2: number
    }[]
    expect(cells).toHaveLength(8)
    const row = cells.slice(0, 3)
    expect(row[0]!.x).toBe(-2)
    for (const [i, { x }] of row.slice(1).entries()) expect(x).toBeLessThan(row[i]!.x2)
  })
})

describe('a surface', () => {
  it('of a million cells is drawn on fewer, evenly chosen from border to border', async () => {
    const at = Array.from({ length: 1001 }, (_, i) => i - 500)
    const loss = at.map((y) => at.map((x) => 1 + x * x + y * y))
    const trial = finishedTrial({ saved: { 'surface.json': { ...plane, x: at, y: at, loss, path: [] } } })
    for (const figure of [contourFigure(planeOptions), surfaceFigure(planeOptions)])
      expect(JSON.stringify(await figure.draw([trial], readSaved)).length).toBeLessThan(10_000_000)
    const cells = (await layersOf(contourFigure(planeOptions), [trial]))[0]!.data!.values as unknown as {
      x: number
      x2: number
      loss: number
    }[]
    expect(cells).toHaveLength(160 * 160)
    expect(cells[0]).toMatchObject({ x: -500 })
    expect(cells.at(-1)!.x2).toBeGreaterThanOrEqual(500)
  })

  it('leaves out faces with a corner that is not finite, and draws the farthest first', async () => {
    const layers = await layersOf(surfaceFigure(planeOptions), planeTrial)
    const points = layers[1]!.data!.values as unknown as { face: number; y: number; loss: number }[]
    expect(new Set(points.map(({ face }) => face)).size).toBe(3)
    // A face's loss is the geometric mean of its corners: 10^−1.5 twice, 10^−0.5 once.
    expect(points.map(({ loss }) => Math.log10(loss).toFixed(3)).sort()).toEqual([
      ...Array<string>(4).fill('-0.500'),
      ...Array<string>(8).fill('-1.500'),
    ])
  })
})

describe('paths', () => {
  it('have labels that lie on no point and on no other label, the ends of runs among them', async () => {
    // A spiral: crowded in the middle, with room outside.
    const spiral = [0, 1].flatMap((run) =>
      Array.from({ length: 60 }, (_, epoch) => {
        const [turn, reach] = [run * Math.PI + epoch / 6, Math.exp(epoch / 20)]
        return { run: `run ${run}`, epoch, accuracy: epoch / 60, x: reach * Math.cos(turn), y: reach * Math.sin(turn) }
      }),
    )
    const layers = await layersOf(kinds['paths']!.figure, [finishedTrial({ saved: { 'paths.json': spiral } })])
    const labels = layers[2]!.data!.values as unknown as (typeof spiral)[0][]
    const { encoding } = layers[2] as unknown as Record<'encoding', Record<'x' | 'y', { scale: { domain: number[] } }>>
    const inPixels = ({ x, y }: { x: number; y: number }): [number, number] => [
      ((x - encoding.x.scale.domain[0]!) / (encoding.x.scale.domain[1]! - encoding.x.scale.domain[0]!)) * 640,
      ((y - encoding.y.scale.domain[0]!) / (encoding.y.scale.domain[1]! - encoding.y.scale.domain[0]!)) * 460,
    ]
    const apart = (a: [number, number], b: [number, number], wide: number, high: number): boolean =>
      Math.abs(a[0] - b[0]) >= wide - 1e-6 || Math.abs(a[1] - b[1]) >= high - 1e-6
    const boxes = labels.map(inPixels)
    // Four digits at ten pixels: 24 wide, 10 high.
    for (const [i, box] of boxes.entries()) {
      for (const other of boxes.slice(i + 1)) expect(apart(box, other, 24, 10)).toBe(true)
      for (const point of spiral.map(inPixels)) expect(apart(box, point, 12, 5)).toBe(true)
    }
    expect(labels.length).toBeGreaterThan(20)
    expect(labels.filter(({ epoch }) => epoch === 59)).toHaveLength(2)
  })

  it('in space stand over their shadows, as high as their third coordinate says', async () => {
    const layers = await layersOf(kinds['paths in space']!.figure, kinds['paths in space']!.records)
    const [shadows, points] = [layers[1]!, layers[3]!].map(
      ({ data }) => data!.values as unknown as { x: number; y: number; z: number }[],
    ) as [{ x: number; y: number; z: number }[], { x: number; y: number; z: number }[]]
    const heights = points.map(({ x, y, z }, i) => {
      expect(x).toBe(shadows[i]!.x)
      return [z, y - shadows[i]!.y] as const
    })
    const top = heights.find(([z]) => z === 3)![1]
    expect(top).toBeGreaterThan(0.5)
    // z goes from −7 to 3, and the box 6 % farther.
    for (const [z, height] of heights) expect(height).toBeCloseTo((top * (z + 7.6)) / 10.6, 12)
  })
})

describe('twin axes', () => {
  it('have no legend for a line without points, and keep the dashes of the others', async () => {
    const lines = ['loss', 'missing', 'accuracy'].map((metric) => ({ label: metric, metric }))
    const figure = twinAxes({
      ...{ ...named, title: 'One measure', x: { title: 'batch (rows)', scale: 'linear' } },
      points: (record) => [{ x: valueOf('batch')(record), values: record.metrics }],
      left: { title: 'value', scale: 'linear', lines },
    })
    const [view] = (await layersOf(figure, batchTrials)) as unknown as Layered[]
    const [line] = view!.layer as unknown as { encoding: { strokeDash: { scale: object } } }[]
    expect(line!.encoding.strokeDash.scale).toEqual({
      domain: ['loss', 'accuracy'],
      range: [
        [1, 0],
        [2, 3],
      ],
    })
  })
})

describe('a figure over steps', () => {
  it('draws a band instead of lines when a group has more than ten trials', async () => {
    const many = Array.from({ length: 11 }, (_, seed) =>
      finishedTrial({ seed, params: { model: 'deep' }, series: { 'train/loss': course([1, 0.1 / (seed + 1)]) } }),
    )
    const layers = await layersOf(againstSteps(courseOptions), many)
    expect(layers.map(({ mark }) => (mark as { type: string }).type)).toEqual(['area', 'line'])
    const svg = await renderSvg((await againstSteps(courseOptions).draw(many, readSaved))!)
    expect(svg).toContain('band: least to greatest')
  })

  it('draws a long course with few points, its first and last among them', async () => {
    const values = Array.from({ length: 5000 }, (_, i) => i + 1)
    const trial = finishedTrial({ params: { model: 'deep' }, series: { 'train/loss': course(values) } })
    const spec = (await againstSteps(courseOptions).draw([trial], readSaved)) as unknown as {
      data: { values: { step: number }[] }
    }
    const steps = spec.data.values.map(({ step }) => step)
    expect(steps.length).toBeLessThanOrEqual(250)
    expect([steps[0], steps.at(-1)]).toEqual([1, 5000])
  })
})

describe('a logarithmic axis', () => {
  it.each([
    [
      [3e-4, 0.9],
      [2e-4, 1],
      [1e-3, 0.01, 0.1, 1],
    ],
    [
      [7914, 1_450_000],
      [5000, 2e6],
      [10_000, 100_000, 1e6],
    ],
    [
      [50, 400],
      [50, 500],
      [50, 100, 200, 500],
    ],
    [[0.1, 0.1], [0.05, 0.2], [0.1]],
  ])('of %j reaches over %j with labels at %j', (values, domain, labels) => {
    expect(logarithmic(values)).toMatchObject({ scale: { domain, nice: false }, axis: { values: labels } })
  })
})

describe('an axis for values side by side', () => {
  it.each([
    [[50, 8000], { values: [50, 100, 200, 500, 1000, 2000, 5000] }],
    [[8000, 1_500_000], { values: [10_000, 100_000, 1e6] }],
    [[1e-5, 1e-2], { values: [1e-5, 1e-4, 1e-3, 1e-2] }],
    [[6, 9], { values: [6, 7, 8, 9] }],
    [[200, 600], { values: [200, 300, 400, 500, 600] }],
    [[6.1, 6.9], { tickCount: 5 }],
  ])('of %j has labels %j', (values, axis) => {
    expect(spread(values)).toMatchObject({ scale: { type: 'log', nice: false }, axis })
  })
})

describe('names of groups', () => {
  it('are ordered as numbers where they are numbers, by their digits where they end in one', () => {
    expect(inReadingOrder(['1', '0.5', '0.25', '10'])).toEqual(['0.25', '0.5', '1', '10'])
    expect(inReadingOrder(['m10', 'm2', 'm1'])).toEqual(['m1', 'm2', 'm10'])
    const settings = ['lr 0.0115, act relu', 'lr 0.00133, act tanh', 'lr 1e-4, act relu', 'lr 0.00133, act relu']
    expect(inReadingOrder(settings)).toEqual([settings[2], settings[3], settings[1], settings[0]])
  })
})
