import { TSNE } from '@saehrimnir/druidjs'

/**
 * t-SNE in the plane (van der Maaten and Hinton 2008) of few rows, `[rows]` → `[rows][2]`; the same seed gives the same
 * map. Distances between clusters, and the axes, mean nothing. `perplexity` (default 30) is at most a third of the rows.
 */
export function tSne(
  rows: readonly ArrayLike<number>[],
  { seed, perplexity = 30, iterations = 500 }: { seed: number; perplexity?: number; iterations?: number },
): number[][] {
  const bounded = Math.max(1, Math.min(perplexity, Math.floor((rows.length - 1) / 3)))
  const map = new TSNE(
    rows.map((row) => Array.from(row)),
    { d: 2, perplexity: bounded, epsilon: 10, seed },
  )
  return map.transform(iterations).map((point) => Array.from(point))
}
