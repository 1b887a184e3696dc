import type { TrialId } from '../core/trial.js'
import type { Store } from '../system/store.js'
import { planFactsOf, SweepFolder } from './sweep-folder.js'
import type { StoredLog } from './trial-logs.js'

/** The sweep from which a trial's result was taken over, by the name that it had then; `undefined` where it ran here. */
export function lenderOf(sweep: SweepFolder, trial: TrialId): string | undefined {
  let lender: string | undefined
  for (const event of sweep.events()) {
    if (event.type === 'voided') lender = undefined
    if (event.type === 'reused' && event.trial === trial) lender = event.from
  }
  return lender
}

/** The log of an attempt whose result was taken over: it lies with the sweep that ran it, as long as that is there. */
export async function readLentLog(
  store: Store,
  sweep: SweepFolder,
  { trial, attempt }: { readonly trial: TrialId; readonly attempt: number },
): Promise<StoredLog | undefined> {
  const name = lenderOf(sweep, trial)
  if (name === undefined) return undefined
  const ids = await store.sweepIds()
  // One that was renamed is spoken of by its first name.
  const id = ids.includes(name) ? name : ids.find((one) => planFactsOf(store, one)?.sweep === name)
  const lender = id === undefined ? undefined : await SweepFolder.open(store, id).catch(() => undefined)
  return lender?.readLog(trial, attempt)
}
