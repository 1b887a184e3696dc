/** Which points no other beats, where each has several numbers, all of them to be minimised. */

/** Whether a is nowhere worse than b and somewhere better. */
export function dominates(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  let better = false
  for (let k = 0; k < a.length; k++) {
    if (a[k]! > b[k]!) return false
    if (a[k]! < b[k]!) better = true
  }
  return better
}

/** Negative where a comes before b in the order of first objectives, then second ones, and so on. */
export function lexicographic(a: ArrayLike<number>, b: ArrayLike<number>): number {
  for (let k = 0; k < a.length; k++) if (a[k]! !== b[k]!) return a[k]! - b[k]!
  return 0
}

/**
 * Of each point its front: 0 for those that no other dominates, 1 for those that only points of front 0 dominate, and so
 * on; equal points share theirs. Efficient non-dominated sorting (Zhang et al. 2015), O(n log n) of two objectives.
 */
export function paretoRanks(points: readonly ArrayLike<number>[]): Int32Array {
  const order = points.map((_, i) => i).sort((a, b) => lexicographic(points[a]!, points[b]!) || a - b)
  const fronts: number[][] = []
  const ranks = new Int32Array(points.length)
  // Nothing that comes later dominates what came before; of two objectives, the front's last has the smallest second.
  const isDominated = (front: readonly number[], i: number): boolean =>
    points[i]!.length <= 2
      ? dominates(points[front.at(-1)!]!, points[i]!)
      : front.some((other) => dominates(points[other]!, points[i]!))
  for (const i of order) {
    let [from, to] = [0, fronts.length]
    while (from < to) {
      const middle = (from + to) >>> 1
      if (isDominated(fronts[middle]!, i)) from = middle + 1
      else to = middle
    }
    ranks[i] = from
    if (from === fronts.length) fronts.push([i])
    else fronts[from]!.push(i)
  }
  return ranks
}

/** Which points no other dominates, in their order. */
export function paretoFront(points: readonly ArrayLike<number>[]): number[] {
  const ranks = paretoRanks(points)
  return points.flatMap((_, i) => (ranks[i] === 0 ? [i] : []))
}
