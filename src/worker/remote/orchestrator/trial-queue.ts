import type { ArtifactRef, Assignment } from '../../../core/trial.js'
import { recallQueued } from '../wire/sweep-control.js'
import { isHeldAlready } from '../wire/nats-errors.js'
import type { RunKey } from '../wire/names.js'
import type { Needs } from '../wire/needs.js'
import { sendObject } from '../wire/objects.js'
import { codeSince, encode, tokensSince, versionFor, type DatasetMessage, type TrialMessage } from '../wire/protocol.js'
import { maxInlineBytes } from '../wire/streams.js'
import type { TrialInFlight } from './flights.js'
import type { Lanes } from './lanes.js'
import type { Results } from './results.js'
import type { SweepLink } from './sweep-link.js'

/** A data set that workers may have, and its bytes for those who have not. */
export interface DatasetOffer {
  readonly message: DatasetMessage
  readonly read?: () => Promise<Uint8Array>
}

/** An experiment's files, which travel with its trials. */
export interface ShippedCode {
  readonly object: ArtifactRef
  readonly kind: NonNullable<Needs['code']>['kind']
  /** Whose signature workers find, as it is written. */
  readonly key: string
  readonly read: () => Promise<Uint8Array>
  /** The message of this run, signed. */
  readonly sign: (message: string, run: RunKey) => string
}

export interface TrialQueueOptions {
  /** Attempts before a trial whose workers vanish is dead. */
  readonly maxAttempts: number
  /** What workers must be compatible with. */
  readonly codeVersion: string
  /** The data sets that a trial reads. */
  readonly datasets: (assignment: Assignment) => readonly DatasetOffer[]
  readonly code?: ShippedCode | undefined
}

/** Queues trials for workers, once everything that they need is on the server. */
export class TrialQueue {
  /** No trial is queued meanwhile. */
  paused = false
  /** Objects known to be on the server. */
  readonly #sent = new Map<string, Promise<unknown>>()
  /** Subjects of queued runs that the server will deliver no more. */
  readonly #exhausted = new Set<string>()

  constructor(
    private readonly link: SweepLink,
    private readonly results: Results,
    private readonly lanes: Lanes,
    private readonly options: TrialQueueOptions,
  ) {}

  /** The server delivers what is queued there no more. */
  noteExhausted(subject: string): void {
    this.#exhausted.add(subject)
  }

  /** Nothing happens while the queue is paused. */
  async put(flight: TrialInFlight): Promise<void> {
    if (this.paused) return
    const { broker, names } = this.link
    const { run } = flight.state
    const subject = names.trial(run, flight.lane)
    await this.link.persist(() => this.lanes.ready(flight.lane))
    const message = await this.link.persist(() => this.#compose(flight))
    const isWanted = (): boolean =>
      flight.state.phase !== 'over' && flight.state.run.generation === run.generation && !this.paused
    // Taken back, or paused, while its data were on their way.
    if (!isWanted()) return
    await this.link.persist(async () => {
      try {
        await broker.publisher.publish(subject, message)
      } catch (error) {
        if (!isHeldAlready(error)) throw error
        if (!this.#exhausted.delete(subject)) return
        // It is there and will never be delivered: a new copy has all its deliveries before it.
        await broker.jsm.streams.purge(names.trials, { filter: subject })
        await broker.publisher.publish(subject, message)
      }
    })
    // Or while it was published itself: whoever looked at the queue did not see it there.
    if (!isWanted() && !this.results.has(run) && !this.link.isEnding) await recallQueued(broker, this.link.tokens, run)
  }

  /** The message of a trial. */
  async #compose({ assignment, state, goesOnFrom }: TrialInFlight): Promise<string> {
    const { maxAttempts, codeVersion, datasets: offersOf, code } = this.options
    const offers = offersOf(assignment)
    for (const ref of assignment.parents.flatMap((parent) => Object.values(parent.artifacts))) await this.#provide(ref)
    for (const { message, read } of offers)
      if (message.object !== undefined && read !== undefined) await this.#provide(message.object, read)
    if (code !== undefined) await this.#provide(code.object, code.read)
    const { token } = this.link.tokens.given(state.run)
    const facts = {
      v: code !== undefined ? codeSince : token === undefined ? versionFor(assignment) : tokensSince,
      ...(token === undefined ? {} : { token }),
      codeVersion,
      maxAttempts,
      datasets: offers.map(({ message }) => message),
      ...(code === undefined ? {} : { code: { object: code.object, key: code.key } }),
      ...this.#earlierRun(goesOnFrom),
    }
    const closed = (message: string): string => (code === undefined ? message : code.sign(message, state.run))
    // What it reads is what the message's data sets are called.
    const {
      reads: _,
      copy: __,
      pausedAfter: ___,
      hasTaught: ____,
      ...told
    } = { ...assignment, attempt: state.base + 1 }
    const text = closed(encode({ ...facts, assignment: told }))
    if (Buffer.byteLength(text) <= maxInlineBytes) return text
    const object = await this.link.store.putObject(Buffer.from(encode({ assignment: told })))
    await this.#provide(object)
    return closed(encode({ ...facts, object }))
  }

  /** Where a worker finds the checkpoint that a trial goes on from. */
  #earlierRun(run: RunKey | undefined): Pick<TrialMessage, 'goesOnFrom'> {
    const token = run === undefined ? undefined : this.link.tokens.given(run).token
    return token === undefined ? {} : { goesOnFrom: { generation: run!.generation, token } }
  }

  /** Brings an object to the server once. */
  #provide(ref: ArtifactRef, read?: () => Promise<Uint8Array>): Promise<unknown> {
    const { broker, store } = this.link
    const sent =
      this.#sent.get(ref.sha256) ?? sendObject(broker.objects, read === undefined ? store : { readObject: read }, ref)
    this.#sent.set(ref.sha256, sent)
    return sent.catch((error: unknown) => {
      this.#sent.delete(ref.sha256)
      throw error
    })
  }
}
