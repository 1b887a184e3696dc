import { pairs, type Pair, type Point, type Tags } from './wire.js'

/** Hundreds, and each NaN by itself. */
export function* cautiousBatches(points: readonly Point[]): Generator<Point[]> {
  for (const point of points) if (Number.isNaN(point.value)) yield [point]
  const numbers = points.filter((point) => !Number.isNaN(point.value))
  for (let at = 0; at < numbers.length; at += 100) yield numbers.slice(at, at + 100)
}

const limits = { items: 1000, params: 100, tags: 100, bytes: 900_000 }

export type Batch = { params: Pair[]; tags: Pair[]; metrics: Point[] }

/** Cuts to what one log-batch may hold: 1000 items of which 100 parameters and 100 tags, and under a megabyte. */
export function* batches(what: { params?: Tags; tags?: Tags; points?: readonly Point[] }): Generator<Batch> {
  const empty = (): Batch => ({ params: [], tags: [], metrics: [] })
  let batch = empty()
  let bytes = 0
  const full = (size: number): boolean =>
    batch.params.length + batch.tags.length + batch.metrics.length >= limits.items || bytes + size > limits.bytes
  for (const kind of ['params', 'tags'] as const) {
    for (const pair of pairs(what[kind] ?? {})) {
      const size = 30 + 3 * (pair.key.length + pair.value.length)
      if (full(size) || batch[kind].length >= limits[kind]) {
        yield batch
        batch = empty()
        bytes = 0
      }
      batch[kind].push(pair)
      bytes += size
    }
  }
  for (const point of what.points ?? []) {
    const size = 100 + 3 * point.key.length
    if (full(size)) {
      yield batch
      batch = empty()
      bytes = 0
    }
    batch.metrics.push(point)
    bytes += size
  }
  if (bytes > 0) yield batch
}
