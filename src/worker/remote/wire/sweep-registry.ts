import type { Store } from '../../../system/store.js'
import { decode, decodeKept, encode, divergedSince, sweepMessage, tokensSince, type SweepMessage } from './protocol.js'
import { nameRun, sweepToken } from './names.js'
import { bucketOf, fetchObject, sendObject } from './objects.js'
import { newSecret } from './run-tokens.js'
import { runsOf, type OrchestratorBroker } from './streams.js'
import { begunRuns, recallQueued } from './sweep-control.js'
import { SweepTokens } from './sweep-tokens.js'

/** A sweep's plan as it lies in its folder, and what a resume from elsewhere needs to know. */
export interface SweepRecord extends Omit<
  SweepMessage,
  'v' | 'plan' | 'collectedUpTo' | 'isOver' | 'secret' | 'untokened'
> {
  /** plan.json. */
  readonly planBytes: Uint8Array
}

/**
 * The tokens of a sweep that this process is about to run: those that the server keeps, else new ones, which begin to
 * count when the sweep is announced. What an earlier version began may go on without; what only waits is taken back.
 */
export async function prepareTokens(broker: OrchestratorBroker, sweep: string): Promise<SweepTokens> {
  const { jsm, names } = broker
  const before = await readSweep(broker, sweep)
  if (before?.secret !== undefined) return new SweepTokens(before)
  const secret = newSecret()
  if (before === undefined) return new SweepTokens({ secret })
  const token = sweepToken(sweep)
  await recallQueued(broker, new SweepTokens(), { sweep: token })
  const { state } = await jsm.streams.info(names.results)
  const queued = await runsOf(jsm, names.trials, names.trial({ sweep: token }))
  const begun = await begunRuns(broker, new SweepTokens(), { sweep: token })
  const runs = queued.map(nameRun).filter((run) => begun.has(run))
  return new SweepTokens({ secret, untokened: { upTo: state.last_seq, runs: runs.slice(0, maxUntokened) } })
}

/** More than any fleet has under way. */
const maxUntokened = 20_000

/**
 * Lets any host resume the sweep from the server alone. Its protocol is what keeps an older mlds away: where results or attempts
 * get a higher one, so must this, since what workers write is not believed in that.
 */
export async function announceSweep(
  broker: OrchestratorBroker,
  store: Store,
  record: SweepRecord,
  { facts: secret }: SweepTokens,
): Promise<void> {
  const { planBytes, ...facts } = record
  const key = sweepToken(record.sweep)
  const before = await broker.sweeps.get(key)
  // Only so that what a newer mlds keeps there is not written over.
  if (before?.operation === 'PUT') decodeKept(sweepMessage, before.string(), `sweep ${record.sweep}`)
  const plan = await store.putObject(planBytes)
  await sendObject(broker.objects, store, plan)
  const v = secret.secret === undefined ? divergedSince : tokensSince
  await broker.sweeps.put(key, encode({ v, ...facts, ...secret, plan } satisfies SweepMessage))
}

/** What the server knows of a sweep. */
export async function readSweep(broker: OrchestratorBroker, sweep: string): Promise<SweepMessage | undefined> {
  const entry = await broker.sweeps.get(sweepToken(sweep))
  return entry?.operation === 'PUT' ? decode(sweepMessage, entry.string()) : undefined
}

/** The tokens of a sweep as the server keeps them. */
export async function readTokens(broker: OrchestratorBroker, sweep: string): Promise<SweepTokens> {
  return new SweepTokens(await readSweep(broker, sweep))
}

/** Says that all results up to this one have been written down elsewhere, and whether any is still to come, until the sweep is announced again. */
export async function noteCollected(
  broker: OrchestratorBroker,
  sweep: string,
  { upTo, isOver }: { upTo: number; isOver: boolean },
): Promise<void> {
  const key = sweepToken(sweep)
  const entry = await broker.sweeps.get(key)
  const message = entry?.operation === 'PUT' ? decode(sweepMessage, entry.string()) : undefined
  if (entry !== null && message !== undefined)
    await broker.sweeps.update(
      key,
      encode({ ...message, collectedUpTo: upTo, ...(isOver && { isOver }) }),
      entry.revision,
    )
}

/** Every sweep that the server knows, newest first. @throws StoreError when a newer mlds keeps a sweep there. */
export async function listSweeps(broker: OrchestratorBroker): Promise<SweepMessage[]> {
  const found: SweepMessage[] = []
  for await (const key of await broker.sweeps.keys()) {
    const entry = await broker.sweeps.get(key)
    const message =
      entry?.operation === 'PUT' ? decodeKept(sweepMessage, entry.string(), `a sweep (${key})`) : undefined
    // The key is what it is found by: an entry under another's key is not believed.
    if (message !== undefined && sweepToken(message.sweep) === key) found.push(message)
  }
  return found.sort((a, b) => b.openedAtMs - a.openedAtMs)
}

/** The bytes of the sweep's plan.json. @throws DataError when they are not in the object store. */
export async function fetchPlan(broker: OrchestratorBroker, store: Store, { plan }: SweepMessage): Promise<Uint8Array> {
  await fetchObject(bucketOf(broker), store, plan)
  return store.readObject(plan)
}
