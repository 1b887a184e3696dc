import { nameRun, type RunKey } from './names.js'
import type { SweepMessage } from './protocol.js'
import { tagged, tokenOf, type Written } from './run-tokens.js'

/** What a sweep's tokens follow from. */
export type SweepSecret = Pick<SweepMessage, 'secret' | 'untokened'>

/** One sweep's tokens, as its orchestrators have them: gives runs theirs, and tells what shows one from what does not. */
export class SweepTokens {
  readonly facts: SweepSecret
  readonly #untokened: ReadonlySet<string>

  /** @param facts nothing for a sweep that an earlier version alone has run: its runs have no tokens. */
  constructor({ secret, untokened }: SweepSecret = {}) {
    this.facts = { ...(secret === undefined ? {} : { secret }), ...(untokened === undefined ? {} : { untokened }) }
    this.#untokened = new Set(untokened?.runs)
  }

  /** The run with what its message carries. */
  given({ sweep, trial, generation }: RunKey): RunKey {
    const run = { sweep, trial, generation }
    const { secret } = this.facts
    return secret === undefined || this.#untokened.has(nameRun(run)) ? run : { ...run, token: tokenOf(secret, run) }
  }

  /** The key under which this is written of the run by whoever was given it. */
  keyOf(run: RunKey, written: Written): RunKey {
    return tagged(this.given(run), written)
  }

  /** Whether what stands under this key was written by one who was given the run. */
  isShown(key: RunKey, written: Written): boolean {
    return key.tag === this.keyOf(key, written).tag
  }

  /** Whether a result that stands under this key, at this place of the stream, counts. */
  allows(key: RunKey, sequence: number): boolean {
    const isEarlier = key.tag === undefined && sequence <= (this.facts.untokened?.upTo ?? 0)
    return isEarlier || this.isShown(key, 'result')
  }
}
