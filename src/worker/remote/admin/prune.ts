import type { Clock } from '../../../core/clock.js'
import { exitCodes, StoreError, UnknownNameError } from '../../../core/errors.js'
import { maxOf } from '../../../core/extremes.js'
import type { Store } from '../../../system/store.js'
import { SweepLease, leaseHolder } from '../orchestrator/lease.js'
import { sweepToken } from '../wire/names.js'
import { isMissing } from '../wire/nats-errors.js'
import type { SweepMessage } from '../wire/protocol.js'
import { listSweeps } from '../wire/sweep-registry.js'
import { readControl } from '../wire/sweep-control.js'
import { readResults, type StoredResult } from '../wire/stored-results.js'
import { subjectsOf, type OrchestratorBroker } from '../wire/streams.js'

/** One sweep as the server keeps it. */
export interface KeptSweep {
  readonly sweep: string
  /**
   * `running`: a process runs it, or trials of it are queued. `unfinished`: neither, and not every trial has ended.
   * `uncollected`: it ended, and nobody has written down all of its results.
   */
  readonly state: 'running' | 'finished' | 'cancelled' | 'unfinished' | 'uncollected'
  /** Trials with a result. */
  readonly results: number
  readonly total: number
  /** When it was last heard of: its last result, or its beginning. */
  readonly lastMs: number
}

export interface PruneOptions {
  /** This sweep alone, finished or not. Default: all that are finished or cancelled. */
  readonly sweep?: string | undefined
  /** Only what was not heard of for so long. Default 0. */
  readonly olderThanMs?: number
  /** Remove it; otherwise only look. */
  readonly remove: boolean
  readonly clock: Clock
}

export interface Pruned {
  readonly removed: readonly KeptSweep[]
  readonly kept: readonly KeptSweep[]
  /** `undefined` while a sweep runs: objects are shared by content, and what it will read next stands nowhere. */
  readonly objects: { readonly count: number; readonly bytes: number } | undefined
}

type Surveyed = KeptSweep & { readonly message: SweepMessage; readonly stored: readonly StoredResult[] }

/**
 * Removes finished and cancelled sweeps from a server, with results, attempts and records; and, unless a sweep runs, every
 * object that no sweep left refers to. Journals, and what was collected into stores, are not touched.
 * @throws UnknownNameError, or StoreError when the sweep that was named runs.
 */
export async function prune(broker: OrchestratorBroker, store: Store, options: PruneOptions): Promise<Pruned> {
  const { sweep: wanted, olderThanMs = 0, remove, clock } = options
  const sweeps = await Promise.all((await listSweeps(broker)).map((message) => survey(broker, store, message)))
  const named = sweeps.find(({ sweep }) => sweep === wanted)
  if (wanted !== undefined && named === undefined)
    throw new UnknownNameError(
      'sweep on the NATS server',
      wanted,
      sweeps.map(({ sweep }) => sweep),
    )
  if (named?.state === 'running')
    throw new StoreError(`sweep ${named.sweep} runs, or trials of it are queued: nothing of it was removed`, {
      hint: `end it first: mlds cancel ${named.sweep}`,
      exitCode: exitCodes.environment,
    })
  const mayGo = ({ sweep, state, lastMs }: Surveyed): boolean =>
    (wanted === undefined ? state === 'finished' || state === 'cancelled' : sweep === wanted) &&
    clock.now() - lastMs >= olderThanMs
  const [going, staying] = [sweeps.filter(mayGo), sweeps.filter((sweep) => !mayGo(sweep))]
  if (remove) for (const { sweep } of going) await removeSweep(broker, sweep, clock)
  const objects = staying.some(({ state }) => state === 'running') ? undefined : await unused(broker, staying)
  if (remove) for (const { name } of objects ?? []) await broker.objects.delete(name)
  return {
    removed: going.map(plain),
    kept: staying.map(plain),
    objects: objects && { count: objects.length, bytes: objects.reduce((sum, { size }) => sum + size, 0) },
  }
}

async function survey(broker: OrchestratorBroker, store: Store, message: SweepMessage): Promise<Surveyed> {
  const { sweep, total, openedAtMs } = message
  const token = sweepToken(sweep)
  const [holder, queued, control, results] = await Promise.all([
    leaseHolder(broker.leases, sweep),
    subjectsOf(broker.jsm, broker.names.trials, broker.names.trial({ sweep: token })),
    readControl(broker, token),
    readResults(broker, store, sweep),
  ])
  const stored = [...results.values()]
  const lastSequence = stored.reduce((last, { sequence }) => Math.max(last, sequence), 0)
  const standing = (): KeptSweep['state'] => {
    if (holder !== undefined || queued.length > 0) return 'running'
    if (control?.wanted !== 'cancel' && results.size < total && message.isOver !== true) return 'unfinished'
    if (lastSequence > (message.collectedUpTo ?? 0)) return 'uncollected'
    return control?.wanted === 'cancel' ? 'cancelled' : 'finished'
  }
  const lastMs = Math.max(openedAtMs, maxOf(stored.map(({ result }) => result.atMs)))
  return { sweep, state: standing(), results: results.size, total, lastMs, message, stored }
}

/** Under the sweep's lease, so that nobody resumes it meanwhile. */
async function removeSweep({ jsm, names, ...broker }: OrchestratorBroker, sweep: string, clock: Clock): Promise<void> {
  const lease = await SweepLease.take({ leases: broker.leases, sweep, clock, onLost: () => {}, say: () => {} })
  try {
    const token = sweepToken(sweep)
    await broker.sweeps.purge(token)
    await jsm.streams.purge(names.results, { filter: names.result({ sweep: token }) })
    await jsm.streams.purge(names.attempts, { filter: names.attempt({ sweep: token }) })
    // A server that an earlier version set up has not all of these.
    for (const [stream, filter] of [
      [names.uploads, names.upload({ sweep: token })],
      [names.checkpoints, names.checkpoint({ sweep: token })],
      [names.suggestions, names.suggestion(token)],
    ] as const)
      await jsm.streams.purge(stream, { filter }).catch((error: unknown) => {
        if (!isMissing(error)) throw error
      })
    await broker.controls.purge(token)
  } finally {
    await lease.release()
  }
}

/** Objects that none of these sweeps needs: a plan, a result too large for a message, what a trial saved. */
async function unused(
  { objects }: OrchestratorBroker,
  sweeps: readonly Surveyed[],
): Promise<{ name: string; size: number }[]> {
  const needed = new Set(
    sweeps.flatMap(({ message, stored }) => [
      message.plan.sha256,
      ...(message.code === undefined ? [] : [message.code.sha256]),
      ...stored.flatMap(({ object, result: { outcome } }) => [
        ...(object === undefined ? [] : [object.sha256]),
        ...('artifacts' in outcome ? Object.values(outcome.artifacts).map(({ sha256 }) => sha256) : []),
      ]),
    ]),
  )
  return (await objects.list()).filter(({ name, deleted }) => !deleted && !needed.has(name))
}

const plain = ({ sweep, state, results, total, lastMs }: Surveyed): KeptSweep => ({
  sweep,
  state,
  results,
  total,
  lastMs,
})
