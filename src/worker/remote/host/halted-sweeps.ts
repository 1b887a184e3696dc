import type { Msg, Subscription } from '@nats-io/transport-node'
import { controlMessage, decode, type ControlMessage } from '../wire/protocol.js'
import { readControl } from '../wire/sweep-control.js'
import type { Broker } from '../wire/streams.js'

/**
 * What people want of the sweeps whose trials come here. It is heard as it is said, where the server lets this worker
 * listen, and asked with every beat, since what is said may be lost.
 */
export class HaltedSweeps {
  /** By the sweeps' tokens: what was last heard. */
  readonly #wanted = new Map<string, ControlMessage['wanted']>()

  /** @param onCancel what runs of this sweep is to be given up. */
  constructor(
    private readonly broker: Broker,
    private readonly onCancel: (token: string) => void,
  ) {}

  listen(): Subscription {
    const { nc, names } = this.broker
    const callback = (error: Error | null, message: Msg): void => {
      if (error !== null) return
      this.#hear(message.subject.split('.').at(-1)!, decode(controlMessage, message.string())?.wanted ?? 'run')
    }
    return nc.subscribe(`$KV.${names.controls}.*`, { callback })
  }

  /** Whether nothing of the sweep is to begin; asked at first, and again once it was halted, since what was heard may be old. */
  async isHalted(token: string): Promise<boolean> {
    if (this.#wanted.get(token) !== 'run') await this.#ask(token)
    return (this.#wanted.get(token) ?? 'run') !== 'run'
  }

  /** Asks anew for these sweeps, and forgets what was heard of others. */
  async askAgain(tokens: ReadonlySet<string>): Promise<void> {
    for (const token of this.#wanted.keys()) if (!tokens.has(token)) this.#wanted.delete(token)
    await Promise.all([...tokens].map((token) => this.#ask(token)))
  }

  async #ask(token: string): Promise<void> {
    const control = await readControl(this.broker, token).catch(() => 'unknown' as const)
    if (control !== 'unknown') this.#hear(token, control?.wanted ?? 'run')
  }

  #hear(token: string, wanted: ControlMessage['wanted']): void {
    this.#wanted.set(token, wanted)
    if (wanted === 'cancel') this.onCancel(token)
  }
}
