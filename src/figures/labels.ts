import type { Frame, OnPage } from './orthographic.js'

/** Pixels that a label such as `95.3` takes, with a little air. */
export const labelSize = { font: 10, width: 28, height: 12 }
/** Where a label may stand about its point, in pixels from one centre to the other, the best place first. */
const places = [
  [0, -11],
  [20, 0],
  [-20, 0],
  [0, 11],
  [19, -9],
  [-19, -9],
  [19, 9],
  [-19, 9],
] as const

/** A point of a run, the runs' points in order one run after another. */
interface Labelled extends OnPage {
  readonly run: string
  readonly accuracy: number
}

/**
 * Labels that lie on no point, path or other label and inside the frame, at the place where they stand; the first and
 * last points of runs choose before others, and a point without room has none.
 */
export function withRoom<T extends Labelled>(points: readonly T[], frame: Frame): (T & { readonly label: string })[] {
  const [perX, perY] = [frame.width / (frame.x[1] - frame.x[0]), frame.height / (frame.y[1] - frame.y[0])]
  const inPixels = points.map(({ x, y }) => [(x - frame.x[0]) * perX, (frame.y[1] - y) * perY] as const)
  const joined = (i: number): boolean => points[i - 1]?.run === points[i]!.run
  const taken = inPixels.flatMap((here, i) => (joined(i) ? alongLine(inPixels[i - 1]!, here) : [here]))
  const isEnd = points.map((_, i) => !joined(i) || points[i + 1]?.run !== points[i]!.run)
  const inTurn = [...points.keys()].sort((i, j) => Number(isEnd[j]) - Number(isEnd[i]))

  const { width: wide, height: high } = labelSize
  const placed: { readonly at: readonly [number, number]; readonly label: T & { label: string } }[] = []
  const free = ([x, y]: readonly [number, number]): boolean =>
    x > wide / 2 &&
    x < frame.width - wide / 2 &&
    y > high / 2 &&
    y < frame.height - high / 2 &&
    taken.every(([px, py]) => Math.abs(px - x) > wide / 2 || Math.abs(py - y) > high / 2) &&
    placed.every(({ at: [px, py] }) => Math.abs(px - x) > wide || Math.abs(py - y) > high)
  for (const i of inTurn) {
    const [x, y] = inPixels[i]!
    const at = places.map(([dx, dy]) => [x + dx, y + dy] as const).find(free)
    if (at === undefined) continue
    const place = { x: frame.x[0] + at[0] / perX, y: frame.y[1] - at[1] / perY }
    placed.push({ at, label: { ...points[i]!, ...place, label: (points[i]!.accuracy * 100).toFixed(1) } })
  }
  return placed.map(({ label }) => label)
}

/** Points at most four pixels apart on the way from one to the other, the latter among them. */
function alongLine([x0, y0]: readonly [number, number], [x1, y1]: readonly [number, number]): [number, number][] {
  const count = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / 4))
  return Array.from({ length: count }, (_, k) => {
    const share = (k + 1) / count
    return [x0 + (x1 - x0) * share, y0 + (y1 - y0) * share]
  })
}
