import { config, logarithmic, nameAxis, numberLabels, palette, size, spread as spreadScale } from '../style.js'
import type { Results, Row } from './drawn.js'
import { colourOf, detailOf, isGraded, looksOf, panelGrid, panelTitle } from './looks.js'

/** More bands lie over each other, more bars are a thicket. */
const [maxBands, maxBars] = [6, 120]

/** The figure's view, or its panels side by side on the same scales. */
export function viewsOf(results: Results): Record<string, unknown> {
  const { panel } = results.layout
  if (panel === undefined) return { ...size, ...layersOf(results, results.rows, size.width) }
  const present = panel.labels.filter((label) => results.rows.some((row) => row.panel === label))
  const { columns, width } = panelGrid(present.length)
  return {
    concat: present.map((label) => ({
      ...panelTitle(panel, label),
      ...{ width, height: columns === 2 ? 230 : 190 },
      ...layersOf(
        results,
        results.rows.filter((row) => row.panel === label),
        width,
      ),
    })),
    ...{ columns, spacing: 16 },
    // Vega-lite makes scales of its own for each of several views, and they would not compare.
    resolve: { scale: { x: 'shared', y: 'shared' } },
  }
}

function layersOf(results: Results, rows: readonly Row[], width: number): { data: object; layer: object[] } {
  const { joined, seeds, layout, categories } = results
  const [x, y, color, looks] = [xOf(results, width), yOf(results), colourOf(layout), looksOf(layout)]
  const encoding = { x, ...(isBeside(results) ? { xOffset: offset } : {}), color }
  const dots = {
    data: { values: seeds },
    mark: { type: 'point', filled: true, size: 16, opacity: 0.45, color: palette[0] },
    encoding: { x, y: y('value') },
  }
  const line = {
    mark: { type: 'line', strokeWidth: 1.8 },
    encoding: { x, y: y('mean'), color, ...looks.markedLine, ...detailOf(layout) },
  }
  const marks = {
    mark: { type: 'point', filled: true, size: categories === undefined ? 42 : 56, opacity: joined ? 1 : 0.85 },
    encoding: { ...encoding, y: y('mean'), ...looks.mark, tooltip: tooltips(results) },
  }
  const spread = spreadLayer(results, rows, { ...encoding, y: y('low'), y2: { field: 'high' } })
  return {
    data: { values: rows },
    layer: [...spread, ...(seeds.length === 0 ? [] : [dots]), ...(joined ? [line] : []), marks],
  }
}

/** Bands behind lines, bars behind marks; neither where they would hide each other. */
function spreadLayer({ joined, layout }: Results, rows: readonly Row[], encoding: object): object[] {
  const count = rows.filter(({ low }) => low !== undefined).length
  const lines = new Set(rows.map(({ setting }) => setting)).size
  if (count === 0) return []
  if (joined && lines <= maxBands)
    return [{ mark: { type: 'area', opacity: 0.16 }, encoding: { ...encoding, ...detailOf(layout) } }]
  return count <= maxBars ? [{ mark: { type: 'rule', opacity: 0.6 }, encoding }] : []
}

/** On an axis of names, marks of a few colours stand beside each other. */
const isBeside = ({ categories, layout: { colour } }: Results): boolean =>
  categories !== undefined && colour !== undefined && !isGraded(colour)
const offset = { field: 'colour', type: 'nominal', sort: null } as const

function xOf({ options, rows, scales, categories }: Results, width: number): object {
  const title = options.x
  if (categories !== undefined) {
    return {
      ...{ field: 'x', type: 'nominal', title, sort: null, scale: { domain: categories } },
      axis: nameAxis(categories, width, config.axis.labelFontSize),
    }
  }
  const numbers = rows.map(({ x }) => Number(x))
  const linear = {
    scale: { zero: false, nice: false, padding: 12 },
    axis: { labelExpr: numberLabels(numbers), tickCount: 8 },
  }
  return { field: 'x', type: 'quantitative', title, ...(scales.x === 'log' ? spreadScale(numbers) : linear) }
}

function yOf({ metric, rows, seeds, scales }: Results): (field: string) => object {
  const values = [
    ...rows.flatMap(({ mean, low = mean, high = mean }) => [mean, low, high]),
    ...seeds.map(({ value }) => value),
  ]
  const linear = {
    scale: { zero: false, nice: false, padding: 10 },
    axis: { labelExpr: numberLabels(values), tickCount: 6 },
  }
  const fitted = scales.y === 'log' ? logarithmic(values) : linear
  return (field) => ({ field, type: 'quantitative', title: metric, ...fitted })
}

function tooltips({ options, rows }: Results): object[] {
  const has = (field: keyof Row): boolean => rows.some((row) => row[field] !== undefined)
  return [
    { field: 'x', title: options.x },
    ...(has('setting') ? [{ field: 'setting', title: 'setting' }] : []),
    ...(has('low') ? ['mean', 'low', 'high'] : ['mean']).map((field) => ({ field, title: field, format: '.4g' })),
    { field: 'seeds', title: 'seeds' },
  ]
}
