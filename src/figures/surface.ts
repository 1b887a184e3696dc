import { contours } from 'd3-contour'
import { maxOf, minOf } from '../core/extremes.js'
import type { TrialRecord } from '../core/trial.js'
import { readJson, type FigureDefinition, type VegaLiteSpec } from './figure.js'
import { evenly, withResult } from './select.js'
import { boxLabels, boxLines, floorOf, pageOf, seen, type OnPage } from './orthographic.js'
import { frame, lossColour, palette, size } from './style.js'

/** A loss over a plane of weight space, as a trial saves it (JSON). */
export interface Surface {
  /** Coordinates of the grid's columns and rows, ascending. */
  readonly x: readonly number[]
  readonly y: readonly number[]
  /** `[y][x]`; null where it is not finite. */
  readonly loss: readonly (readonly (number | null)[])[]
  /** Where training went, projected onto the plane, in order. */
  readonly path: readonly { readonly x: number; readonly y: number }[]
  readonly axes: readonly [string, string]
}

export interface SurfaceOptions {
  readonly name: string
  readonly caption: string
  readonly title: string
  readonly select: (records: readonly TrialRecord[]) => readonly TrialRecord[]
  readonly artifact: string
}

/** A figure of the first chosen trial that saved a surface with something to draw. */
function ofSurface(
  { name, caption, title, select, artifact }: SurfaceOptions,
  draw: (
    surface: Surface,
    record: TrialRecord,
  ) => { readonly subtitle: string; readonly layer: readonly object[]; readonly view?: object },
): FigureDefinition {
  return {
    name,
    caption,
    async draw(records, read): Promise<VegaLiteSpec | undefined> {
      const record = select(withResult(records)).find(({ artifacts }) => Object.hasOwn(artifacts, artifact))
      if (record === undefined) return undefined
      const surface = thinned(await readJson<Surface>(read, record, artifact))
      if (drawable(surface).length === 0) return undefined
      const { subtitle, ...drawn } = draw(surface, record)
      return { ...frame(title, [subtitle]), ...size, height: 460, ...drawn }
    },
  }
}

/** Cells a side that are drawn: more than these are smaller than a pixel, and make a file that nothing opens. */
const maxCells = 160

/** The surface on fewer columns and rows, evenly chosen, where it has more than are drawn. */
function thinned(surface: Surface): Surface {
  const [columns, rows] = [surface.x, surface.y].map((at) => evenly([...at.keys()], maxCells)) as [number[], number[]]
  return {
    ...surface,
    x: columns.map((i) => surface.x[i]!),
    y: rows.map((j) => surface.y[j]!),
    loss: rows.map((j) => columns.map((i) => surface.loss[j]![i]!)),
  }
}

/** Losses of a surface that can be drawn on a logarithmic scale. */
const drawable = ({ loss }: Surface): number[] => loss.flat().filter((v): v is number => v !== null && v > 0)

/** The loss as colour, with lines of equal loss evenly apart in its logarithm, and the path of training on top. */
export function contourFigure(options: SurfaceOptions): FigureDefinition {
  return ofSurface(options, (surface, record) => {
    const [left, right, low, high] = [...edges(surface.x), ...edges(surface.y)]
    const inside = surface.path.filter(({ x, y }) => x >= left && x <= right && y >= low && y <= high)
    const axis = (field: 'x' | 'y', title: string, domain: readonly number[]) => ({
      field,
      type: 'quantitative',
      title,
      scale: { domain: [...domain], nice: false, zero: false },
      axis: { grid: false, tickCount: 6 },
    })
    const x = axis('x', surface.axes[0], [left, right])
    const y = axis('y', surface.axes[1], [low, high])
    return {
      subtitle: subtitle(surface, inside.length, record),
      layer: [
        {
          data: { values: cells(surface) },
          mark: { type: 'rect', clip: true },
          encoding: {
            x,
            x2: { field: 'x2' },
            y,
            y2: { field: 'y2' },
            color: lossColour('.1~e'),
          },
        },
        {
          data: { values: lines(surface) },
          mark: { type: 'line', strokeWidth: 0.8, color: 'white', opacity: 0.75, clip: true },
          encoding: { x, y, detail: { field: 'line' }, order: { field: 'at', type: 'quantitative' } },
        },
        {
          data: { values: inside.map((point, at) => ({ ...point, at })) },
          mark: { type: 'line', strokeWidth: 1.6, color: palette[1], point: { color: palette[1], size: 14 } },
          encoding: { x, y, order: { field: 'at', type: 'quantitative' } },
        },
        {
          data: { values: inside.slice(-1) },
          mark: { type: 'point', shape: 'cross', filled: true, size: 140, color: 'white', stroke: 'black', opacity: 1 },
          encoding: { x, y },
        },
      ],
    }
  })
}

function subtitle({ path }: Surface, drawn: number, { trial }: TrialRecord): string {
  const walked =
    path.length === 0 ? [] : [`path: ${drawn} of ${path.length} snapshots lie in this part, cross: its end`]
  return [`seed ${trial.seeds.init}`, 'lines evenly apart in log loss', ...walked].join(' · ')
}

/** The ends of an axis: lines of equal loss reach no further than the first and last coordinates. */
function edges(at: readonly number[]): [number, number] {
  return [at[0]!, at.at(-1)!]
}

function cells({ x, y, loss }: Surface): object[] {
  const bounds = (at: readonly number[], i: number): [number, number] => [
    i === 0 ? edges(at)[0] : (at[i - 1]! + at[i]!) / 2,
    i === at.length - 1 ? edges(at)[1] : (at[i]! + at[i + 1]!) / 2,
  ]
  return loss.flatMap((row, j) =>
    row.flatMap((value, i) => {
      if (value === null || value <= 0) return []
      const [[x1, x2], [y1, y2]] = [bounds(x, i), bounds(y, j)]
      // A little under the next cell, which is drawn later: a renderer would let white through where they only touch.
      return [{ x: x1, x2: x2 + (x2 - x1) / 10, y: y1, y2: y2 + (y2 - y1) / 10, loss: value }]
    }),
  )
}

const levels = 12

/** Lines of equal loss in the surface's own coordinates. */
function lines(surface: Surface): object[] {
  const { x, y, loss } = surface
  const values = drawable(surface)
  const [least, most] = [Math.log(minOf(values)), Math.log(maxOf(values))]
  const heights = loss.flat().map((value) => (value !== null && value > 0 ? Math.log(value) : most))
  const thresholds = Array.from({ length: levels }, (_, k) => least + ((k + 1) * (most - least)) / (levels + 1))
  // The library counts cells from their corners: a value lies at half a cell.
  const along = (at: readonly number[], position: number): number => {
    const i = Math.max(0, Math.min(at.length - 2, Math.floor(position - 0.5)))
    return at[i]! + (at[i + 1]! - at[i]!) * (position - 0.5 - i)
  }
  const onEdge = (position: number, count: number): boolean => position < 0.5 || position > count - 0.5
  let line = 0
  return contours()
    .size([x.length, y.length])
    .smooth(true)
    .thresholds(thresholds)(heights)
    .flatMap(({ coordinates }) =>
      coordinates.flat().flatMap((ring) => {
        line++
        return ring.map(([i, j], at) => {
          // Rings are closed along the border of the grid, where there is no line of equal loss.
          if (onEdge(i!, x.length) || onEdge(j!, y.length)) return { x: null, y: null, line: `${++line}`, at }
          return { x: along(x, i!), y: along(y, j!), line: `${line}`, at }
        })
      }),
    )
}

/** The surface as a body in perspective-free projection: height and colour are the logarithm of the loss. */
export function surfaceFigure(options: SurfaceOptions): FigureDefinition {
  return ofSurface(options, (surface, record) => {
    const faces = facesOf(surface)
    const floor = floorOf([
      { title: surface.axes[0], ends: edges(surface.x) },
      { title: surface.axes[1], ends: edges(surface.y) },
    ])
    const { x, y } = pageOf([...faces, ...floor.lines, ...floor.labels])
    return {
      subtitle: `seed ${record.trial.seeds.init} · height and colour: log loss`,
      view: { stroke: null },
      layer: [
        boxLines(floor, { x, y }),
        {
          data: { values: faces },
          // Each face is an area closed by its own outline; the data come back to front and are drawn in that order.
          mark: { type: 'line', strokeWidth: 0.3, stroke: '#333', interpolate: 'linear-closed' },
          encoding: {
            x,
            y,
            detail: { field: 'face', sort: null },
            order: { field: 'at', type: 'quantitative' },
            fill: lossColour('.1~e'),
          },
        },
        boxLabels(floor, { x, y }),
      ],
    }
  })
}

interface Corner extends OnPage {
  readonly face: number
  readonly at: number
  readonly loss: number
}

/** The corners of the surface's faces, the farthest face first. */
function facesOf(surface: Surface): Corner[] {
  const values = drawable(surface)
  const [least, most] = [Math.log(minOf(values)), Math.log(maxOf(values))]
  const height = (value: number): number => (most === least ? 0 : (2 * (Math.log(value) - least)) / (most - least) - 1)
  const place = (i: number, j: number): [number, number] => [
    (2 * i) / (surface.x.length - 1) - 1,
    (2 * j) / (surface.y.length - 1) - 1,
  ]
  const corners = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ] as const
  const faces: { depth: number; points: OnPage[]; loss: number }[] = []
  for (let j = 0; j + 1 < surface.y.length; j++)
    for (let i = 0; i + 1 < surface.x.length; i++) {
      const losses = corners.map(([di, dj]) => surface.loss[j + dj]![i + di]!)
      if (losses.some((loss) => loss === null || loss <= 0)) continue
      const points = corners.map(([di, dj], k) => seen(...place(i + di, j + dj), height(losses[k]!)))
      faces.push({
        depth: points.reduce((sum, { depth }) => sum + depth, 0) / 4,
        points,
        loss: Math.exp(losses.reduce((sum, loss) => sum + Math.log(loss), 0) / 4),
      })
    }
  faces.sort((a, b) => b.depth - a.depth)
  return faces.flatMap(({ points, loss }, face) => points.map(({ x, y }, at) => ({ x, y, at, face, loss })))
}
