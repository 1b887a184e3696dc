/** How what was made again compares, as the end of a sentence: `same`, or how many come out otherwise. */
export function sameOrOthers(others: readonly string[], same: string): string {
  if (others.length === 0) return same
  return others.length === 1 ? '1 comes out otherwise' : `${others.length} come out otherwise`
}
