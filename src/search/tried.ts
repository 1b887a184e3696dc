import type { Random } from '../core/seed.js'
import { buildPoint, countValues, drawValue, holds, nearestValue, pointKey, valueAbove, valueAt } from './space.js'
import type { NumberAxis, SearchAxis, SearchPoint } from './space.js'

/** The points that must not be suggested again. */
export class Tried {
  readonly #keys = new Set<string>()

  constructor(private readonly space: readonly SearchAxis[]) {}

  add(point: SearchPoint): void {
    this.#keys.add(pointKey(this.space, point))
  }

  /** These points and those of `pending`, for one suggestion. */
  with(pending: readonly SearchPoint[]): (point: SearchPoint) => boolean {
    const keys = new Set(pending.map((point) => pointKey(this.space, point)))
    return (point) => {
      const key = pointKey(this.space, point)
      return this.#keys.has(key) || keys.has(key)
    }
  }
}

const draws = 64

/**
 * A random point that is not among those tried, or `undefined` where there is none left. When draw after draw has been
 * tried, the space is walked from a random corner: it meets one tried point after the other, and then a new one or the end.
 */
export function untriedPoint(
  space: readonly SearchAxis[],
  isTried: (point: SearchPoint) => boolean,
  random: Random,
): SearchPoint | undefined {
  for (let draw = 0; draw < draws; draw++) {
    const point = buildPoint(space, (axis) => drawValue(axis, random))
    if (!isTried(point)) return point
  }
  for (const point of walk(space, random)) if (!isTried(point)) return point
  return undefined
}

/** Every point of the space once. */
function* walk(space: readonly SearchAxis[], random: Random, point: SearchPoint = {}, at = 0): Generator<SearchPoint> {
  const axis = space[at]
  if (axis === undefined) yield buildPoint(space, ({ name }) => point[name]!)
  else if (!holds(axis, point)) yield* walk(space, random, point, at + 1)
  else
    for (const value of valuesFrom(axis, random)) yield* walk(space, random, { ...point, [axis.name]: value }, at + 1)
}

function* valuesFrom(axis: SearchAxis, random: Random): Generator<number> {
  const count = countValues(axis)
  if (axis.kind !== 'choice' && count === Infinity) {
    yield* numbersFrom(axis, drawValue(axis, random))
    return
  }
  const start = random.uniform()
  for (let k = 0; k < count; k++) yield valueAt(axis, (Math.floor(start * count) + k) % count)
}

/** Every number of an axis without steps once, upwards from one of them and then from the low end: a narrow range has few. */
function* numbersFrom(axis: NumberAxis, start: number): Generator<number> {
  for (let value: number | undefined = start; value !== undefined; value = valueAbove(axis, value)) yield value
  const low = nearestValue(axis, axis.low)
  for (let value = low; value < start; value = valueAbove(axis, value)!) yield value
}
