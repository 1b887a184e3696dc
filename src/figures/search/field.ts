import type { SearchedAxis } from './settings.js'
import { placeOn, valueOn } from './scales.js'

/** A setting over a pair of axes, and the share of the others that are behind it. */
export interface FieldPoint {
  readonly x: number
  readonly y: number
  readonly behind: number
}

/** A rectangle of the field, in values of the axes, and the middle of the fifth in which its share lies. */
export interface FieldPart extends FieldPoint {
  readonly x2: number
  readonly y2: number
}

/** Fewer settings say nothing of what lies between them; more add nothing to see. */
const [fewest, most] = [10, 1_000]
/** Cells along an axis of numbers. */
const cells = 25
const overhang = 0.1 / cells
const levels = 5
/** Farther than this from every setting, in lengths of an axis, nothing is known, and nothing is drawn. */
const reach = 0.25
/** So near settings count alike: one would have all the weight at its place, and chance would show. */
const near = 0.05

/**
 * What lies between the settings over two axes: the mean of their shares, each by the inverse square of its distance along the
 * axes as they are drawn (Shepard 1968, "A two-dimensional interpolation function for irregularly-spaced data"), in five
 * levels. A choice is a band of its own, to which settings of other choices add nothing. Other axes are averaged over.
 */
export function fieldOf(given: readonly FieldPoint[], across: SearchedAxis, up: SearchedAxis): FieldPart[] {
  const points = given
    .slice(-most)
    .map(({ x, y, behind }) => ({ at: [placeOn(across, x), placeOn(up, y)], x, y, behind }))
  if (points.length < fewest) return []
  const [columns, rows] = [cellsOf(across), cellsOf(up)]
  return rows.flatMap((row) => {
    const parts: FieldPart[] = []
    for (const column of columns) {
      const among = points.filter(({ x, y }) => (column.choice ?? x) === x && (row.choice ?? y) === y)
      const share = shareAt(column.place, row.place, among)
      if (share === undefined) continue
      const behind = (Math.min(levels - 1, Math.floor(share * levels)) + 0.5) / levels
      const last = parts.at(-1)
      // Cells of one level in a row are one rectangle: the drawing is a fifth of the size.
      const isJoined = last?.behind === behind && last.x2 === column.from && column.choice === undefined
      if (isJoined) parts[parts.length - 1] = { ...last, x2: column.to }
      else parts.push({ x: column.from, x2: column.to, y: row.from, y2: row.to, behind })
    }
    return parts.map((part) => ({ ...part, x2: under(across, part.x2), y2: under(up, part.y2) }))
  })
}

/** A little under the next cell, which is drawn later: a renderer lets white through where they only touch. */
const under = (searched: SearchedAxis, to: number): number =>
  searched.axis.kind === 'choice' ? to : valueOn(searched, placeOn(searched, to) + overhang)

interface CellAlong {
  readonly from: number
  readonly to: number
  /** Of its middle, 0 to 1. */
  readonly place: number
  readonly choice?: number
}

function cellsOf(searched: SearchedAxis): CellAlong[] {
  const { axis } = searched
  if (axis.kind === 'choice')
    return Array.from({ length: axis.choices }, (_, choice) => ({
      ...{ from: choice - 0.5, to: choice + 0.5, choice },
      place: placeOn(searched, choice),
    }))
  if (axis.low === axis.high) return []
  const edges = Array.from({ length: cells + 1 }, (_, i) => valueOn(searched, i / cells))
  return Array.from({ length: cells }, (_, i) => ({ from: edges[i]!, to: edges[i + 1]!, place: (i + 0.5) / cells }))
}

function shareAt(
  x: number,
  y: number,
  points: readonly { readonly at: readonly number[]; readonly behind: number }[],
): number | undefined {
  let [weights, sum, nearest] = [0, 0, Infinity]
  for (const { at, behind } of points) {
    const square = (at[0]! - x) ** 2 + (at[1]! - y) ** 2
    const weight = 1 / (square + near ** 2)
    weights += weight
    sum += weight * behind
    nearest = Math.min(nearest, square)
  }
  return nearest > reach ** 2 ? undefined : sum / weights
}
