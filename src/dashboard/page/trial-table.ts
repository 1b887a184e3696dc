import { address, isRunning, type SweepContext, type View } from './context.js'
import { checkbox, fill, h, notice, setText } from './dom.js'
import { formatCell } from './format.js'
import type { Column, Row } from './model.js'
import { inOrder } from './order.js'

const rowHeight = 30
/** On paper there is no scrolling: so many rows are printed. */
const maxPrinted = 500
/** Metrics beyond these are shown when they are asked for. */
const usualMetrics = 6
const usuallyHidden = ['index', 'step', 'attempts', 'worker']

/** The sweep's trials: sorted, filtered by whoever gives the rows, and only those in sight are elements. */
export function trialTable(context: SweepContext): View {
  const { model } = context
  let columns: Column[] = []
  let hidden: Set<string> | undefined
  let sorted: { name: string; way: 1 | -1 } | undefined
  let rows: readonly Row[] = []
  const kept = new Map<string, { readonly signature: string; readonly element: HTMLElement }>()
  const spacers = [
    h('tr', { class: 'spacer', 'aria-hidden': 'true' }),
    h('tr', { class: 'spacer', 'aria-hidden': 'true' }),
  ] as const
  const head = h('tr')
  const body = h('tbody')
  const table = h('table', { id: 'trial-table', class: 'grid' }, h('thead', {}, head), body)
  const scroller = h(
    'div',
    { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Table of trials', onscroll: () => draw() },
    table,
  )
  const count = h('output', { id: 'count' })
  const chooser = h('details', { class: 'columns' }, h('summary', {}, 'Columns'))
  const compare = h('a', { class: 'button', hidden: true })
  const printed = h('p', { class: 'printed note' })
  const element = h(
    'div',
    { class: 'trials' },
    h('div', { class: 'tools' }, count, compare, chooser),
    printed,
    scroller,
  )
  const paper = matchMedia('print')
  const onPaper = (): void => draw()
  paper.addEventListener('change', onPaper)

  const visible = (): Column[] => columns.filter(({ name }) => !hidden!.has(name))
  const update = (): void => {
    const now = model.columns()
    if (now.map(({ name }) => name).join('\n') !== columns.map(({ name }) => name).join('\n')) {
      columns = now
      hidden ??= hiddenAtFirst(columns)
      drawChooser()
      drawHead()
    }
    rows = inOrder(
      context.shown(),
      columns.find(({ name }) => name === sorted?.name),
      sorted?.way ?? 1,
    )
    const { length: all } = model.rows
    setText(count, rows.length === all ? `${all} trial${all === 1 ? '' : 's'}` : `${rows.length} of ${all} trials`)
    table.setAttribute('aria-rowcount', String(rows.length + 1))
    drawChosen()
    draw()
  }
  const drawChooser = (): void => {
    const boxes = columns.map(({ name }) =>
      checkbox(name, !hidden!.has(name), (isOn) => {
        if (isOn) hidden!.delete(name)
        else hidden!.add(name)
        drawHead()
        draw()
      }),
    )
    fill(chooser, h('summary', {}, 'Columns'), h('div', { class: 'menu' }, boxes))
  }
  const drawHead = (): void => {
    const sample = model.rows.slice(0, 50)
    const heads = visible().map(({ name, of }) => {
      const isNumeric = sample.some((row) => typeof of(row) === 'number')
      const way = sorted?.name === name ? (sorted.way === 1 ? 'ascending' : 'descending') : undefined
      const sort = (): void => {
        sorted = { name, way: sorted?.name === name && sorted.way === 1 ? -1 : 1 }
        drawHead()
        update()
        ;[...head.querySelectorAll('button')].find((button) => button.textContent === name)?.focus()
      }
      return h(
        'th',
        { scope: 'col', 'aria-sort': way, class: isNumeric ? 'number' : null },
        h('button', { type: 'button', onclick: sort }, name),
      )
    })
    fill(head, h('th', { scope: 'col', class: 'tick' }, h('span', { class: 'unseen' }, 'chosen')), heads)
  }
  const drawChosen = (): void => {
    const [a, b] = [...context.chosen]
    compare.hidden = context.chosen.size === 0
    if (context.chosen.size === 2) compare.setAttribute('href', address('sweep', context.id, 'compare', a!, b!))
    else compare.removeAttribute('href')
    setText(
      compare,
      context.chosen.size === 2 ? 'Compare the two' : `${context.chosen.size} chosen (two can be compared)`,
    )
  }
  const inSightOf = (): [first: number, last: number] => [
    Math.max(0, Math.floor(scroller.scrollTop / rowHeight) - 8),
    Math.min(rows.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / rowHeight) + 8),
  ]
  const draw = (): void => {
    if (rows.length === 0) {
      const told =
        model.rows.length === 0
          ? notice('empty', 'No trials yet: the search has suggested none.')
          : notice('empty', `No trial passes the filter: ${context.filter}`)
      return fill(body, h('tr', {}, h('td', { colspan: visible().length + 1 }, told)))
    }
    const [first, last] = paper.matches ? [0, Math.min(rows.length, maxPrinted)] : inSightOf()
    setText(
      printed,
      `Rows 1–${Math.min(rows.length, maxPrinted)} of ${rows.length}${rows.length > maxPrinted ? '; mlds export writes them all' : ''}`,
    )
    const best = new Set(context.line()?.bestTrials)
    const inSight = rows.slice(first, last).map((row, i) => keptRow(row, first + i, best))
    for (const id of kept.keys()) if (!inSight.some(({ dataset }) => dataset['trial'] === id)) kept.delete(id)
    const left = paper.matches ? 0 : rows.length - last
    const wanted = [sized(spacers[0], first), ...inSight, sized(spacers[1], left)].filter((element) => element !== null)
    arrange(body, wanted)
  }
  /** Its element of before, unless something in it has changed. */
  const keptRow = (row: Row, place: number, best: ReadonlySet<string>): HTMLElement => {
    const texts = visible().map(({ of }) => of(row))
    const signature = JSON.stringify([
      place,
      isRunning(row, context.line()),
      best.has(row.id),
      visible().map(({ name }) => name),
      texts,
    ])
    const known = kept.get(row.id)
    if (known?.signature === signature) return known.element
    const focused = known?.element.contains(document.activeElement)
      ? document.activeElement?.getAttribute('data-key')
      : null
    const element = rowOf(row, place, best)
    element.dataset['trial'] = row.id
    kept.set(row.id, { signature, element })
    if (focused)
      queueMicrotask(() =>
        element.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true }),
      )
    return element
  }
  const rowOf = (row: Row, place: number, best: ReadonlySet<string>): HTMLElement => {
    const box = h('input', {
      ...{ type: 'checkbox', checked: context.chosen.has(row.id), 'data-key': `tick-${row.id}` },
      'aria-label': `choose trial ${row.id}`,
      onchange: () => {
        if (box.checked) context.chosen.add(row.id)
        else context.chosen.delete(row.id)
        drawChosen()
        context.onChosen()
      },
    })
    const cells = visible().map((column) => cellOf(column, row))
    const line = best.has(row.id) ? 'best' : ''
    return h('tr', { 'aria-rowindex': place + 2, class: line }, h('td', { class: 'tick' }, box), cells)
  }
  const cellOf = ({ name, of }: Column, row: Row): HTMLElement => {
    const value = of(row)
    if (name === 'trial')
      return h(
        'td',
        {},
        h('a', { href: address('sweep', context.id, 'trial', row.id), 'data-key': row.id }, row.id.slice(0, 8)),
      )
    if (name === 'state') {
      const state = row.state === 'running' && !isRunning(row, context.line()) ? 'planned' : row.state
      return h('td', {}, h('span', { class: `state ${state}` }, state))
    }
    const text = formatCell(value).slice(0, 120)
    return h('td', typeof value === 'number' ? { class: 'number' } : { title: text }, text)
  }
  // How many rows are in sight is known once the first ones give it a height.
  const resize = new ResizeObserver(() => requestAnimationFrame(draw))
  resize.observe(scroller)
  const close = (): void => {
    paper.removeEventListener('change', onPaper)
    resize.disconnect()
  }
  return { element, update, close }
}

/** Makes these the children. One that stays is left where it is: a click or the focus on it would be lost otherwise. */
function arrange(parent: HTMLElement, wanted: readonly HTMLElement[]): void {
  const kept = new Set<Element>(wanted)
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove()
  let next = parent.firstElementChild
  for (const element of wanted) {
    if (element === next) next = next.nextElementSibling
    else parent.insertBefore(element, next)
  }
}

function sized(spacer: HTMLElement, rows: number): HTMLElement | null {
  const height = `${rows * rowHeight}px`
  if (spacer.style.height !== height) spacer.style.height = height
  return rows > 0 ? spacer : null
}

function hiddenAtFirst(columns: readonly Column[]): Set<string> {
  const metrics = columns.filter(({ kind }) => kind === 'metric').slice(usualMetrics)
  return new Set([...usuallyHidden, ...metrics.map(({ name }) => name)])
}
