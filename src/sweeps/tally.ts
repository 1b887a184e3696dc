import type { ClaimVerdict } from './verdicts.js'

/** What a sweep's verdicts come to together: claims about the world, and apart from them checks of the software. */

export const isCheck = ({ kind }: ClaimVerdict): boolean => kind === 'check'
export const claimsOf = (verdicts: readonly ClaimVerdict[]): ClaimVerdict[] => verdicts.filter((one) => !isCheck(one))
export const checksOf = (verdicts: readonly ClaimVerdict[]): ClaimVerdict[] => verdicts.filter(isCheck)

const checkStates = { reproduced: 'holds', 'not reproduced': 'fails', inconclusive: 'not made' } as const

/** The verdict in a word: a check holds, fails or could not be made. */
export const stateWord = (verdict: ClaimVerdict): string =>
  isCheck(verdict) ? checkStates[verdict.state] : verdict.state

/** `4 reproduced, 1 inconclusive`, of the claims; empty when there are none. */
export function tallyOf(verdicts: readonly ClaimVerdict[]): string {
  const claims = claimsOf(verdicts)
  const counted = (['reproduced', 'not reproduced', 'inconclusive'] as const).map(
    (state) => [state, claims.filter((claim) => claim.state === state).length] as const,
  )
  return counted.flatMap(([state, count]) => (count === 0 ? [] : [`${count} ${state}`])).join(', ')
}

/** Of how many claims chance may decide some, each being weighed by a 95 % interval; empty of fewer than two. */
export function chanceNote(verdicts: readonly ClaimVerdict[]): string {
  const weighed = claimsOf(verdicts).filter(({ interval }) => interval !== undefined).length
  if (weighed < 2) return ''
  const expected = Number((0.05 * weighed).toFixed(2))
  return `These ${weighed} claims are weighed one by one, without a correction for their number: if each lay exactly at its bound, chance alone would decide ${expected} of them on average.`
}
