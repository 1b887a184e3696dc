import type { ArtifactRef } from '../../../core/trial.js'
import { retry } from '../../../system/retry.js'
import { openResult } from '../wire/stored-results.js'
import type { RunKey } from '../wire/names.js'
import { isDenied, isLasting, isTaken } from '../wire/nats-errors.js'
import { sendObject, upload } from '../wire/objects.js'
import { tagged } from '../wire/run-tokens.js'
import { decode, encode, storedResult, type ResultMessage } from '../wire/protocol.js'
import { maxInlineBytes, openObjects, type Broker } from '../wire/streams.js'
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
  async commitOutcome(run: RunKey, result: ResultMessage): Promise<boolean> {
    const brought: ArtifactRef[] = []
    for (const ref of artifactsOf(result))
      await this.#persist(async () => {
        if (await this.#send(run, result.nonce, ref)) brought.push(ref)
      })
    const winner = await this.commit(run, result)
    if (winner === undefined) return true
    this.options.say(`trial ${run.trial}: the result of ${winner.worker} came first; this one is dropped`)
    const kept = new Set(artifactsOf(winner).map(({ sha256 }) => sha256))
    for (const { sha256 } of brought)
      if (!kept.has(sha256)) await (await openObjects(this.broker)).delete(sha256).catch(() => {})
    return false
  }

  /** Stores the result if no one has; until it is known whether that worked. @returns another's that came first. */
  async commit(run: RunKey, result: ResultMessage): Promise<ResultMessage | undefined> {
    const { publisher, reads, names } = this.broker
    const text = await this.#compose(run, result)
    const subject = names.result(tagged(run, 'result'))
    return this.#persist(async () => {
      try {
        await publisher.publish(subject, text, 0)
        return undefined
      } catch (error) {
        if (!isTaken(error)) throw error
      }
      // Ours, if the first answer was lost on the way. Asked of the leader: a replica may not have it yet.
      const first = await reads.lastOfLeader(names.results, subject)
      if (first === undefined || first === text) return undefined
      const winner = await openResult(this.broker, this.options.store, run, first)
      // One that can't be read names no artifacts to keep, so nothing may be taken away.
      return winner ?? { ...result, worker: decode(storedResult, first) === undefined ? 'nobody' : 'another worker' }
    })
  }

  /** The result as a message; one that is too large lies beside it. */
  async #compose(run: RunKey, result: ResultMessage): Promise<string> {
    const text = encode(result)
    if (Buffer.byteLength(text) <= maxInlineBytes) return text
    const object = await this.options.store.putObject(Buffer.from(text))
    await this.#persist(() => this.#send(run, result.nonce, object))
    return encode({ v: result.v, object, ...(run.token === undefined ? {} : { nonce: result.nonce }) })
  }

  /**
   * Brings an object to the server: among the run's own uploads, or to the bucket that all share, for a run of an
   * earlier version and where the server's configuration is one. @returns whether it was brought to the bucket now.
   */
  async #send(run: RunKey, nonce: string, ref: ArtifactRef): Promise<boolean> {
    const { store } = this.options
    if (run.token !== undefined)
      try {
        await upload(this.broker, tagged(run, `upload ${nonce}`), ref, await store.readObject(ref))
        return false
      } catch (error) {
        if (!isDenied(error)) throw error
      }
    return sendObject(await openObjects(this.broker), store, ref)
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
