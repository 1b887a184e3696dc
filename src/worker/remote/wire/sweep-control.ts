import { controlMessage, decodeKept, encode, oldestProtocol, type ControlMessage } from './protocol.js'
import { sweepToken, nameRun, type RunKey } from './names.js'
import { runsOf, type Broker, type OrchestratorBroker } from './streams.js'
import type { SweepTokens } from './sweep-tokens.js'

/** Tells workers and orchestrator what a person wants of the sweep. @throws StoreError when a newer mlds has said something of it. */
export async function controlSweep(
  broker: OrchestratorBroker,
  sweep: string,
  control: Pick<ControlMessage, 'wanted' | 'by' | 'atMs'>,
): Promise<void> {
  // What a newer mlds said there is not written over.
  await readControl(broker, sweepToken(sweep))
  await broker.controls.put(sweepToken(sweep), encode({ v: oldestProtocol, ...control } satisfies ControlMessage))
}

/** `undefined` for a sweep that nobody said anything of. @throws StoreError when a newer mlds said it. */
export async function readControl({ reads, names }: Broker, token: string): Promise<ControlMessage | undefined> {
  const stored = await reads.last(`KV_${names.controls}`, `$KV.${names.controls}.${token}`)
  return stored === undefined || stored.isRemoval
    ? undefined
    : decodeKept(controlMessage, stored.text, 'what somebody wants of the sweep')
}

/** A sweep, or a run of it. */
type Which = Pick<RunKey, 'sweep'> & Partial<RunKey>

/** The names of the runs that were begun, by someone who was given them. */
export async function begunRuns(
  { jsm, names }: OrchestratorBroker,
  tokens: SweepTokens,
  { sweep, trial }: Which,
): Promise<Set<string>> {
  const filter = names.attempt({ sweep, ...(trial === undefined ? {} : { trial }) })
  const keys = await runsOf(jsm, names.attempts, filter)
  return new Set(keys.filter((key) => tokens.isShown(key, 'attempt 1')).map(nameRun))
}

/** Takes back what waits in the queue, of a sweep or a single run, and was never begun. @returns its runs. */
export async function recallQueued(broker: OrchestratorBroker, tokens: SweepTokens, which: Which): Promise<RunKey[]> {
  const { jsm, names } = broker
  const queued = await runsOf(jsm, names.trials, names.trial(which))
  if (queued.length === 0) return []
  const begun = await begunRuns(broker, tokens, which)
  const waiting = queued.filter((run) => !begun.has(nameRun(run)))
  for (const run of waiting) await jsm.streams.purge(names.trials, { filter: names.trial(run) })
  return waiting
}
