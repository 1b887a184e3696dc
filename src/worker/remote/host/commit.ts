import type { ArtifactRef } from '../../../core/trial.js'
import { retry } from '../../../system/retry.js'
import { openResult } from '../wire/stored-results.js'
import type { RunKey } from '../wire/names.js'
import { isLasting, isTaken } from '../wire/nats-errors.js'
import { sendObject } from '../wire/objects.js'
import { decode, encode, storedResult, type ResultMessage } from '../wire/protocol.js'
import { maxInlineBytes, type Broker } from '../wire/streams.js'
import type { WorkerOptions } from './worker-context.js'

/** Stores the results of a worker's trials: of one run, the first that comes counts. */
export class Commits {
  constructor(
    private readonly broker: Broker,
    private readonly options: Pick<WorkerOptions, 'store' | 'clock' | 'connection' | 'abort' | 'say'>,
  ) {}

  /**
   * Brings what the trial saved to the server, then its result; what a late result brought is taken away again.
   * @returns whether it counts.
   * @throws Error when it can never be stored, or the worker was told to go before it was.
   */
  async commitOutcome(key: RunKey, result: ResultMessage): Promise<boolean> {
    const brought: ArtifactRef[] = []
    for (const ref of artifactsOf(result))
      await this.#persist(async () => {
        if (await sendObject(this.broker.objects, this.options.store, ref)) brought.push(ref)
      })
    const winner = await this.commit(key, result)
    if (winner === undefined) return true
    this.options.say(`trial ${key.trial}: the result of ${winner.worker} came first; this one is dropped`)
    const kept = new Set(artifactsOf(winner).map(({ sha256 }) => sha256))
    for (const { sha256 } of brought) if (!kept.has(sha256)) await this.broker.objects.delete(sha256).catch(() => {})
    return false
  }

  /** Stores the result if no one has; until it is known whether that worked. @returns another's that came first. */
  async commit(key: RunKey, result: ResultMessage): Promise<ResultMessage | undefined> {
    const { publisher, jsm, names } = this.broker
    const text = await this.#compose(result)
    return this.#persist(async () => {
      try {
        await publisher.publish(names.result(key), text, 0)
        return undefined
      } catch (error) {
        if (!isTaken(error)) throw error
      }
      // Ours, if the first answer was lost on the way. Asked of the leader: a replica may not have it yet.
      const stored = await jsm.streams.getMessage(names.results, { last_by_subj: names.result(key) })
      const first = stored?.string()
      if (first === undefined || first === text) return undefined
      const winner = await openResult(this.broker, this.options.store, first)
      // One that can't be read names no artifacts to keep, so nothing may be taken away.
      return winner ?? { ...result, worker: decode(storedResult, first) === undefined ? 'nobody' : 'another worker' }
    })
  }

  /** The result as a message; one that is too large lies in the object store. */
  async #compose(result: ResultMessage): Promise<string> {
    const text = encode(result)
    if (Buffer.byteLength(text) <= maxInlineBytes) return text
    const object = await this.options.store.putObject(Buffer.from(text))
    await this.#persist(() => sendObject(this.broker.objects, this.options.store, object))
    return encode({ v: result.v, object })
  }

  /** Repeats until it works: what a trial cost is not thrown away because a server restarts or its disk is full. */
  #persist<T>(act: () => Promise<T>): Promise<T> {
    const { abort, clock, say, connection } = this.options
    return retry(act, {
      clock,
      signal: abort,
      mayPass: (error) => !connection.isClosed() && !isLasting(error),
      pauseMs: (failures) => Math.min(5_000, 100 * 2 ** failures),
      say: ({ message }) => say(`a result could not be stored yet: ${message}`),
    })
  }
}

const artifactsOf = ({ outcome }: ResultMessage): ArtifactRef[] =>
  'artifacts' in outcome ? Object.values(outcome.artifacts) : []
