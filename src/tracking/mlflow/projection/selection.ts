/** A series keeps its first reports whole, then ever sparser ones: known while it grows, never over 300 in all. */
const wholeReports = 200
const sparseReports = 98
const sparse = new Set(
  Array.from({ length: sparseReports }, (_, j) => Math.round(wholeReports * 5000 ** ((j + 1) / sparseReports))),
)
/** Points a metric that a run holds at most. MLflow's own charts show 320. */
export const maxPoints = 300

/** Whether report `index` (from 0) is logged while its attempt runs. */
export function isKeptLive(index: number): boolean {
  return index < wholeReports || sparse.has(index)
}

/**
 * Which of `count` reports a run holds: while it runs those known to stay, and when it has ended all of a series of at
 * most 300, else the same and the last.
 */
export function keptReports(count: number, ended: boolean): number[] {
  const all = Array.from({ length: count }, (_, i) => i)
  if (!ended) return all.filter(isKeptLive)
  return count <= maxPoints ? all : all.filter((i) => isKeptLive(i) || i === count - 1)
}
