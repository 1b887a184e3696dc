import { gradientOfNow, themed } from './colours.js'
import { address, type SweepContext, type View } from './context.js'
import { fill, h, notice, renew, selectName, toggle } from './dom.js'
import { formatCell } from './format.js'
import type { Column, Row } from './model.js'
import { kindOf, makeScale, namedOn, type Scale } from './scale.js'

const height = 420
const margin = { left: 74, right: 18, top: 14, bottom: 46 }
const nearPixels = 12

/** A dot per trial: any two columns against each other, coloured by a third. */
export function scatter(context: SweepContext): View {
  const { model } = context
  const canvas = h('canvas', { class: 'scatter', role: 'img' })
  const [controls, status, told] = [
    h('div', { class: 'tools' }),
    h('div'),
    h('p', { class: 'readout', 'aria-live': 'polite' }),
  ]
  const holder = h('div', {}, canvas)
  const element = h('section', { 'aria-label': 'Scatter' }, controls, status, holder, told)
  const { objective, axes } = model.about
  let [x, y, colour] = [
    axes.find((axis) => isNumeric(axis)) ?? axes[0] ?? 'index',
    objective.metric,
    axes[1] ?? 'seconds',
  ]
  const logs = { x: undefined as boolean | undefined, y: undefined as boolean | undefined }
  let dots: { row: Row; left: number; top: number }[] = []
  let [width, known] = [0, '']

  function isNumeric(axis: string): boolean {
    const place = axes.indexOf(axis)
    return typeof model.rows[0]?.point[place] === 'number'
  }

  const boxOf = (one: 'x' | 'y', label: string) =>
    toggle(label, (isOn) => {
      logs[one] = isOn
      draw()
    })
  const boxes = { x: boxOf('x', 'log across'), y: boxOf('y', 'log up') }
  const drawControls = (names: readonly string[]): void => {
    const choose = (label: string, chosen: string, set: (value: string) => void): HTMLElement =>
      selectName(label, names, chosen, (name) => {
        set(name)
        update()
      })
    fill(
      controls,
      choose('Across', x, (value) => ([x, logs.x] = [value, undefined])),
      choose('up', y, (value) => ([y, logs.y] = [value, undefined])),
      choose('colour', colour, (value) => (colour = value)),
      boxes.x.element,
      boxes.y.element,
    )
  }

  /** A metric that nothing has reported yet is no column: no trial has it. */
  const columnOf = (name: string): Column =>
    model.columns().find((column) => column.name === name) ?? { name, kind: 'metric', of: () => null }
  const scaleOf = (name: string, isLog?: boolean): Scale => {
    const values = model.rows.map(columnOf(name).of)
    return makeScale(values, kindOf(values, isLog))
  }

  const update = (): void => {
    const columns = model.columns().filter(({ name }) => name !== 'trial' && name !== 'note')
    const present = columns.map(({ name }) => name)
    if (!present.includes(y)) y = model.metrics[0] ?? y
    const names = [...new Set([...present, y])]
    const shape = [...names, x, y, colour].join('\n')
    if (shape !== known) {
      known = shape
      drawControls(names)
    }
    draw()
  }

  const draw = (): void => {
    const [across, up, tint] = [scaleOf(x, logs.x), scaleOf(y, logs.y), scaleOf(colour)]
    boxes.x.show(across.kind === 'log', across.kind !== 'category')
    boxes.y.show(up.kind === 'log', up.kind !== 'category')
    const [ofX, ofY, ofColour] = [x, y, colour].map((name) => columnOf(name).of)
    width = Math.max(240, holder.clientWidth)
    const place = {
      left: (at: number) => margin.left + at * (width - margin.left - margin.right),
      top: (at: number) => margin.top + (1 - at) * (height - margin.top - margin.bottom),
    }
    dots = context.shown().flatMap((row) => {
      const [a, b] = [across.place(ofX!(row)), up.place(ofY!(row))]
      return a === undefined || b === undefined ? [] : { row, left: place.left(a), top: place.top(b) }
    })
    canvas.hidden = dots.length === 0
    renew(status, dots.length > 0 ? null : emptyOf())
    const ratio = devicePixelRatio
    Object.assign(canvas, { width: width * ratio, height: height * ratio })
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` })
    const pen = canvas.getContext('2d')!
    pen.scale(ratio, ratio)
    drawAxes(pen, across, up, place)
    const gradient = gradientOfNow()
    pen.globalAlpha = dots.length > 2_000 ? 0.5 : 0.85
    for (const { row, left, top } of dots) {
      pen.fillStyle = gradient(tint.place(ofColour!(row)) ?? 0)
      pen.beginPath()
      pen.arc(left, top, dots.length > 2_000 ? 2 : 4, 0, 2 * Math.PI)
      pen.fill()
    }
    pen.globalAlpha = 1
    const left = context.shown().length - dots.length
    renew(
      told,
      `${dots.length} trial${dots.length === 1 ? '' : 's'}; colour: ${colour}, dark low to bright high.`,
      left === 0 ? '' : ` ${left} lack a value that has a place.`,
    )
    const axes = `${namedOn(up, y)} against ${namedOn(across, x)}`
    canvas.setAttribute('aria-label', `${axes} of ${dots.length} trials, coloured by ${colour}`)
  }
  const emptyOf = (): HTMLElement =>
    context.line()?.isRun === true
      ? notice('waiting', `Waiting for a trial with ${x} and ${y} …`)
      : notice('empty', `No trial that passes the filter has both ${x} and ${y}.`)

  const drawAxes = (
    pen: CanvasRenderingContext2D,
    across: Scale,
    up: Scale,
    place: Record<'left' | 'top', (at: number) => number>,
  ): void => {
    pen.font = '11px "DejaVu Sans", Verdana, sans-serif'
    pen.lineWidth = 1
    pen.fillStyle = themed('text')
    pen.strokeStyle = themed('line')
    const line = (x1: number, y1: number, x2: number, y2: number): void => {
      pen.beginPath()
      pen.moveTo(x1, y1)
      pen.lineTo(x2, y2)
      pen.stroke()
    }
    pen.textAlign = 'center'
    const everyX = Math.ceil(across.ticks.length / Math.max(2, Math.floor(width / 80)))
    across.ticks.forEach(({ at, label }, i) => {
      if (i % everyX !== 0) return
      line(place.left(at), place.top(0), place.left(at), place.top(1))
      pen.fillText(label, place.left(at), height - margin.bottom + 16)
    })
    pen.textAlign = 'right'
    const everyY = Math.ceil(up.ticks.length / 14)
    up.ticks.forEach(({ at, label }, i) => {
      if (i % everyY !== 0) return
      line(place.left(0), place.top(at), place.left(1), place.top(at))
      pen.fillText(label, margin.left - 6, place.top(at) + 4)
    })
    pen.textAlign = 'center'
    pen.font = 'bold 12px "DejaVu Sans", Verdana, sans-serif'
    pen.fillText(x, (margin.left + width - margin.right) / 2, height - 8)
    pen.save()
    pen.translate(13, height / 2)
    pen.rotate(-Math.PI / 2)
    pen.fillText(y, 0, 0)
    pen.restore()
  }

  const nearest = (event: PointerEvent | MouseEvent): Row | undefined => {
    let [found, least]: [Row | undefined, number] = [undefined, nearPixels ** 2]
    for (const { row, left, top } of dots) {
      const distance = (left - event.offsetX) ** 2 + (top - event.offsetY) ** 2
      if (distance < least) [found, least] = [row, distance]
    }
    return found
  }
  canvas.addEventListener('pointermove', (event) => {
    const row = nearest(event)
    canvas.style.cursor = row === undefined ? 'default' : 'pointer'
    if (row === undefined) return
    const values = [x, y, colour].map((name) => `${name} ${formatCell(columnOf(name).of(row))}`)
    fill(told, `${row.id.slice(0, 8)}: ${model.describe(row)} · ${values.join(', ')}`)
  })
  canvas.addEventListener('click', (event) => {
    const row = nearest(event)
    if (row !== undefined) location.hash = address('sweep', context.id, 'trial', row.id)
  })
  const resize = new ResizeObserver(() => {
    if (holder.clientWidth > 0 && Math.max(240, holder.clientWidth) !== width) draw()
  })
  resize.observe(holder)
  return { element, update, close: () => resize.disconnect() }
}
