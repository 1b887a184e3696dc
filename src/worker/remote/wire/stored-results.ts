import type { z } from 'zod'
import { DataError } from '../../../core/errors.js'
import type { ArtifactRef, TrialId } from '../../../core/trial.js'
import type { Store } from '../../../system/store.js'
import { decode, decodeKept, resultMessage, storedResult, type ResultMessage } from './protocol.js'
import { firstGenerationAfter, sweepToken, type RunKey } from './names.js'
import { bucketOf, fetchObject, uploadsOf, type ReadObject } from './objects.js'
import { tagged } from './run-tokens.js'
import { runsOf, type Broker, type OrchestratorBroker } from './streams.js'
import { readSweep } from './sweep-registry.js'
import { SweepTokens } from './sweep-tokens.js'

export interface StoredResult {
  readonly run: RunKey
  readonly result: ResultMessage
  /** Its place in the stream. */
  readonly sequence: number
  /** Where it lies when it was too large for a message. */
  readonly object: ArtifactRef | undefined
}

/** The latest result of each trial of a sweep that counts and is not void. What can't be read counts as none. */
export async function readResults(
  broker: OrchestratorBroker,
  store: Store,
  sweep: string,
): Promise<Map<TrialId, StoredResult>> {
  const { jsm, names } = broker
  const message = await readSweep(broker, sweep)
  const tokens = new SweepTokens(message)
  const first = firstGenerationAfter(message?.voids ?? 0)
  const keysOf = new Map<TrialId, RunKey[]>()
  for (const key of await runsOf(jsm, names.results, names.result({ sweep: sweepToken(sweep) }))) {
    // What shows no token may have been queued by an earlier version: its place in the stream tells.
    if (key.generation < first || (key.tag !== undefined && !tokens.isShown(key, 'result'))) continue
    keysOf.set(key.trial, [...(keysOf.get(key.trial) ?? []), key])
  }
  const found = new Map<TrialId, StoredResult>()
  const trials = [...keysOf.values()]
  // A window of requests at a time: one after another would wait for the network each time.
  for (let at = 0; at < trials.length; at += 100)
    await Promise.all(
      trials.slice(at, at + 100).map(async (keys) => {
        for (const key of keys.sort((a, b) => b.generation - a.generation)) {
          const stored = await broker.reads.last(names.results, names.result(key))
          if (stored === undefined || !tokens.allows(key, stored.sequence)) continue
          const run = tokens.given(key)
          const writer = key.tag === undefined ? key : run
          const pointer = readWords(storedResult, writer, stored.text)
          const result = await followPointer(broker, store, writer, pointer).catch(noneWhereItLacks)
          const object = pointer !== undefined && 'object' in pointer ? pointer.object : undefined
          if (result !== undefined) found.set(run.trial, { run, result, sequence: stored.sequence, object })
          return
        }
      }),
    )
  return found
}

/**
 * The result that a stored message holds or points to; `undefined` for what is not a result.
 * @param run with its token if the message shows it.
 * @throws StoreError when a newer mlds wrote it, as far as its place tells.
 */
export function openResult(
  broker: Broker,
  store: Store,
  run: RunKey,
  text: string,
): Promise<ResultMessage | undefined> {
  return followPointer(broker, store, run, readWords(storedResult, run, text))
}

/**
 * A worker answers in the protocol in which it was asked: a higher one is no newer mlds' where a token shows who was asked, but
 * a stranger's word, which would end the whole sweep. Newer orchestrators say so where they alone write (`announceSweep`).
 */
const readWords = <T>(schema: z.ZodType<T>, { token, trial }: RunKey, text: string): T | undefined =>
  token === undefined ? decodeKept(schema, text, `the result of trial ${trial}`) : decode(schema, text)

/** @throws whatever says nothing of the result: that the server is away, or the disk full. */
function noneWhereItLacks(error: unknown): undefined {
  if (!(error instanceof DataError)) throw error
}

async function followPointer(
  broker: Broker,
  store: Store,
  run: RunKey,
  stored: z.infer<typeof storedResult> | undefined,
): Promise<ResultMessage | undefined> {
  if (stored === undefined || !('object' in stored)) return stored
  await fetchObject(savedBy(broker, run, stored.nonce), store, stored.object)
  const text = new TextDecoder().decode(await store.readObject(stored.object))
  return readWords(resultMessage, run, text)
}

/** Reads what the attempt of this nonce saved: among the run's uploads, else in the bucket that all share. */
export function savedBy(broker: Broker, run: RunKey, nonce: string | undefined): ReadObject {
  const bucket = bucketOf(broker)
  if (run.token === undefined || nonce === undefined) return bucket
  const uploads = uploadsOf(broker, tagged(run, `upload ${nonce}`))
  return async (ref) => (await uploads(ref)) ?? bucket(ref)
}
