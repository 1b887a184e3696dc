import { formatNumber } from '../../core/format.js'
import { isLogarithmic } from '../../core/is-logarithmic.js'

export interface ScatterPoint {
  /** A number, or the place of a category in `categories`. */
  readonly x: number
  readonly y: number
}

export interface ScatterOptions {
  /** Columns and rows it may take, labels included. */
  readonly width: number
  readonly height: number
  readonly xTitle: string
  readonly yTitle: string
  /** What the places 0, 1, … on the x axis stand for, when they are no numbers. */
  readonly categories?: readonly string[]
  /** Whether the x axis is logarithmic. Default: as its points suggest. */
  readonly xLogarithmic?: boolean
  /** A point to be told from the others. */
  readonly marked?: ScatterPoint | undefined
}

/** The dots of a braille letter by column and row. */
const dots = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const

/**
 * Points as braille dots, two across and four down a letter, with the ends of both axes written out. A logarithmic
 * axis says that it is one. Never more than `width` by `height`.
 */
export function drawScatter(points: readonly ScatterPoint[], options: ScatterOptions): string[] {
  const { width, height, xTitle, yTitle, categories, xLogarithmic, marked } = options
  const shown = points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))
  if (shown.length === 0) return []
  const x =
    categories === undefined
      ? scaleOf(
          shown.map((point) => point.x),
          xLogarithmic,
        )
      : evenly(categories.length)
  const y = scaleOf(shown.map((point) => point.y))
  const [top, bottom] = [formatNumber(y.greatest), formatNumber(y.least)]
  const gutter = Math.max(top.length, bottom.length)
  const [columns, rows] = [width - gutter - 2, height - 3]
  if (columns < 4 || rows < 1) return []

  const cells = Array.from({ length: rows }, () => new Uint8Array(columns))
  const place = (point: ScatterPoint): [number, number] => [
    Math.round(x.place(point.x) * (2 * columns - 1)),
    Math.round((1 - y.place(point.y)) * (4 * rows - 1)),
  ]
  for (const point of shown) {
    const [across, down] = place(point)
    cells[down >> 2]![across >> 1]! |= dots[across & 1]![down & 3]!
  }
  const lines = cells.map((row) => Array.from(row, (bits) => (bits === 0 ? ' ' : String.fromCodePoint(0x2800 + bits))))
  if (marked !== undefined && Number.isFinite(marked.x) && Number.isFinite(marked.y)) {
    const [across, down] = place(marked)
    lines[down >> 2]![across >> 1] = '◆'
  }
  const label = (row: number): string => (row === 0 ? top : row === rows - 1 ? bottom : '').padStart(gutter)
  const [left, right] =
    categories === undefined ? [x.least, x.greatest].map(formatNumber) : [categories[0]!, categories.at(-1)!]
  return [
    ' '.repeat(gutter + 2) + y.named(yTitle),
    ...lines.map((line, row) => `${label(row)} ┤${line.join('')}`),
    `${' '.repeat(gutter)} └${'─'.repeat(columns)}`,
    ' '.repeat(gutter + 2) + spread(left!, x.named(xTitle), categories?.length === 1 ? '' : right!, columns),
  ].map((line) => line.slice(0, width).trimEnd())
}

interface Scale {
  readonly least: number
  readonly greatest: number
  /** 0 for the least, 1 for the greatest. */
  place(value: number): number
  named(title: string): string
}

function scaleOf(values: readonly number[], logarithmic = isLogarithmic(values)): Scale {
  const least = values.reduce((a, b) => Math.min(a, b))
  const greatest = values.reduce((a, b) => Math.max(a, b))
  const at = logarithmic ? Math.log : (value: number) => value
  const span = at(greatest) - at(least)
  return {
    least,
    greatest,
    place: (value) => (span === 0 ? 0.5 : (at(value) - at(least)) / span),
    named: (title) => (logarithmic ? `${title} (log)` : title),
  }
}

function evenly(count: number): Scale {
  return {
    least: 0,
    greatest: count - 1,
    place: (at) => (count === 1 ? 0.5 : at / (count - 1)),
    named: (title) => title,
  }
}

/** Three texts at the left, in the middle and at the right of a line; the middle one gives way. */
function spread(left: string, middle: string, right: string, width: number): string {
  const room = width - left.length - right.length - 2
  const title = room < 1 ? '' : middle.slice(0, room)
  const before = Math.max(left.length + 1, Math.floor((width - title.length) / 2))
  return `${`${left.padEnd(before)}${title}`.padEnd(Math.max(0, width - right.length))}${right}`
}
