import { gradientOfNow, themed } from './colours.js'
import type { SweepContext, View } from './context.js'
import { checkbox, fill, h, notice } from './dom.js'
import { writeChoice, writeRange } from './filter.js'
import type { Column } from './model.js'
import { makeScale, suggestKind, type Scale } from './scale.js'

const height = 340
const margin = { top: 34, bottom: 18, side: 60 }
/** Narrower than this, labels run into each other: the picture scrolls instead. */
const columnWidth = 110

const nearEnd = 0.03

interface Brush {
  readonly low: number
  readonly high: number
}

/** A line per trial across one axis per column; dragging along an axis writes the filter that says the same. */
export function parallel(context: SweepContext): View {
  const { model } = context
  const canvas = h('canvas', { class: 'parallel', role: 'img' })
  const [controls, status] = [h('div', { class: 'tools' }), h('div')]
  const holder = h('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'Parallel coordinates' }, canvas)
  const element = h('section', {}, controls, status, holder)
  const brushes = new Map<string, Brush>()
  const left = new Set<string>()
  let columns: Column[] = []
  let scales: Scale[] = []
  let width = 0
  let [written, known] = ['', '']
  let [dragged, dragFrom] = [-1, 0]

  const xOf = (i: number): number =>
    columns.length < 2 ? width / 2 : margin.side + (i * (width - 2 * margin.side)) / (columns.length - 1)
  const yOf = (at: number): number => margin.top + (1 - at) * (height - margin.top - margin.bottom)
  const atOf = (y: number): number =>
    Math.min(1, Math.max(0, 1 - (y - margin.top) / (height - margin.top - margin.bottom)))

  const candidates = (): Column[] => {
    const { metric } = model.about.objective
    return model.columns().filter(({ kind, name }) => kind === 'axis' || kind === 'seed' || name === metric)
  }

  const drawControls = (all: readonly Column[]): void => {
    const { metric } = model.about.objective
    fill(
      controls,
      all.map(({ name }) =>
        checkbox(name, !left.has(name), (isOn) => {
          if (isOn) left.delete(name)
          else left.add(name)
          update()
        }),
      ),
      h('span', { class: 'soft' }, 'Drag along an axis to choose; a click on it clears.'),
      all.some(({ name }) => name === metric) &&
        h('span', { class: 'soft' }, `Colour: ${metric}, dark low to bright high.`),
    )
  }

  const update = (): void => {
    // Another filter than the one that brushes wrote has the last word.
    if (context.filter !== written) brushes.clear()
    const all = candidates()
    columns = all.filter(({ name }) => !left.has(name))
    const shape = all.map(({ name }) => name).join('\n')
    // Made anew at each event, they would go from under the hand.
    if (shape !== known) drawControls(all)
    known = shape
    scales = columns.map(({ of }) => {
      const values = model.rows.map(of)
      return makeScale(values, suggestKind(values))
    })
    const isEmpty = columns.length < 2
    holder.hidden = isEmpty
    fill(status, isEmpty ? notice('empty', 'Two axes that vary are needed, or one and a result.') : null)
    if (!isEmpty) draw()
  }

  const draw = (): void => {
    width = Math.max(holder.clientWidth, columns.length * columnWidth)
    const ratio = devicePixelRatio
    Object.assign(canvas, { width: width * ratio, height: height * ratio })
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` })
    const pen = canvas.getContext('2d')!
    pen.scale(ratio, ratio)
    drawLines(pen)
    columns.forEach((column, i) => drawAxis(pen, column, i))
    const shown = context.shown().length
    canvas.setAttribute(
      'aria-label',
      `${shown} of ${model.rows.length} trials over ${columns.map(({ name }) => name).join(', ')}; the table below holds the same`,
    )
  }

  const drawLines = (pen: CanvasRenderingContext2D): void => {
    const [gradient, themedLine] = [gradientOfNow(), themed('line')]
    const shown = new Set(context.shown())
    const colouring = columns.findIndex(({ name }) => name === model.about.objective.metric)
    const places = columns.map(({ of }, i) => model.rows.map((row) => scales[i]!.place(of(row))))
    const strokes = (isShown: boolean): void => {
      for (const row of model.rows) {
        if (shown.has(row) !== isShown) continue
        const result = colouring < 0 ? 0.3 : places[colouring]![row.index]
        // A trial without a result yet has no colour to be told by.
        pen.strokeStyle = !isShown || result === undefined ? themedLine : gradient(result)
        pen.beginPath()
        let isDown = false
        places.forEach((column, i) => {
          const at = column[row.index]
          if (at === undefined) isDown = false
          else if (isDown) pen.lineTo(xOf(i), yOf(at))
          else pen.moveTo(xOf(i), yOf(at))
          isDown = at !== undefined
        })
        pen.stroke()
      }
    }
    pen.lineWidth = 1
    pen.globalAlpha = model.rows.length > 2_000 ? 0.15 : 0.5
    strokes(false)
    pen.globalAlpha = shown.size > 2_000 ? 0.25 : shown.size > 200 ? 0.5 : 0.9
    strokes(true)
    pen.globalAlpha = 1
  }

  const drawAxis = (pen: CanvasRenderingContext2D, { name }: Column, i: number): void => {
    const [x, scale, brush] = [xOf(i), scales[i]!, brushes.get(name)]
    pen.fillStyle = pen.strokeStyle = themed('text')
    pen.lineWidth = 1
    pen.beginPath()
    pen.moveTo(x, yOf(0))
    pen.lineTo(x, yOf(1))
    pen.stroke()
    pen.font = 'bold 12px "DejaVu Sans", Verdana, sans-serif'
    pen.textAlign = 'center'
    pen.fillText(clipped(pen, name, columnWidth - 6), x, 14)
    pen.font = '11px "DejaVu Sans", Verdana, sans-serif'
    if (scale.kind === 'log') pen.fillText('log', x, 27)
    pen.textAlign = 'left'
    const every = Math.ceil(scale.ticks.length / 12)
    scale.ticks.forEach(({ at, label }, k) => {
      if (k % every !== 0) return
      const y = yOf(at)
      pen.fillRect(x - 3, y, 6, 1)
      pen.strokeStyle = themed('ground')
      pen.lineWidth = 3
      pen.strokeText(label, x + 6, y + 4)
      pen.fillText(label, x + 6, y + 4)
    })
    if (brush === undefined) return
    pen.fillStyle = 'rgba(0, 114, 178, 0.35)'
    pen.fillRect(x - 8, yOf(brush.high), 16, yOf(brush.low) - yOf(brush.high))
  }

  const writeFilter = (): void => {
    const parts = [...brushes].flatMap(([name, { low, high }]) => {
      const i = columns.findIndex((column) => column.name === name)
      if (i < 0) return []
      const scale = scales[i]!
      if (scale.kind !== 'category') {
        // A hand that goes to the end means the end.
        const [from, to] = [low < nearEnd ? undefined : low, high > 1 - nearEnd ? undefined : high]
        const text = writeRange(name, from && scale.valueAt(from), to && scale.valueAt(to))
        return text === '' ? [] : text
      }
      return writeChoice(name, scale.valuesWithin(low, high), scale.valuesWithin(0, 1))
    })
    written = parts.join(' and ')
    context.setFilter(written)
  }

  canvas.addEventListener('pointerdown', (event) => {
    const i = columns.findIndex((_, k) => Math.abs(event.offsetX - xOf(k)) < 16)
    if (i < 0) return
    ;[dragged, dragFrom] = [i, event.offsetY]
    canvas.setPointerCapture(event.pointerId)
  })
  canvas.addEventListener('pointermove', (event) => {
    if (dragged < 0 || Math.abs(event.offsetY - dragFrom) < 4) return
    const [a, b] = [atOf(dragFrom), atOf(event.offsetY)]
    brushes.set(columns[dragged]!.name, { low: Math.min(a, b), high: Math.max(a, b) })
    draw()
  })
  canvas.addEventListener('pointerup', (event) => {
    if (dragged < 0) return
    if (Math.abs(event.offsetY - dragFrom) < 4) brushes.delete(columns[dragged]!.name)
    dragged = -1
    writeFilter()
  })
  const resize = new ResizeObserver(() => {
    if (!holder.hidden && holder.clientWidth > 0 && columns.length >= 2) draw()
  })
  resize.observe(holder)
  return { element, update, close: () => resize.disconnect() }
}

/** The text, shortened to a width. */
function clipped(pen: CanvasRenderingContext2D, text: string, width: number): string {
  if (pen.measureText(text).width <= width) return text
  let length = text.length
  while (length > 1 && pen.measureText(`${text.slice(0, length)}…`).width > width) length--
  return `${text.slice(0, length)}…`
}
