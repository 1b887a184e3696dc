import type { z } from 'zod'
import type { Store } from '../../../system/store.js'
import type { ArtifactRef, Outcome, TrialId } from '../../../core/trial.js'
import { readAttempt } from '../host/attempts.js'
import {
  controlMessage,
  decode,
  decodeKept,
  encode,
  firstGenerationAfter,
  oldestProtocol,
  protocolVersion,
  resultMessage,
  storedResult,
  sweepMessage,
  sweepToken,
  type AttemptMessage,
  type ControlMessage,
  type ResultMessage,
  type RunKey,
  type SweepMessage,
} from '../wire/protocol.js'
import { leaseHolder } from '../orchestrator/lease.js'
import { fetchObject, runsOf, sendObject, type Broker, type OrchestratorBroker } from '../wire/streams.js'

/** A sweep's plan as it lies in its folder, and what a resume from elsewhere needs to know. */
export interface SweepRecord extends Omit<SweepMessage, 'v' | 'plan' | 'collectedUpTo'> {
  /** plan.json. */
  readonly planBytes: Uint8Array
}

/** Lets any host resume the sweep from the server alone. */
export async function announceSweep(broker: OrchestratorBroker, store: Store, record: SweepRecord): Promise<void> {
  const { planBytes, ...facts } = record
  const key = sweepToken(record.sweep)
  const before = await broker.sweeps.get(key)
  // Only so that what a newer mlds keeps there is not written over.
  if (before?.operation === 'PUT') decodeKept(sweepMessage, before.string(), `sweep ${record.sweep}`)
  const plan = await store.putObject(planBytes)
  await sendObject(broker.objects, store, plan)
  await broker.sweeps.put(key, encode({ v: protocolVersion, ...facts, plan } satisfies SweepMessage))
}

/** What the server knows of a sweep. */
export async function readSweep(broker: OrchestratorBroker, sweep: string): Promise<SweepMessage | undefined> {
  const entry = await broker.sweeps.get(sweepToken(sweep))
  return entry?.operation === 'PUT' ? decode(sweepMessage, entry.string()) : undefined
}

/** Says that all results up to this one have been written down elsewhere, until the sweep is announced again. */
export async function noteCollected(broker: OrchestratorBroker, sweep: string, sequence: number): Promise<void> {
  const key = sweepToken(sweep)
  const entry = await broker.sweeps.get(key)
  const message = entry?.operation === 'PUT' ? decode(sweepMessage, entry.string()) : undefined
  if (entry !== null && message !== undefined)
    await broker.sweeps.update(key, encode({ ...message, collectedUpTo: sequence }), entry.revision)
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
  await fetchObject(broker.objects, store, plan)
  return store.readObject(plan)
}

/** Tells workers and orchestrator what a person wants of the sweep. @throws StoreError when a newer mlds has said something of it. */
export async function controlSweep(
  broker: Broker,
  sweep: string,
  control: Pick<ControlMessage, 'wanted' | 'by' | 'atMs'>,
): Promise<void> {
  // What a newer mlds said there is not written over.
  await readControl(broker, sweepToken(sweep))
  await broker.controls.put(sweepToken(sweep), encode({ v: oldestProtocol, ...control } satisfies ControlMessage))
}

/** `undefined` for a sweep that nobody said anything of. @throws StoreError when a newer mlds said it. */
export async function readControl(broker: Broker, token: string): Promise<ControlMessage | undefined> {
  const entry = await broker.controls.get(token)
  return entry?.operation === 'PUT'
    ? decodeKept(controlMessage, entry.string(), 'what somebody wants of the sweep')
    : undefined
}

/** Takes back what waits in the queue, of a sweep or a single run, and was never begun. @returns its runs. */
export async function recallQueued(broker: Broker, which: Partial<RunKey>): Promise<RunKey[]> {
  const { jsm, names } = broker
  const queued = await runsOf(jsm, names.trials, names.trial(which))
  if (queued.length === 0) return []
  const begun = new Set((await runsOf(jsm, names.attempts, names.attempt(which))).map(nameRun))
  const waiting = queued.filter((run) => !begun.has(nameRun(run)))
  for (const run of waiting) await jsm.streams.purge(names.trials, { filter: names.trial(run) })
  return waiting
}

/** A run as a key of maps. */
export const nameRun = ({ trial, generation }: RunKey): string => `${trial}.${generation}`

export interface RemoteStatus {
  readonly orchestrator?: string
  readonly wanted: ControlMessage['wanted']
  readonly queued: number
  /** Begun and without a result: running, or waiting for their lease to run out. */
  readonly running: readonly { readonly trial: TrialId; readonly message: AttemptMessage }[]
  /** How trials ended, the latest generation of each. */
  readonly ended: Readonly<Partial<Record<Outcome['state'], number>>>
  readonly dead: readonly { readonly trial: TrialId; readonly attempts: number; readonly reason: string }[]
}

/** Where a sweep stands on the server, whoever runs it and wherever its folder is. */
export async function remoteStatus(broker: OrchestratorBroker, store: Store, sweep: string): Promise<RemoteStatus> {
  const { jsm, names } = broker
  const token = sweepToken(sweep)
  const [queued, begun, results, control, orchestrator] = await Promise.all([
    runsOf(jsm, names.trials, names.trial({ sweep: token })),
    runsOf(jsm, names.attempts, names.attempt({ sweep: token })),
    readResults(broker, store, sweep),
    readControl(broker, token),
    leaseHolder(broker.leases, sweep),
  ])
  const committed = new Set([...results.values()].map(({ run }) => nameRun(run)))
  const open = begun.filter((run) => {
    const latest = results.get(run.trial)
    return !committed.has(nameRun(run)) && (latest === undefined || latest.run.generation < run.generation)
  })
  const attempts = await Promise.all(
    open.map(async (run) => ({ run, attempt: (await readAttempt(broker, run))?.message })),
  )
  const running = attempts.flatMap(({ run, attempt }) =>
    attempt?.standing === 'running' ? { trial: run.trial, message: attempt } : [],
  )
  const busy = new Set(running.map(({ trial }) => trial))
  const ended: Partial<Record<Outcome['state'], number>> = {}
  const dead: { trial: TrialId; attempts: number; reason: string }[] = []
  for (const [trial, { result }] of results) {
    ended[result.outcome.state] = (ended[result.outcome.state] ?? 0) + 1
    if (result.outcome.state === 'dead') dead.push({ trial, attempts: result.attempt, reason: result.outcome.reason })
  }
  return {
    ...(orchestrator === undefined ? {} : { orchestrator }),
    wanted: control?.wanted ?? 'run',
    // A delivered message stays in the queue until its result is stored.
    queued: queued.filter((run) => !busy.has(run.trial) && !committed.has(nameRun(run))).length,
    running,
    ended,
    dead,
  }
}

export interface StoredResult {
  readonly run: RunKey
  readonly result: ResultMessage
  /** Its place in the stream. */
  readonly sequence: number
  /** Where it lies when it was too large for a message. */
  readonly object: ArtifactRef | undefined
}

/** The latest result of each trial of a sweep that is not void. What can't be read counts as none. */
export async function readResults(
  broker: OrchestratorBroker,
  store: Store,
  sweep: string,
): Promise<Map<TrialId, StoredResult>> {
  const { jsm, names } = broker
  const token = sweepToken(sweep)
  const first = firstGenerationAfter((await readSweep(broker, sweep))?.voids ?? 0)
  const latest = new Map<TrialId, RunKey>()
  for (const run of await runsOf(jsm, names.results, names.result({ sweep: token })))
    if (run.generation >= first && (latest.get(run.trial)?.generation ?? -1) < run.generation)
      latest.set(run.trial, run)
  const found = new Map<TrialId, StoredResult>()
  const runs = [...latest.values()]
  // A window of requests at a time: one after another would wait for the network each time.
  for (let at = 0; at < runs.length; at += 100)
    await Promise.all(
      runs.slice(at, at + 100).map(async (run) => {
        const stored = await jsm.direct.getMessage(names.results, { last_by_subj: names.result(run) })
        if (stored === null) return
        const pointer = decodeKept(storedResult, stored.string(), `the result of trial ${run.trial}`)
        const result = await followPointer(broker, store, pointer)
        const object = pointer !== undefined && 'object' in pointer ? pointer.object : undefined
        if (result !== undefined) found.set(run.trial, { run, result, sequence: stored.seq, object })
      }),
    )
  return found
}

/** The result that a stored message holds or points to; `undefined` for what is not a result. */
export function openResult(broker: Broker, store: Store, text: string): Promise<ResultMessage | undefined> {
  return followPointer(broker, store, decodeKept(storedResult, text, 'a result'))
}

async function followPointer(
  broker: Broker,
  store: Store,
  stored: z.infer<typeof storedResult> | undefined,
): Promise<ResultMessage | undefined> {
  if (stored === undefined || !('object' in stored)) return stored
  await fetchObject(broker.objects, store, stored.object)
  const text = new TextDecoder().decode(await store.readObject(stored.object))
  return decodeKept(resultMessage, text, 'a result')
}
