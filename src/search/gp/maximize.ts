import { exp } from '../../analysis/elementary.js'
import type { Random } from '../../core/seed.js'
import type { Acquisition } from './acquisition.js'
import { minimizeInBox } from './minimize.js'

/** An axis of the unit cube as the search for the largest acquisition moves along it. */
export interface Direction {
  /** The places it can have; undefined where it can have any. */
  readonly grid?: readonly number[]
  /** Places without order: each is tried. */
  readonly isChoice: boolean
  /** Along which the acquisition changes much. */
  readonly lengthScale: number
}

const starts = 10
const rounds = 100
/** A grid of more places is searched by steps that are halved. */
const exhaustive = 16

/**
 * Points with a large acquisition, the best first: from the best candidate and others drawn by exp(acquisition), gradients
 * along the axes that are continuous take turns with steps along each of the others until none gains.
 */
export function maximize(
  acquisition: Acquisition,
  directions: readonly Direction[],
  candidates: readonly Float64Array[],
  incumbent: Float64Array | undefined,
  random: Random,
): { readonly point: Float64Array; readonly value: number }[] {
  const scored = candidates.map((point) => ({ point, value: acquisition(point) }))
  const chosen = roulette(scored, starts - (incumbent === undefined ? 0 : 1), random)
  if (incumbent !== undefined) chosen.push({ point: incumbent, value: acquisition(incumbent) })
  const found = chosen.map((start) => climb(acquisition, directions, start))
  return [...found, ...scored].sort((a, b) => b.value - a.value)
}

interface Scored {
  readonly point: Float64Array
  readonly value: number
}

/** The best, and others without replacement by chances of exp(value − best). */
function roulette(scored: readonly Scored[], count: number, random: Random): Scored[] {
  const best = scored.reduce((a, b) => (b.value > a.value ? b : a))
  const chosen = [best]
  const chances = scored.map((one) => (one === best ? 0 : exp(one.value - best.value)))
  while (chosen.length < count) {
    const total = chances.reduce((sum, chance) => sum + chance, 0)
    if (!(total > 0)) break
    let left = random.uniform() * total
    let at = chances.findIndex((chance) => chance > 0 && (left -= chance) < 0)
    if (at < 0) at = chances.findLastIndex((chance) => chance > 0)
    chosen.push(scored[at]!)
    chances[at] = 0
  }
  return chosen
}

function climb(acquisition: Acquisition, directions: readonly Direction[], start: Scored): Scored {
  let best = start
  for (let round = 0; round < rounds; round++) {
    const before = best.value
    best = alongContinuous(acquisition, directions, best)
    directions.forEach((direction, a) => {
      if (direction.grid !== undefined) best = alongGrid(acquisition, direction.grid, direction.isChoice, a, best)
    })
    if (!(best.value > before) || directions.every(({ grid }) => grid === undefined)) break
  }
  return best
}

/** By gradients, in units of the length scales, so that every axis bends alike. */
function alongContinuous(acquisition: Acquisition, directions: readonly Direction[], start: Scored): Scored {
  const moving = directions.flatMap(({ grid }, a) => (grid === undefined ? [a] : []))
  if (moving.length === 0) return start
  const scales = moving.map((a) => directions[a]!.lengthScale)
  const placed = (scaled: Float64Array): Float64Array => {
    const point = Float64Array.from(start.point)
    moving.forEach((a, k) => (point[a] = Math.min(1, scaled[k]! * scales[k]!)))
    return point
  }
  const { point, slope } = minimizeInBox(
    (scaled) => {
      const gradient = new Float64Array(directions.length)
      const value = acquisition(placed(scaled), gradient)
      return { loss: -value, gradient: Float64Array.from(moving, (a, k) => -gradient[a]! * scales[k]!) }
    },
    moving.map((a, k) => start.point[a]! / scales[k]!),
    { low: moving.map(() => 0), high: scales.map((scale) => 1 / scale), steps: 200, tolerance: 1e-2 },
  )
  return -slope.loss > start.value ? { point: placed(point), value: -slope.loss } : start
}

/** Every place of a short grid or of choices; of a long one, steps of an eighth of it, halved until they are 1. */
function alongGrid(
  acquisition: Acquisition,
  grid: readonly number[],
  isChoice: boolean,
  axis: number,
  start: Scored,
): Scored {
  let best = start
  const gains = (place: number): boolean => {
    if (grid[place] === undefined || grid[place] === best.point[axis]) return false
    const point = Float64Array.from(best.point)
    point[axis] = grid[place]
    const value = acquisition(point)
    if (!(value > best.value)) return false
    best = { point, value }
    return true
  }
  if (isChoice || grid.length <= exhaustive) {
    for (let place = 0; place < grid.length; place++) gains(place)
    return best
  }
  let at = nearest(grid, start.point[axis]!)
  for (let step = Math.ceil(grid.length / 8); ; step = Math.ceil(step / 2)) {
    for (;;) {
      if (gains(at + step)) at += step
      else if (gains(at - step)) at -= step
      else break
    }
    if (step === 1) return best
  }
}

function nearest(grid: readonly number[], place: number): number {
  let best = 0
  for (let i = 1; i < grid.length; i++) if (Math.abs(grid[i]! - place) < Math.abs(grid[best]! - place)) best = i
  return best
}
