import { groupBy } from '../core/group-by.js'
import { principalComponents, type PcaOptions } from './principal-components.js'
import { tSne } from './t-sne.js'
import { addScaled } from './vectors.js'

/** How the weights of several runs are brought down to a few dimensions. */
export const reductions = ['joint', 'per-run', 'relative-to-final', 't-sne'] as const
type Reduction = (typeof reductions)[number]

/** t-SNE sees the rows in so many principal components: their distances are all it looks at. */
const componentsForTSne = 50

/** As many as the figures in space show. */
const dimensions = 3

/**
 * Points in space for the rows of all runs, in the plane for t-SNE: principal components of all rows together, of each run
 * alone and uncentred, or of the differences from each run's last row (Li et al. 2018). `explained` are shares of the
 * variance along each axis; for runs reduced one by one the mean of their shares, for t-SNE none.
 */
export function reducePaths(
  rows: readonly ArrayLike<number>[],
  runs: readonly string[],
  reduction: Reduction,
  seed: number,
): { points: readonly ArrayLike<number>[]; explained: readonly number[] } {
  const joint = (of: readonly ArrayLike<number>[], options: PcaOptions) => {
    const { coordinates, explained } = principalComponents(of, { count: dimensions, ...options })
    return { points: coordinates, explained }
  }
  switch (reduction) {
    case 'joint':
      return joint(rows, {})
    case 'relative-to-final': {
      const final = new Map(runs.map((run, i) => [run, rows[i]!]))
      const relative = rows.map((row, i) => addScaled(row, final.get(runs[i]!)!, -1))
      return joint(relative, { centre: 'none' })
    }
    case 'per-run': {
      const points: ArrayLike<number>[] = []
      const shares: (readonly number[])[] = []
      for (const indexes of groupBy(rows.keys(), (i) => runs[i]!).values()) {
        const own = joint(
          indexes.map((i) => rows[i]!),
          { centre: 'none' },
        )
        indexes.forEach((i, k) => (points[i] = own.points[k]!))
        shares.push(own.explained)
      }
      return {
        points,
        explained: [0, 1, 2].map((k) => shares.reduce((sum, s) => sum + (s[k] ?? 0), 0) / shares.length),
      }
    }
    case 't-sne': {
      const { points } = joint(rows, { count: componentsForTSne })
      return { points: tSne(points, { seed }), explained: [] }
    }
  }
}
