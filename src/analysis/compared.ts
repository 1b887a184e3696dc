import { holm } from './intervals.js'
import type { Comparison } from './standings.js'

/** Which way the second of two sweeps differs from the first, as far as it can be told from chance. */
export type Difference = 'higher' | 'lower' | 'inconclusive'

/** What is said of one point of two sweeps. */
export interface PointVerdict {
  /** By this point alone: its whole 95 % interval lies on one side of zero. */
  readonly alone: Difference
  /** After Holm's correction for the number of points that have an interval. */
  readonly verdict: Difference
  /** As the point has it. */
  readonly p?: number
}

/**
 * Weighs points compared in pairs by the rule of claims: a difference of zero is the bound, fewer than three pairs and pairs that
 * all differ by the very same number are inconclusive, and Holm (1979) corrects for the number of points.
 */
export function weighPoints(compared: readonly Comparison[]): PointVerdict[] {
  const weighed = compared.filter((point): point is Comparison & { p: number } => point.p !== undefined)
  const corrected = holm(
    weighed.map(({ p }) => p),
    weighed.length,
  )
  const stand = new Set<Comparison>(weighed.filter((_, i) => corrected[i]! <= 0.05))
  return compared.map((point) => {
    const { difference, p } = point
    const alone = p === undefined || p >= 0.05 ? 'inconclusive' : difference > 0 ? 'higher' : 'lower'
    return { alone, verdict: stand.has(point) ? alone : 'inconclusive', ...(p === undefined ? {} : { p }) }
  })
}

/** What chance does among so many points; empty where fewer than two were weighed. */
export function chanceOfPoints(verdicts: readonly PointVerdict[]): string {
  const weighed = verdicts.filter(({ p }) => p !== undefined).length
  if (weighed < 2) return ''
  const expected = Number((0.05 * weighed).toFixed(2))
  const open = verdicts.filter(({ alone, verdict }) => alone !== verdict).length
  const kept =
    open === 0
      ? 'after Holm’s correction for their number all stand.'
      : `Holm’s correction for their number leaves open ${open} that alone would be decided.`
  return `If none of these ${weighed} points differed, chance alone would decide ${expected} of them on average; ${kept}`
}
