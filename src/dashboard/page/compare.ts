import { Chart } from './chart.js'
import { colourOf, dashOf } from './colours.js'
import { address, type SweepContext, type View } from './context.js'
import { checkbox, fill, h, notice } from './dom.js'
import { formatCell } from './format.js'
import type { Column, Row } from './model.js'
import { trialsOf, whyNone } from './trial-page.js'

/** Two trials side by side: what is the same in both is left out. */
export function compare(context: SweepContext, ids: readonly [string, string]): View {
  const { model, courses } = context
  const found = ids.map((id) => trialsOf(model, id))
  const element = h('section', { 'aria-label': 'Two trials compared' })
  const [a, b] = found.map((rows) => (rows.length === 1 ? rows[0] : undefined))
  if (a === undefined || b === undefined) {
    const place = a === undefined ? 0 : 1
    fill(element, notice('broken', whyNone(ids[place], found[place]!.length)))
    return { element, update: () => {} }
  }
  const [table, curves] = [h('div'), h('div', { class: 'charts' })]
  const charts = new Map<string, Chart>()
  let all = false
  const everything = checkbox('also what is the same', false, (isOn) => {
    all = isOn
    update()
  })
  fill(element, h('h2', {}, 'Two trials compared'), h('div', { class: 'tools' }, everything), table, curves)
  courses.want([a.id, b.id])

  const update = (): void => {
    const columns = model.columns().filter(({ name }) => name !== 'index' && name !== 'trial')
    const rows = columns.filter(({ of }) => all || !Object.is(of(a), of(b)))
    fill(
      table,
      rows.length === 0 ? notice('empty', 'They differ in nothing that is known.') : tableOf(context.id, [a, b], rows),
    )
    for (const name of model.metrics) drawChart(name)
  }
  const drawChart = (name: string): void => {
    const lines = [a, b].flatMap((row, i) => {
      const series = courses.get(row.id)?.series.get(name)
      if (series === undefined) return []
      return { label: row.id.slice(0, 8), colour: colourOf(i), dash: dashOf(i), ...series, width: 2, opacity: 1 }
    })
    if (lines.length === 0) return
    const chart = charts.get(name) ?? new Chart()
    if (!charts.has(name)) {
      charts.set(name, chart)
      curves.append(chart.element)
    }
    chart.show(lines, [], { label: name, logX: false, logY: false, height: 220 }, `${name} of both over steps`)
  }
  return { element, update, reconnected: () => courses.retry(), close: () => charts.forEach((chart) => chart.close()) }
}

function tableOf(sweep: string, [a, b]: readonly [Row, Row], columns: readonly Column[]): HTMLElement {
  const head = [a, b].map((row, i) => {
    const swatch = h('span', { class: 'swatch', 'aria-hidden': 'true' })
    swatch.style.background = colourOf(i)
    return h(
      'th',
      { scope: 'col' },
      swatch,
      h('a', { href: address('sweep', sweep, 'trial', row.id) }, row.id.slice(0, 8)),
    )
  })
  return h(
    'table',
    { class: 'compared' },
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, ''), head, h('th', { scope: 'col' }, 'difference'))),
    h(
      'tbody',
      {},
      columns.map((column) => rowOf(column, a, b)),
    ),
  )
}

function rowOf({ name, of }: Column, a: Row, b: Row): HTMLElement {
  const [left, right] = [of(a), of(b)]
  const difference = typeof left === 'number' && typeof right === 'number' ? formatCell(right - left) : ''
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, name),
    h('td', {}, formatCell(left)),
    h('td', {}, formatCell(right)),
    h('td', { class: 'number' }, difference),
  )
}
