import { log } from './elementary.js'
import { normalMass } from './normal.js'

/** An axis whose importance is asked for: numbers by their place on a grid, or choices by their index. */
export type ImportanceAxis =
  | {
      readonly name: string
      readonly kind: 'float' | 'int'
      readonly low: number
      readonly high: number
      readonly log?: boolean
      readonly step?: number
    }
  | { readonly name: string; readonly kind: 'choice'; readonly choices: number }

/** Grids have at most so many places. */
const longestGrid = 50

/**
 * How much each axis has to do with being among the best trials, in shares of 1: PED-ANOVA (Watanabe et al. 2023,
 * arXiv 2304.10255; conditional axes by Hirose et al. 2026, arXiv 2601.20800), with the densities of Optuna 5.
 *
 * Of each axis: (top/all)² · α²/β · Σₓ p_all(x) (p_top(x)/p_all(x) − 1)², where the densities are of the trials that
 * have the axis, and α and β are the shares of the best and of all trials that have it. All 0 where nothing differs. At
 * least 5 best trials make it steady.
 *
 * `isTop` says of each point whether it is one of the best.
 */
export function pedAnova(
  axes: readonly ImportanceAxis[],
  points: readonly Readonly<Record<string, number>>[],
  isTop: readonly boolean[],
): Map<string, number> {
  const top = isTop.filter(Boolean).length
  const raw = axes.map((axis) => {
    const having = points.map((_, i) => i).filter((i) => Object.hasOwn(points[i]!, axis.name))
    const best = having.filter((i) => isTop[i])
    const size = gridSize(axis)
    if (having.length < 2 || best.length === 0 || size < 2) return 0
    const placesOf = (some: readonly number[]): number[] => some.map((i) => placeOf(axis, size, points[i]![axis.name]!))
    const among = densityOf(axis, size, placesOf(best))
    const all = densityOf(axis, size, placesOf(having))
    let divergence = 0
    for (let x = 0; x < size; x++) {
      const ratio = among[x]! / all[x]! - 1
      divergence += all[x]! * ratio * ratio
    }
    const [alpha, beta] = [best.length / top, having.length / points.length]
    return ((alpha * alpha) / beta) * divergence
  })
  const total = raw.reduce((sum, value) => sum + value, 0)
  return new Map(axes.map(({ name }, a) => [name, total === 0 ? 0 : raw[a]! / total]))
}

function gridSize(axis: ImportanceAxis): number {
  if (axis.kind === 'choice') return axis.choices
  if (axis.low === axis.high) return 1
  const range = axis.high - axis.low
  if (axis.kind === 'int' && axis.log === true) {
    let doublings = 0
    for (let reach = 1; reach < range + 1; reach *= 2) doublings++
    return Math.min(longestGrid, doublings + 1)
  }
  const step = axis.step ?? (axis.kind === 'int' ? 1 : undefined)
  return step === undefined ? longestGrid : Math.min(longestGrid, Math.round(range / step) + 1)
}

function placeOf(axis: ImportanceAxis, size: number, value: number): number {
  if (axis.kind === 'choice') return value
  const measure = (x: number): number => (axis.log === true ? log(x) : x)
  const step = (measure(axis.high) - measure(axis.low)) / (size - 1)
  // Midpoints belong to the lower place.
  const place = Math.ceil((measure(value) - measure(axis.low)) / step - 0.5)
  return Math.max(0, Math.min(size - 1, place))
}

/** The share of each place by kernels at the places seen, as often as they were, and one kernel of the prior. */
function densityOf(axis: ImportanceAxis, size: number, places: readonly number[]): Float64Array {
  const counts = new Float64Array(size)
  for (const place of places) counts[place]!++
  const seen = Array.from(counts.keys()).filter((place) => counts[place]! > 0)
  const density = new Float64Array(size)
  const add = (kernel: (x: number) => number, weight: number): void => {
    for (let x = 0; x < size; x++) density[x]! += (weight * kernel(x)) / (places.length + 1)
  }
  if (axis.kind === 'choice') {
    const share = 1 / (seen.length + 1)
    for (const own of seen) add((x) => ((x === own ? 1 : 0) + share) / (1 + size * share), counts[own]!)
    add(() => 1 / size, 1)
  } else {
    const bandwidth = scott(seen, counts, places.length)
    const kernel = (centre: number, deviation: number) => (x: number) =>
      normalMass((x - 0.5 - centre) / deviation, (x + 0.5 - centre) / deviation) /
      normalMass((-0.5 - centre) / deviation, (size - 0.5 - centre) / deviation)
    for (const own of seen) add(kernel(own, bandwidth), counts[own]!)
    add(kernel((size - 1) / 2, size), 1)
  }
  return density.map((value) => value + 1e-12)
}

/** 1.059 · min(interquartile range / 1.34, standard deviation) · n^(−1/5) (Scott 1992), at least what gives 90 % to a place. */
function scott(seen: readonly number[], counts: Float64Array, n: number): number {
  let [sum, squares] = [0, 0]
  for (const place of seen) sum += place * counts[place]!
  for (const place of seen) squares += (place - sum / n) * (place - sum / n) * counts[place]!
  const deviation = Math.sqrt(squares / Math.max(1, n - 1))
  const cumulated: number[] = []
  for (const place of seen) cumulated.push((cumulated.at(-1) ?? 0) + counts[place]!)
  const first = cumulated.findIndex((count) => count >= Math.floor(n / 4))
  const third = cumulated.findIndex((count) => count > Math.floor((n * 3) / 4))
  const range = seen[third < 0 ? seen.length - 1 : third]! - seen[first]!
  return Math.max(0.5 / 1.64, 1.059 * Math.min(range / 1.34, deviation) * fifthRoot(1 / n))
}

/** x^(1/5) by Newton's steps from above. */
function fifthRoot(x: number): number {
  let root = 1
  for (let step = 0; step < 100; step++) {
    const next = (4 * root + x / (root * root * root * root)) / 5
    if (next >= root) break
    root = next
  }
  return root
}
