import { NewerFormatError } from '../../../core/newer-format.js'
import type { Assignment, TrialId } from '../../../core/trial.js'
import { openResult, savedBy } from '../wire/stored-results.js'
import { readSweep } from '../wire/sweep-registry.js'
import { firstGenerationAfter, runOf, voidsBefore, type RunKey } from '../wire/names.js'
import { fetchObject } from '../wire/objects.js'
import type { ResultMessage } from '../wire/protocol.js'
import { patiently } from '../wire/streams.js'
import type { StreamTails } from './stream-tail.js'
import type { SweepLink } from './sweep-link.js'

/** Characters of results that came before their trials were asked for; what goes beyond is read again then. */
const maxWaitingCharacters = 64_000_000

/** Every result of one sweep that the server holds, as it comes. */
export class Results {
  /** The latest generation of each trial that has a result, and where it lies. */
  readonly #latest = new Map<
    TrialId,
    { readonly generation: number; readonly sequence: number; readonly isShown: boolean }
  >()
  /** Results that wait for their trials, by their places in the stream: a request for each would take longer than all else. */
  readonly #waiting = new Map<number, string>()
  #waitingCharacters = 0
  /** Results of earlier generations are void, also those that are still to come. */
  #firstGeneration = 0

  constructor(private readonly link: SweepLink) {}

  /**
   * Resolves when those that are there are known; later ones are passed on as well.
   * @param onResult whether somebody waits for it.
   */
  follow(tails: StreamTails, onResult: (run: RunKey, text: string) => boolean): Promise<void> {
    const { names, token } = this.link
    return tails.follow(names.results, names.result({ sweep: token }), (message) => {
      const run = runOf(message.subject)
      if (run === undefined) return this.link.complain(`a result: ${message.subject}`)
      if (!this.link.tokens.allows(run, message.seq))
        return this.link.warnOnce(
          `a result of trial ${run.trial} was thrown away: whoever sent it does not show that the trial was given to it`,
        )
      const latest = this.#latest.get(run.trial)
      if (latest === undefined || latest.generation <= run.generation)
        this.#latest.set(run.trial, {
          ...{ generation: run.generation, sequence: message.seq },
          isShown: run.tag !== undefined,
        })
      const text = message.string()
      if (!onResult(run, text)) this.#keep(message.seq, text)
    })
  }

  #keep(sequence: number, text: string): void {
    if (this.#waitingCharacters + text.length > maxWaitingCharacters) return
    this.#waitingCharacters += text.length
    this.#waiting.set(sequence, text)
  }

  /**
   * Declares void what was before a fresh start. How often that was is what the journal and the server know of it, since
   * the other may have been lost; one more when this sweep begins afresh.
   */
  async voidEarlier({ fresh, voids }: { readonly fresh: boolean; readonly voids: number }): Promise<number> {
    const { broker, sweep } = this.link
    const generations = [...this.#latest.values()].map(({ generation }) => generation)
    const announced = (await patiently(() => readSweep(broker, sweep)))?.voids ?? 0
    const known = Math.max(announced, voidsBefore(generations.reduce((a, b) => Math.max(a, b), 0)))
    const count = Math.max(voids, fresh && (generations.length > 0 || known > 0) ? known + 1 : known)
    this.#firstGeneration = firstGenerationAfter(count)
    return count
  }

  /** The place in the stream of the last that came; 0 before the first. */
  lastSequence(): number {
    return [...this.#latest.values()].reduce((last, { sequence }) => Math.max(last, sequence), 0)
  }

  has({ trial, generation }: RunKey): boolean {
    return (this.#latest.get(trial)?.generation ?? -1) >= generation
  }

  /** A generation of which there is no result, and none before `above`. */
  nextGeneration(trial: TrialId, above: number): number {
    return Math.max(above, this.#latest.get(trial)?.generation ?? 0) + 1
  }

  /** The trial's run to begin with: that of its result if there is one that counts, and where that lies. */
  latestRun(trial: TrialId): { readonly run: RunKey; readonly sequence: number | undefined } {
    const latest = this.#latest.get(trial)
    const counts = latest !== undefined && latest.generation >= this.#firstGeneration
    const generation = counts ? latest.generation : this.#firstGeneration
    return { run: { sweep: this.link.token, trial, generation }, sequence: counts ? latest.sequence : undefined }
  }

  async read(sequence: number): Promise<string | undefined> {
    const kept = this.#waiting.get(sequence)
    if (kept !== undefined) {
      this.#waiting.delete(sequence)
      this.#waitingCharacters -= kept.length
      return kept
    }
    const { broker, names } = this.link
    const message = await this.link.persist(() => broker.jsm.streams.getMessage(names.results, { seq: sequence }))
    return message?.string()
  }

  /**
   * Whether a result counts that came before its trial was asked for: one that can't be read, and not for a moment only, does
   * not; nor does that of a trial which paused, nor an end without metrics unless it has taught.
   */
  async counts(
    run: RunKey,
    text: string,
    { pausedAfter = -Infinity, hasTaught = false }: Pick<Assignment, 'pausedAfter' | 'hasTaught'> = {},
  ): Promise<boolean> {
    try {
      const result = await this.link.persist(() => this.#open(run, text))
      if (result === undefined) return false
      if (!('metrics' in result.outcome)) return hasTaught
      return result.outcome.state !== 'stopped' || (result.reports.at(-1)?.step ?? Infinity) > pausedAfter
    } catch (error) {
      if (error instanceof NewerFormatError) throw error
      return false
    }
  }

  #open(run: RunKey, text: string): Promise<ResultMessage | undefined> {
    return openResult(this.link.broker, this.link.store, this.#writerOf(run), text)
  }

  /** The run as whoever wrote its result had it: without a token where an earlier version queued it. */
  #writerOf({ sweep, trial, generation }: RunKey): RunKey {
    const run = { sweep, trial, generation }
    const latest = this.#latest.get(trial)
    return latest?.generation === generation && !latest.isShown ? run : this.link.tokens.given(run)
  }

  /** The result and all that it saved. @throws Error when it is none, or something is missing. */
  collect(run: RunKey, text: string): Promise<ResultMessage> {
    const { broker, store } = this.link
    return this.link.persist(async () => {
      const result = await this.#open(run, text)
      if (result === undefined) throw new Error('it is malformed')
      const saved = savedBy(broker, this.#writerOf(run), result.nonce)
      if ('artifacts' in result.outcome)
        for (const ref of Object.values(result.outcome.artifacts)) await fetchObject(saved, store, ref)
      return result
    })
  }
}
