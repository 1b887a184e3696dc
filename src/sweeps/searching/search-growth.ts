import type { Clock } from '../../core/clock.js'
import type { TrialId } from '../../core/trial.js'
import type { KeptSuggestion, SuggestionKeeper } from '../../worker/backend.js'
import type { JournalEvent } from '../journal/journal.js'
import type { Addition, Growth } from '../scheduling/growth.js'
import type { SearchCourse, Suggested, Suggestion } from './course.js'
import { keptOf, suggestAsKept } from './kept.js'
import { suggest, type SuggesterOptions } from './suggester.js'

/** What is kept of a search elsewhere. */
export interface KeptSearch {
  readonly keeper: SuggestionKeeper
  /** What is suggested next, as an earlier process did of which this journal does not tell. */
  readonly ahead: readonly KeptSuggestion[]
}

/**
 * A plan that grows by what a search suggests. The next setting is worked out as soon as the results are there that it
 * depends on, whether or not a worker is free, so that one is at hand when it is asked for.
 */
export class SearchGrowth implements Growth {
  #working: Promise<void> | undefined
  #ready: Suggestion | undefined
  #isDone = false
  /** How many of those ahead have come. */
  #come = 0
  /** The settings that those ahead were suggested from. */
  readonly #taught: ReadonlySet<number>

  /**
   * @param course told of all that the journal holds, as the sampler was of its results.
   * @param say is told when no further point is found.
   */
  constructor(
    private readonly course: SearchCourse,
    private readonly options: SuggesterOptions,
    private readonly clock: Clock,
    private readonly say: (message: string) => void,
    private readonly kept?: KeptSearch,
  ) {
    this.#taught = course.taughtBy(kept?.ahead ?? [])
    this.#begin()
  }

  get working(): Promise<void> | undefined {
    return this.#ready === undefined ? this.#working : Promise.resolve()
  }

  /** Whether a further setting is found from the results that there are; waits until that is known. */
  async hasNext(): Promise<boolean> {
    await this.#working
    return this.#ready !== undefined
  }

  apply(event: JournalEvent): void {
    this.course.apply(event)
    this.#begin()
  }

  async next(): Promise<Addition | undefined> {
    const ready = this.#ready
    if (ready === undefined) return undefined
    this.#ready = undefined
    const { suggested, trials } = ready
    return { reason: 'suggestion', because: { ...suggested }, trials }
  }

  async keep({ reason, because }: Addition): Promise<void> {
    if (reason === 'suggestion') await this.kept?.keeper.keep(keptOf(because as unknown as Suggested))
  }

  isTaughtBy(trial: TrialId): boolean {
    return this.#taught.size > 0 && this.course.waitingFor(trial).some((place) => this.#taught.has(place))
  }

  #begin(): void {
    if (this.#working !== undefined || this.#ready !== undefined || this.#isDone) return
    const ahead = this.kept?.ahead[this.#come]
    this.#working = ahead === undefined ? this.#suggest() : this.#follow(ahead)
    // Whoever waits for it hears of what it threw; nobody may.
    this.#working?.catch(() => {})
  }

  #suggest(): Promise<void> | undefined {
    const request = this.course.next()
    if (request === undefined) return undefined
    const startedAtMs = this.clock.now()
    return suggest(request, this.course, this.options).then((found) => {
      this.#working = undefined
      if (!('exhausted' in found)) {
        const tookMs = this.clock.now() - startedAtMs
        this.#ready = { ...found, suggested: { ...found.suggested, tookMs } }
        return
      }
      this.#isDone = true
      this.say(`The search ends: ${found.exhausted}.`)
    })
  }

  /** @returns a promise only of what is wrong with it: the rest is known at once, or by a later event. */
  #follow(ahead: KeptSuggestion): Promise<never> | undefined {
    try {
      this.#ready = suggestAsKept(ahead, this.course, this.options)
    } catch (error) {
      const failure = error as Error
      return Promise.reject(failure)
    }
    if (this.#ready !== undefined) this.#come++
    return undefined
  }
}
