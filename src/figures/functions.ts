import type { VegaLiteSpec } from './figure.js'
import { frame, palette, size } from './style.js'

/** A function of one number to draw, on [0, 1]. */
export interface DrawnFunction {
  readonly name: string
  /** As a reader of mathematics writes it. */
  readonly formula: string
  readonly of: (x: number) => number
}

/** As many as show the fastest wave; more would only make the file large. */
const points = 1001

/** Functions, each in a panel of its own with its formula above. */
export function drawFunctions(title: string, functions: readonly DrawnFunction[]): VegaLiteSpec {
  const views = functions.map(({ name, formula, of }) => ({
    title: { text: name, subtitle: `y = ${formula}`, fontSize: 13, subtitleFontSize: 12, offset: 8, frame: 'group' },
    ...(functions.length === 1 ? size : { width: 300, height: 190 }),
    data: { values: Array.from({ length: points }, (_, i) => ({ x: i / (points - 1), y: of(i / (points - 1)) })) },
    mark: { type: 'line', strokeWidth: 1.6, color: palette[0] },
    encoding: {
      x: { field: 'x', type: 'quantitative', title: 'x', axis: { tickCount: 5 } },
      y: { field: 'y', type: 'quantitative', title: 'y', scale: { zero: false }, axis: { tickCount: 5 } },
    },
  }))
  const head = frame(title, [])
  return views.length === 1 ? { ...views[0], ...head } : { ...head, concat: views, columns: 2, spacing: 24 }
}
