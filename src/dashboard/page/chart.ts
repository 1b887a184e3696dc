import uPlot from 'uplot'
import { themed } from './colours.js'
import { h } from './dom.js'

export interface ChartLine {
  readonly label: string
  readonly colour: string
  readonly steps: readonly number[]
  readonly values: readonly number[]
  readonly width: number
  readonly dash?: readonly number[]
  /** 1 for a line that is read, less for one that stands behind. */
  readonly opacity: number
}

export interface ChartBand {
  readonly colour: string
  readonly steps: readonly number[]
  readonly low: readonly number[]
  readonly high: readonly number[]
}

export interface ChartOptions {
  readonly label: string
  readonly logX: boolean
  readonly logY: boolean
  readonly height: number
}

/** Lines over steps, with bands behind them; made anew when its axes change, else only told its new data. */
export class Chart {
  readonly element = h('div', { class: 'chart', role: 'img' })
  #plot: uPlot | undefined
  #shape = ''
  readonly #resize = new ResizeObserver(() => {
    const width = this.element.clientWidth
    if (width > 0 && this.#plot !== undefined) this.#plot.setSize({ width, height: this.#plot.height })
  })

  constructor() {
    this.#resize.observe(this.element)
  }

  /** @param summary what the chart shows, for who can't see it. */
  show(lines: readonly ChartLine[], bands: readonly ChartBand[], options: ChartOptions, summary: string): void {
    this.element.setAttribute('aria-label', summary)
    const { data, series, between } = align(lines, bands, options)
    const shape = JSON.stringify([
      options,
      series.map(({ label, stroke }) => [label, stroke]),
      between.length,
      themed('text'),
    ])
    if (this.#plot !== undefined && shape === this.#shape) return this.#plot.setData(data)
    this.#plot?.destroy()
    this.#shape = shape
    const axis = {
      stroke: themed('text'),
      grid: { stroke: themed('line'), width: 1 },
      ticks: { stroke: themed('line') },
    }
    const logarithmic = { distr: 3 as const, log: 10 as const }
    this.#plot = new uPlot(
      {
        width: Math.max(200, this.element.clientWidth),
        height: options.height,
        legend: { show: false },
        cursor: { drag: { x: true, y: true, uni: 20 } },
        scales: {
          x: { time: false, ...(options.logX ? logarithmic : {}) },
          y: options.logY ? logarithmic : {},
        },
        axes: [
          { ...axis, label: 'step', labelSize: 18, size: 34 },
          { ...axis, label: options.label, labelSize: 20, size: 64, values: (_, ticks) => ticks.map(tick) },
        ],
        series: [{}, ...series],
        bands: between,
      },
      data,
      this.element,
    )
  }

  close(): void {
    this.#resize.disconnect()
    this.#plot?.destroy()
  }
}

const tick = (value: number | null): string =>
  value === null
    ? ''
    : Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3)
      ? value.toExponential(0)
      : String(Number(value.toPrecision(4)))

/** All lines over one list of steps, as uPlot wants them; a gap where a line has no point. */
function align(lines: readonly ChartLine[], bands: readonly ChartBand[], { logX, logY }: ChartOptions) {
  const steps = new Set<number>()
  for (const line of [...lines, ...bands]) for (const step of line.steps) if (!logX || step > 0) steps.add(step)
  const x = [...steps].sort((a, b) => a - b)
  const place = new Map(x.map((step, i) => [step, i]))
  const column = (from: readonly number[], values: readonly number[]): (number | null | undefined)[] => {
    // `undefined` joins over what another line alone has; `null` would cut.
    const cells = new Array<number | null | undefined>(x.length).fill(undefined)
    from.forEach((step, i) => {
      const [at, value] = [place.get(step), values[i]!]
      if (at !== undefined) cells[at] = Number.isFinite(value) && (!logY || value > 0) ? value : null
    })
    return cells
  }
  const series: uPlot.Series[] = []
  const columns: (number | null | undefined)[][] = []
  const between: uPlot.Band[] = []
  for (const { steps: from, low, high, colour } of bands) {
    const lowest = logY ? low.map((value, i) => (value > 0 ? value : high[i]! / 1_000)) : low
    columns.push(column(from, high), column(from, lowest))
    for (const label of ['high', 'low']) series.push({ label, stroke: 'transparent', points: { show: false } })
    between.push({ series: [series.length - 1, series.length], fill: withOpacity(colour, 0.18) })
  }
  for (const { label, colour, width, dash = [], opacity, steps: from, values } of lines) {
    columns.push(column(from, values))
    const points = { show: from.length === 1, stroke: colour }
    series.push({ label, stroke: withOpacity(colour, opacity), width, dash: [...dash], points })
  }
  return { data: [x, ...columns] as uPlot.AlignedData, series, between }
}

const withOpacity = (colour: string, opacity: number): string =>
  `${colour}${Math.round(255 * opacity)
    .toString(16)
    .padStart(2, '0')}`
