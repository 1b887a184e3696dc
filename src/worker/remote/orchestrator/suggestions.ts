import { StoreError } from '../../../core/errors.js'
import type { KeptSuggestion, SuggestionKeeper } from '../../backend.js'
import { isHeldAlready } from '../wire/nats-errors.js'
import { decodeKept, encode, oldestProtocol, suggestionMessage, type SuggestionMessage } from '../wire/protocol.js'
import type { SweepLink } from './sweep-link.js'

/** So many are read at once: one after another would wait for the network each time. */
const readsAtOnce = 100

/** What a sweep's search has suggested, as the server keeps it: the first of each setting. */
export class Suggestions implements SuggestionKeeper {
  /** One after the other from the first that was read: the setting after them. */
  #next = 0

  /** @param voids how often the sweep's results were declared void: each time the search begins anew. */
  constructor(
    private readonly link: SweepLink,
    private readonly voids: number,
  ) {}

  /** @throws StoreError for an entry that mlds did not write. */
  async read(from: number): Promise<readonly KeptSuggestion[]> {
    const found: KeptSuggestion[] = []
    for (;;) {
      const at = from + found.length
      const some = await Promise.all(Array.from({ length: readsAtOnce }, (_, i) => this.#read(at + i)))
      const missing = some.indexOf(undefined)
      for (const one of some.slice(0, missing < 0 ? some.length : missing)) found.push(one!)
      this.#next = from + found.length
      if (missing >= 0) return found
    }
  }

  async #read(setting: number): Promise<KeptSuggestion | undefined> {
    const { broker, names } = this.link
    const stored = await this.link.persist(() => broker.reads.last(names.suggestions, this.#subject(setting)))
    if (stored === undefined) return undefined
    const what = `setting ${setting} of sweep ${this.link.sweep}`
    const message = decodeKept(suggestionMessage, stored.text, what)
    if (message?.setting !== setting)
      throw new StoreError(`what the NATS server keeps is no suggestion of mlds: ${what}`, {
        hint: `with --fresh the search begins again; results that it has are void then`,
      })
    const { v: _, ...suggestion } = message
    return suggestion
  }

  async keep(suggestion: KeptSuggestion): Promise<void> {
    const { setting } = suggestion
    // It was read there.
    if (setting < this.#next) return
    const { broker } = this.link
    const text = encode({ v: oldestProtocol, ...suggestion } satisfies SuggestionMessage)
    await this.link.persist(async () => {
      try {
        await broker.publisher.publish(this.#subject(setting), text)
      } catch (error) {
        // It may be there since the answer to an earlier try was lost.
        if (!isHeldAlready(error) || !(await this.#holds(setting, text))) throw error
      }
    })
    this.#next = setting + 1
  }

  async #holds(setting: number, text: string): Promise<boolean> {
    const { broker, names, sweep } = this.link
    const held = await broker.reads.lastOfLeader(names.suggestions, this.#subject(setting))
    if (held === text) return true
    if (held === undefined) return false
    throw new StoreError(`another process has suggested setting ${setting} of sweep ${sweep} meanwhile`, {
      hint: `go on with what it suggested: mlds resume ${sweep}`,
    })
  }

  /** Removes what was suggested from results that are void. */
  async forgetVoid(): Promise<void> {
    const { broker, names, token } = this.link
    await broker.jsm.streams.purge(names.suggestions, { filter: names.suggestion(token) })
  }

  #subject(setting: number): string {
    return this.link.names.suggestion(this.link.token, this.voids, setting)
  }
}
