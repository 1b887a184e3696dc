import { exitCodes, StoreError, UnknownNameError } from '../core/errors.js'
import type { Store } from '../system/store.js'
import type { Trial } from '../core/trial.js'
import { resolveSweepId, SweepFolder } from './sweep-folder.js'

/** The trial whose id begins with `prefix`; of the newest sweep when several sweeps hold it. */
export async function findTrial(store: Store, prefix: string): Promise<{ sweep: SweepFolder; trial: Trial }> {
  const failures: Error[] = []
  const opened = (await store.sweepIds()).map((id) =>
    SweepFolder.open(store, id).catch((error: Error) => {
      failures.push(error)
      return []
    }),
  )
  const sweeps = (await Promise.all(opened)).flat()
  sweeps.sort((a, b) => b.plan.createdAtMs - a.plan.createdAtMs)
  const found = sweeps.flatMap((sweep) =>
    sweep.plan.trials.filter((trial) => trial.id.startsWith(prefix)).map((trial) => ({ sweep, trial })),
  )
  const ids = new Set(found.map(({ trial }) => trial.id))
  if (ids.size > 1)
    throw new StoreError(
      `several trials begin with ${prefix}: ${[...ids].slice(0, 5).join(', ')}${ids.size > 5 ? ' …' : ''}`,
      { exitCode: 2 },
    )
  // Of a sweep that can't be read nobody knows the trials.
  if (found[0] === undefined && failures[0] !== undefined) throw failures[0]
  if (found[0] === undefined) throw await unknownTrial(store, prefix)
  return found[0]
}

async function unknownTrial(store: Store, typed: string): Promise<Error> {
  const sweep = await resolveSweepId(store, typed).catch(() => undefined)
  if (sweep === undefined)
    return new UnknownNameError('trial', typed, [], { hint: 'mlds export SWEEP lists the trials of a sweep' })
  return new StoreError(`this takes a trial, and ${typed} is a sweep${sweep === typed ? '' : `: ${sweep}`}`, {
    hint: `mlds status ${sweep} shows the sweep, and mlds export ${sweep} lists its trials`,
    exitCode: exitCodes.usage,
  })
}
