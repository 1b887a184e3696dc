import type { Point } from '../rest/wire.js'

/** The latest point of each metric, as MLflow picks it: of the highest step, of those the newest, of those the largest. */
export function latestOf(points: Iterable<Point>): Map<string, Point> {
  const latest = new Map<string, Point>()
  for (const point of points) {
    const before = latest.get(point.key)
    if (before === undefined || isLater(point, before)) latest.set(point.key, point)
  }
  return latest
}

/** NaN counts as 0, as MLflow keeps it. */
export function isLater(a: Point, b: Point): boolean {
  const rank = ({ step, timestamp, value }: Point): number[] => [step, timestamp, Number.isNaN(value) ? 0 : value]
  const [ours, theirs] = [rank(a), rank(b)]
  const differing = ours.findIndex((part, i) => part !== theirs[i])
  return differing >= 0 && ours[differing]! > theirs[differing]!
}
