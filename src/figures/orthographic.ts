import { maxOf, minOf } from '../core/extremes.js'

/**
 * Bodies on paper: what lies in the cube −1…1 seen from one side and above, without perspective. vega-lite has two
 * dimensions, so whoever draws three projects first.
 */

/** Turned about the vertical, then tipped towards the eye, in radians. */
const view = { turn: -0.65, tilt: 0.78 }
const [cosTurn, sinTurn] = [Math.cos(view.turn), Math.sin(view.turn)]
const [cosTilt, sinTilt] = [Math.cos(view.tilt), Math.sin(view.tilt)]
const scale = 0.72
/** Heights are drawn a little more than half as long as the other two, lest a body be taller than a page is wide. */
const heightScale = 0.55

/** A place on the page. */
export interface OnPage {
  readonly x: number
  readonly y: number
}

/** The part of the plane that is drawn, and its size in pixels. */
export interface Frame {
  readonly x: readonly [number, number]
  readonly y: readonly [number, number]
  readonly width: number
  readonly height: number
}

/** Where a point of the cube is seen, and how far away it is. */
export function seen(a: number, b: number, up: number): OnPage & { readonly depth: number } {
  const [across, away] = [a * cosTurn - b * sinTurn, a * sinTurn + b * cosTurn]
  return {
    x: across * scale,
    y: (up * heightScale * cosTilt + away * sinTilt) * scale,
    depth: away * cosTilt - up * heightScale * sinTilt,
  }
}

/** What an axis is called, and the values at −1 and 1. */
export interface BoxAxis {
  readonly title: string
  readonly ends: readonly [number, number]
}

interface Box {
  readonly lines: readonly (OnPage & { readonly line: string; readonly at: number })[]
  readonly labels: readonly (OnPage & { readonly text: string })[]
}

const corners = [
  [-1, -1],
  [1, -1],
  [1, 1],
  [-1, 1],
] as const

/** The bottom of the cube, with names and ends of the two axes along its nearer sides. */
export function floorOf([across, away]: readonly [BoxAxis, BoxAxis]): Box {
  return {
    lines: polyline(
      'floor',
      [...corners, corners[0]].map(([a, b]) => [a, b, -1] as const),
    ),
    labels: [
      label(across.title, 0, -1.3),
      label(number(across.ends[0]), -0.92, -1.12),
      label(number(across.ends[1]), 0.86, -1.12),
      label(away.title, 1.35, 0),
      label(number(away.ends[0]), 1.13, -0.9),
      label(number(away.ends[1]), 1.13, 0.9),
    ],
  }
}

/** The cube's floor and its two farther walls, the third axis along the edge at the left. */
export function boxOf([across, away, up]: readonly [BoxAxis, BoxAxis, BoxAxis]): Box {
  const floor = floorOf([across, away])
  const [left, , right, farthest] = corners
  return {
    lines: [
      ...floor.lines,
      ...[left, farthest, right].flatMap(([a, b], i) =>
        polyline(
          `edge ${i}`,
          ([-1, 1] as const).map((height) => [a, b, height] as const),
        ),
      ),
      ...polyline(
        'top',
        [left, farthest, right].map(([a, b]) => [a, b, 1] as const),
      ),
    ],
    labels: [
      ...floor.labels,
      label(up.title, -1, -1, 1.6),
      label(number(up.ends[0]), -1.1, -1.08, -0.9),
      label(number(up.ends[1]), -1.1, -1.08, 1.05),
    ],
  }
}

function polyline(line: string, points: readonly (readonly [number, number, number])[]): Box['lines'][number][] {
  return points.map((point, at) => {
    const { x, y } = seen(...point)
    return { x, y, at, line }
  })
}

/** Below the floor unless it says how high. */
function label(text: string, a: number, b: number, up = -1.24): Box['labels'][number] {
  const { x, y } = seen(a, b, up)
  return { text, x, y }
}

const number = (value: number): string => String(Number(value.toPrecision(3)))

interface PageEncoding {
  readonly x: object
  readonly y: object
}

/** The two channels of a page that holds all these places, without axes of their own. */
export function pageOf(places: readonly OnPage[]): PageEncoding & { readonly frame: Pick<Frame, 'x' | 'y'> } {
  const heights = places.map(({ y }) => y)
  const frame = { x: [-1.1, 1.16], y: [minOf(heights) - 0.06, maxOf(heights) + 0.06] } as const
  const channel = (field: 'x' | 'y') => ({
    field,
    type: 'quantitative',
    axis: null,
    scale: { domain: [...frame[field]], nice: false },
  })
  return { x: channel('x'), y: channel('y'), frame }
}

/** Layers of a box's lines and labels. */
export const boxLines = ({ lines }: Box, { x, y }: PageEncoding): object => ({
  data: { values: lines },
  mark: { type: 'line', color: '#ccc', strokeWidth: 1 },
  encoding: { x, y, detail: { field: 'line' }, order: { field: 'at', type: 'quantitative' } },
})
export const boxLabels = ({ labels }: Box, { x, y }: PageEncoding): object => ({
  data: { values: labels },
  mark: { type: 'text', fontSize: 12, color: '#333' },
  encoding: { x, y, text: { field: 'text', type: 'nominal' } },
})
