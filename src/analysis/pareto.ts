import { lexicographic, paretoFront, paretoRanks } from '../core/pareto-ranks.js'

/** Several objectives at once, all of them to be minimised. */

/** The volume between the points and a reference point, of which only what lies below it in every objective counts. */
export function hypervolume(points: readonly ArrayLike<number>[], reference: ArrayLike<number>): number {
  const inside = points.filter((point) => Array.from(point).every((value, k) => value < reference[k]!))
  const front = paretoFront(inside).map((i) => Float64Array.from(inside[i]!))
  front.sort(lexicographic)
  return reference.length === 2 ? staircase(front, reference) : volumeOf(front, reference)
}

/** Of two objectives: rectangles from left to right, over points in the order of the first. */
function staircase(front: readonly Float64Array[], reference: ArrayLike<number>): number {
  let [volume, height] = [0, reference[1]!]
  for (const point of front) {
    volume += (reference[0]! - point[0]!) * Math.max(0, height - point[1]!)
    height = Math.min(height, point[1]!)
  }
  return volume
}

/**
 * Of any number (WFG, While et al. 2012): each point adds its box without what the points behind it have of that box,
 * which is the volume of those points moved into the box.
 */
function volumeOf(front: readonly Float64Array[], reference: ArrayLike<number>): number {
  let volume = 0
  front.forEach((point, i) => {
    const moved = front.slice(i + 1).map((other) => other.map((value, k) => Math.max(value, point[k]!)))
    const kept = paretoFront(moved).map((at) => moved[at]!)
    volume += boxOf(point, reference) - (kept.length === 0 ? 0 : volumeOf(kept, reference))
  })
  return volume
}

const boxOf = (point: Float64Array, reference: ArrayLike<number>): number =>
  point.reduce((product, value, k) => product * (reference[k]! - value), 1)

/**
 * Which `count` points together have much hypervolume: greedily, each time the one that adds most, the first of equal
 * ones (at least 1 − 1/e of the most there is: Nemhauser et al. 1978). What a point adds only falls as others are
 * chosen, so that only those are worked out anew whose last addition is still the largest (Minoux 1978).
 */
export function hypervolumeSubset(
  points: readonly ArrayLike<number>[],
  reference: ArrayLike<number>,
  count: number,
): number[] {
  const chosen: number[] = []
  let volume = 0
  const additions = Float64Array.from(points, (point) => hypervolume([point], reference))
  const workedOut = new Int32Array(points.length)
  while (chosen.length < Math.min(count, points.length)) {
    let best = -1
    for (;;) {
      best = -1
      for (let i = 0; i < points.length; i++) if (best < 0 || additions[i]! > additions[best]!) best = i
      if (workedOut[best] === chosen.length) break
      additions[best] =
        hypervolume(
          [...chosen, best].map((i) => points[i]!),
          reference,
        ) - volume
      workedOut[best] = chosen.length
    }
    volume += additions[best]!
    chosen.push(best)
    additions[best] = -Infinity
  }
  return chosen.sort((a, b) => a - b)
}

/**
 * Which `count` points are the best: whole fronts while they fit, and of the one that does not, the subset with the most
 * hypervolume.
 */
export function bestOfFronts(points: readonly ArrayLike<number>[], count: number): number[] {
  const ranks = paretoRanks(points)
  const order = points.map((_, i) => i).sort((a, b) => ranks[a]! - ranks[b]! || a - b)
  const straddling = ranks[order[count] ?? -1]
  if (straddling === undefined) return order
  const whole = order.filter((i) => ranks[i]! < straddling)
  const front = order.filter((i) => ranks[i] === straddling)
  const own = front.map((i) => points[i]!)
  const chosen = hypervolumeSubset(own, referencePoint(own), count - whole.length)
  return [...whole, ...chosen.map((at) => front[at]!)]
}

/** A point a tenth behind the worst of each objective (as Optuna 5 has it): the larger of 1.1 w and 0.9 w, not 0. */
export function referencePoint(points: readonly ArrayLike<number>[]): Float64Array {
  return Float64Array.from(points[0]!, (_, k) => {
    let worst = -Infinity
    for (const point of points) worst = Math.max(worst, point[k]!)
    return Math.max(1.1 * worst, 0.9 * worst) || 1e-12
  })
}

/**
 * Of each point of one front, how lonely it is: the sum over objectives of the distance between its two neighbours, in
 * units of the front's range; infinite at the ends (Deb et al. 2002).
 */
export function crowdingDistances(front: readonly ArrayLike<number>[]): Float64Array {
  const distances = new Float64Array(front.length)
  for (let k = 0; k < (front[0]?.length ?? 0); k++) {
    const order = front.map((_, i) => i).sort((a, b) => front[a]![k]! - front[b]![k]! || a - b)
    const [first, last] = [order[0]!, order.at(-1)!]
    const range = front[last]![k]! - front[first]![k]!
    distances[first] = distances[last] = Infinity
    for (let i = 1; i < order.length - 1; i++)
      if (range > 0) distances[order[i]!]! += (front[order[i + 1]!]![k]! - front[order[i - 1]!]![k]!) / range
  }
  return distances
}

export { dominates, paretoFront, paretoRanks } from '../core/pareto-ranks.js'
