import type { ImportanceAnswer } from '../wire.js'
import { gradientOfNow, themed } from './colours.js'
import type { SweepContext, View } from './context.js'
import { usualMetric } from './curves.js'
import { fill, h, notice, renew, selectName, toggle } from './dom.js'
import { formatCell } from './format.js'
import type { Column, Row } from './model.js'
import { kindOf, makeScale, namedOn, suggestKind, type Scale } from './scale.js'
import { source } from './source.js'

const panel = { width: 260, height: 200, left: 56, right: 10, top: 8, bottom: 38 }
const inset = 0.06
/** More panels than these are for the scatter, which shows any axis. */
const maxPanels = 24

/** The objective against each axis that varies, the most important first, and how much each matters. */
export function slices(context: SweepContext): View {
  const { model } = context
  const [controls, status, bars, panels] = [
    h('div', { class: 'tools' }),
    h('div'),
    h('div'),
    h('div', { class: 'slices' }),
  ]
  const element = h('section', { 'aria-label': 'Slices' }, controls, status, bars, panels)
  let metric = model.about.objective.metric
  let isLog: boolean | undefined
  let importance: ImportanceAnswer | undefined
  let [known, askedAt] = ['', -1]

  const endedCount = (): number => model.rows.filter(({ endedAtMs }) => endedAtMs !== null).length
  const askImportance = async (): Promise<void> => {
    const ended = endedCount()
    // What it takes grows with the sweep: a tenth more results before it is asked again.
    if (askedAt >= 0 && ended < askedAt * 1.1 + 1) return
    askedAt = ended
    try {
      importance = await source.ask<ImportanceAnswer>('importance', { sweep: context.id })
      drawBars()
      draw()
    } catch {
      // The slices say without it what there is.
    }
  }
  const drawBars = (): void => {
    const { settings, shares } = importance ?? { settings: 0, shares: [] }
    if (shares.length === 0)
      return fill(
        bars,
        h('p', { class: 'note' }, 'How much each axis matters is told of two axes or more, from 20 settings on.'),
      )
    const rows = shares.map(([axis, share]) => {
      const bar = h('span', { class: 'share', 'aria-hidden': 'true' })
      bar.style.width = `${100 * share}%`
      return h(
        'tr',
        {},
        h('th', { scope: 'row' }, axis),
        h('td', { class: 'number' }, `${Math.round(100 * share)} %`),
        h('td', {}, bar),
      )
    })
    const caption = `How much each axis has to do with being among the best tenth of ${settings} settings (PED-ANOVA).`
    fill(bars, h('table', { class: 'importance' }, h('caption', {}, caption), h('tbody', {}, rows)))
  }
  const logBox = toggle('log metric', (isOn) => {
    isLog = isOn
    draw()
  })
  const drawControls = (): void =>
    fill(
      controls,
      selectName('Metric', model.metrics, metric, (name) => {
        ;[metric, isLog] = [name, undefined]
        update()
      }),
      logBox.element,
    )

  const update = (): void => {
    if (model.metrics.length > 0 && !model.metrics.includes(metric))
      metric = usualMetric(model.metrics, model.about.objective.metric)
    const shape = [...model.metrics, metric].join('\n')
    if (shape !== known) {
      known = shape
      drawControls()
    }
    void askImportance()
    draw()
  }
  const draw = (): void => {
    const columns = model.columns()
    const value = columns.find(({ name, kind }) => kind === 'metric' && name === metric)
    const having = value === undefined ? [] : context.shown().filter((row) => Number.isFinite(value.of(row)))
    const kind = kindOf(
      having.map((row) => value!.of(row)),
      isLog,
    )
    logBox.show(kind === 'log', value !== undefined)
    const rows = having.filter((row) => kind === 'linear' || Number(value!.of(row)) > 0)
    const axes = inOrderOfImportance(
      columns.filter(({ kind }) => kind === 'axis'),
      importance,
    ).slice(0, maxPanels)
    renew(status, statusOf(axes.length, rows.length, having.length - rows.length))
    if (value === undefined || rows.length === 0) return fill(panels)
    const values = rows.map(value.of)
    const up = makeScale(values, kind)
    const time = makeScale(
      rows.map(({ index }) => index),
      'linear',
    )
    fill(
      panels,
      axes.map((axis) => panelOf({ axis, value, rows, up, time })),
    )
  }
  const statusOf = (axes: number, rows: number, leftOut: number): HTMLElement | null => {
    if (axes === 0) return notice('empty', 'No axis varies in this sweep: there is nothing to slice.')
    const lacking = leftOut === 0 ? '' : ` ${leftOut} have no logarithm.`
    if (rows > 0)
      return h('p', { class: 'note' }, `A dot per trial; dark came early in the plan, bright late.${lacking}`)
    if (leftOut > 0) return notice('empty', `No trial that passes the filter has a logarithm of ${metric}.`)
    return context.line()?.isRun === true
      ? notice('waiting', `Waiting for a trial with ${metric} …`)
      : notice('empty', `No trial that passes the filter has ${metric}.`)
  }
  return { element, update }
}

function inOrderOfImportance(axes: readonly Column[], importance: ImportanceAnswer | undefined): readonly Column[] {
  const shares = new Map(importance?.shares)
  return axes.toSorted((a, b) => (shares.get(b.name) ?? 0) - (shares.get(a.name) ?? 0))
}

interface Panel {
  readonly axis: Column
  readonly value: Column
  readonly rows: readonly Row[]
  readonly up: Scale
  readonly time: Scale
}

function panelOf({ axis, value, rows, up, time }: Panel): HTMLElement {
  const values = rows.map(axis.of)
  const across = makeScale(values, suggestKind(values))
  const told = `${namedOn(up, value.name)} against ${namedOn(across, axis.name)} of ${rows.length} trials`
  const canvas = h('canvas', { role: 'img', 'aria-label': told })
  const ratio = devicePixelRatio
  Object.assign(canvas, { width: panel.width * ratio, height: panel.height * ratio })
  Object.assign(canvas.style, { width: `${panel.width}px`, height: `${panel.height}px` })
  const pen = canvas.getContext('2d')!
  pen.scale(ratio, ratio)
  const width = panel.width - panel.left - panel.right
  // Dots and names at the ends lie within.
  const left = (at: number): number => panel.left + (inset + at * (1 - 2 * inset)) * width
  const top = (at: number): number =>
    panel.top + (inset + (1 - at) * (1 - 2 * inset)) * (panel.height - panel.top - panel.bottom)
  pen.font = '10px "DejaVu Sans", Verdana, sans-serif'
  pen.fillStyle = themed('text')
  pen.strokeStyle = themed('line')
  pen.strokeRect(panel.left, panel.top, width, panel.height - panel.top - panel.bottom)
  pen.textAlign = 'center'
  const every = Math.ceil(across.ticks.length / 4)
  across.ticks.forEach(({ at, label }, i) => {
    if (i % every === 0) pen.fillText(label.slice(0, 9), left(at), panel.height - panel.bottom + 13)
  })
  pen.font = 'bold 11px "DejaVu Sans", Verdana, sans-serif'
  pen.fillText(axis.name.slice(0, 32), (left(0) + left(1)) / 2, panel.height - 8)
  pen.font = '10px "DejaVu Sans", Verdana, sans-serif'
  pen.textAlign = 'right'
  up.ticks.forEach(({ at, label }, i) => {
    if (i % Math.ceil(up.ticks.length / 6) === 0) pen.fillText(label, panel.left - 5, top(at) + 3)
  })
  const gradient = gradientOfNow()
  pen.globalAlpha = rows.length > 1_000 ? 0.4 : 0.8
  const radius = rows.length > 1_000 ? 1.5 : 3
  for (const row of rows) {
    const [a, b] = [across.place(axis.of(row)), up.place(value.of(row))]
    if (a === undefined || b === undefined) continue
    pen.fillStyle = gradient(time.place(row.index) ?? 0)
    pen.beginPath()
    pen.arc(left(a), top(b), radius, 0, 2 * Math.PI)
    pen.fill()
  }
  canvas.title = `${told}; ${value.name} from ${formatCell(up.valueAt(0))} to ${formatCell(up.valueAt(1))}`
  return canvas
}
