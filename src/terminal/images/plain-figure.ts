import { isMapping } from '../../core/is-mapping.js'
import { isList, writeValue } from '../../core/param-value.js'
import type { ParamValue } from '../../core/trial.js'
import type { VegaLiteSpec } from '../../figures/figure.js'
import { drawScatter, type ScatterPoint } from '../live/scatter.js'

/** A figure of more panels would fill screens. */
const maxPanels = 6

interface Channel {
  readonly field: string
  readonly title?: unknown
  readonly type?: unknown
  readonly scale?: { readonly type?: unknown; readonly domain?: unknown }
}
interface View {
  readonly title: string
  readonly x: Channel
  readonly y: Channel
  readonly rows: readonly Readonly<Record<string, unknown>>[]
}

/** The marks of a figure as letters, panel by panel, none wider than `width`; empty for a figure that has no points of two axes. */
export function plainFigure(spec: VegaLiteSpec, width: number): string[] {
  return viewsOf(spec, [], '')
    .slice(0, maxPanels)
    .flatMap((view) => {
      const lines = drawView(view, width)
      return lines.length === 0 ? [] : [...(view.title === '' ? [] : [view.title.slice(0, width)]), ...lines, '']
    })
}

function drawView({ x, y, rows }: View, width: number): string[] {
  const domain = isMapping(x.scale) && Array.isArray(x.scale.domain) ? x.scale.domain : undefined
  const isNamed = x.type === 'nominal' || x.type === 'ordinal'
  const words = (domain ?? rows.map((row) => row[x.field])).map(wordOf)
  const categories = isNamed ? [...new Set(words)] : undefined
  const points = rows.flatMap((row): ScatterPoint[] => {
    const at = categories === undefined ? row[x.field] : categories.indexOf(wordOf(row[x.field]))
    const value = row[y.field]
    return typeof at === 'number' && typeof value === 'number' ? [{ x: at, y: value }] : []
  })
  return drawScatter(points, {
    ...{ width, height: 16, xTitle: titleOf(x), yTitle: titleOf(y) },
    ...(categories === undefined ? { xLogarithmic: x.scale?.type === 'log' } : { categories }),
  })
}

/** Of each view the layers that have marks or lines of two axes, as far as they share those of the last, which stands in front. */
function viewsOf(part: VegaLiteSpec, above: View['rows'], title: string): View[] {
  const { data, layer, encoding } = part as {
    data?: { values?: View['rows'] }
    layer?: VegaLiteSpec[]
    encoding?: unknown
  }
  const rows = data?.values ?? above
  const own = isMapping(part['title']) ? part['title']['text'] : undefined
  const named = typeof own === 'string' ? own : title
  for (const group of ['concat', 'vconcat', 'hconcat']) {
    const inner = part[group]
    if (Array.isArray(inner)) return (inner as VegaLiteSpec[]).flatMap((one) => viewsOf(one, rows, ''))
  }
  if (layer !== undefined) {
    const inherited = isMapping(encoding) ? encoding : {}
    const inner = layer.map((one) => ({
      ...one,
      encoding: { ...inherited, ...(isMapping(one['encoding']) ? one['encoding'] : {}) },
    }))
    const found = inner.flatMap((one) => viewsOf(one, rows, named)).filter((view) => view.rows.length > 0)
    const front = found.at(-1)
    return front === undefined ? [] : [{ ...front, rows: found.flatMap((view) => rowsBeside(front, view)) }]
  }
  const { mark } = part
  const type = isMapping(mark) ? mark['type'] : mark
  if (!isMapping(encoding) || (type !== 'point' && type !== 'line')) return []
  const { x, y } = encoding
  return isChannel(x) && isChannel(y) ? [{ title: named, x, y, rows }] : []
}

/** The rows of a layer under the names that the one in front has for its fields; none of a layer with axes of its own. */
function rowsBeside({ x, y }: View, view: View): View['rows'] {
  if (titleOf(view.y) !== titleOf(y) || titleOf(view.x) !== titleOf(x)) return []
  return view.rows.map((row) => ({ [x.field]: row[view.x.field], [y.field]: row[view.y.field] }))
}

const isChannel = (channel: unknown): channel is Channel => isMapping(channel) && typeof channel['field'] === 'string'

const titleOf = ({ title, field }: Channel): string => (typeof title === 'string' ? title : field)

const wordOf = (value: unknown): string =>
  typeof value === 'string' ? value : isList(value) || value !== undefined ? writeValue(value as ParamValue) : ''
