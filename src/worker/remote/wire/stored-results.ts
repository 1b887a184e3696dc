import type { z } from 'zod'
import type { ArtifactRef, TrialId } from '../../../core/trial.js'
import type { Store } from '../../../system/store.js'
import { decodeKept, resultMessage, storedResult, type ResultMessage } from './protocol.js'
import { firstGenerationAfter, sweepToken, type RunKey } from './names.js'
import { fetchObject } from './objects.js'
import { runsOf, type Broker, type OrchestratorBroker } from './streams.js'
import { readSweep } from './sweep-registry.js'

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
