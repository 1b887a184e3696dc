import type { Clock } from '../../core/clock.js'
import type { JournalEvent } from '../journal/journal.js'
import type { Addition, Growth } from '../scheduling/growth.js'
import type { SearchCourse, Suggestion } from './course.js'
import { suggest, type SuggesterOptions } from './suggester.js'

/**
 * A plan that grows by what a search suggests. The next setting is worked out as soon as the results are there that it
 * depends on, whether or not a worker is free, so that one is at hand when it is asked for.
 */
export class SearchGrowth implements Growth {
  #working: Promise<void> | undefined
  #ready: (Suggestion & { readonly tookMs: number }) | undefined
  #isDone = false

  /**
   * @param course told of all that the journal holds, as the sampler was of its results.
   * @param say is told when no further point is found.
   */
  constructor(
    private readonly course: SearchCourse,
    private readonly options: SuggesterOptions,
    private readonly clock: Clock,
    private readonly say: (message: string) => void,
  ) {
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
    const { suggested, trials, tookMs } = ready
    return { reason: 'suggestion', because: { ...suggested, tookMs }, trials }
  }

  #begin(): void {
    if (this.#working !== undefined || this.#ready !== undefined || this.#isDone) return
    const request = this.course.next()
    if (request === undefined) return
    const startedAtMs = this.clock.now()
    this.#working = suggest(request, this.course, this.options).then((found) => {
      this.#working = undefined
      if (!('exhausted' in found)) {
        this.#ready = { ...found, tookMs: this.clock.now() - startedAtMs }
        return
      }
      this.#isDone = true
      this.say(`The search ends: ${found.exhausted}.`)
    })
    // Whoever waits for it hears of what it threw; nobody may.
    this.#working.catch(() => {})
  }
}
