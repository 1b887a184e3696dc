import { holm } from '../analysis/intervals.js'
import type { ClaimVerdict } from './verdicts.js'

/** What a sweep's verdicts come to together: claims about the world, and apart from them checks of the software. */

export const isCheck = ({ kind }: ClaimVerdict): boolean => kind === 'check'
export const claimsOf = (verdicts: readonly ClaimVerdict[]): ClaimVerdict[] => verdicts.filter((one) => !isCheck(one))
export const checksOf = (verdicts: readonly ClaimVerdict[]): ClaimVerdict[] => verdicts.filter(isCheck)

const checkStates = { reproduced: 'holds', 'not reproduced': 'fails', inconclusive: 'not made' } as const

/** The verdict in a word: a check holds, fails or could not be made. */
export const stateWord = (verdict: ClaimVerdict): string =>
  isCheck(verdict) ? checkStates[verdict.state] : verdict.state

/** Claims that are decided one by one, but not among so many (Holm's correction): the tally calls them inconclusive. */
function decidedAloneOnly(verdicts: readonly ClaimVerdict[]): ReadonlySet<ClaimVerdict> {
  const weighed = claimsOf(verdicts).filter(({ interval }) => interval !== undefined)
  const decided = weighed.filter((claim): claim is ClaimVerdict & { p: number } => claim.p !== undefined)
  const corrected = holm(
    decided.map(({ p }) => p),
    weighed.length,
  )
  return new Set(decided.filter((_, i) => corrected[i]! > 0.05))
}

/** `4 reproduced, 1 inconclusive`, of the claims, after Holm's correction for their number; empty when there are none. */
export function tallyOf(verdicts: readonly ClaimVerdict[]): string {
  const claims = claimsOf(verdicts)
  const aloneOnly = decidedAloneOnly(verdicts)
  const stateOf = (claim: ClaimVerdict) => (aloneOnly.has(claim) ? 'inconclusive' : claim.state)
  const counted = (['reproduced', 'not reproduced', 'inconclusive'] as const).map(
    (state) => [state, claims.filter((claim) => stateOf(claim) === state).length] as const,
  )
  return counted.flatMap(([state, count]) => (count === 0 ? [] : [`${count} ${state}`])).join(', ')
}

/**
 * How many claims chance would decide one by one, and which are decided only so; empty of fewer than two, unless they were looked
 * at again and again.
 */
export function chanceNote(verdicts: readonly ClaimVerdict[]): string {
  const claims = claimsOf(verdicts).filter(({ interval }) => interval !== undefined)
  if (claims.some(({ together }) => together))
    return `Looked at after each seed: chance decides any of the claims that seeds were added for wrongly in at most 5 of 100 sweeps.`
  const weighed = claims.length
  if (weighed < 2) return ''
  const expected = Number((0.05 * weighed).toFixed(2))
  const aloneOnly = [...decidedAloneOnly(verdicts)].map(({ claim }) => claim)
  const kept =
    aloneOnly.length === 0
      ? 'After Holm’s correction for their number all verdicts stand.'
      : `Holm’s correction for their number leaves open: ${aloneOnly.join(', ')}.`
  return `If each of these ${weighed} claims lay exactly at its bound, chance alone would decide ${expected} of them on average. ${kept}`
}
