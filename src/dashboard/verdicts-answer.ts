import { verdictCells, verdictNotes } from '../report/markdown.js'
import type { ClaimVerdict } from '../sweeps/verdicts.js'
import type { FiguresAnswer } from './wire.js'

/** Verdicts as a page shows them. */
export const verdictsAnswer = (verdicts: readonly ClaimVerdict[]): Pick<FiguresAnswer, 'verdicts' | 'notes'> => ({
  verdicts: verdicts.map((verdict) => ({
    claim: verdict.claim,
    statement: verdict.statement,
    state: verdict.state,
    isCheck: verdict.kind === 'check',
    cells: verdictCells(verdict),
  })),
  notes: verdictNotes(verdicts),
})
