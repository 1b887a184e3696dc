import type { TrialId } from '../../../core/trial.js'
import type { Run } from '../rest/wire.js'

/** Something about a sweep on a server that is not as a finished sync leaves it. */
export type Finding =
  /** Not in a terminal state, and nobody runs it. */
  | { readonly kind: 'unended'; readonly run: Run }
  /** Holds what `of` holds: they have one run key. */
  | { readonly kind: 'duplicate'; readonly run: Run; readonly of: Run }
  /** Names another parent than its sweep's. */
  | { readonly kind: 'stray'; readonly run: Run; readonly parent: Run }
  /** Planned, or begun as the journal says, and without any run. */
  | { readonly kind: 'missing'; readonly trial: TrialId; readonly attempt?: number }
  /** Not as the journal tells it or, where that is elsewhere, as the run itself and its parent do. */
  | { readonly kind: 'differs'; readonly run: Run; readonly what: readonly string[] }
  /** The parent run has no readable plan, as `problem` says: nobody can tell what is missing. */
  | { readonly kind: 'no-plan'; readonly problem: string }
  | { readonly kind: 'no-parent' }
