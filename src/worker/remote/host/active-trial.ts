import type { Clock } from '../../../core/clock.js'
import { EngineError, MldsError } from '../../../core/errors.js'
import type { ProcessUsage, TrialEvent } from '../../../core/trial.js'
import type { ProgressMessage, ResultMessage } from '../wire/protocol.js'
import type { RunKey } from '../wire/names.js'

/**
 * How a run left this worker: with an outcome; `unfit`, since its engine does not load here; `lost` with its thread; `dropped`, since its sweep gave it up;
 * `superseded` by another worker that has it now; or `handed back` for another worker to begin again.
 */
export type AttemptEnd =
  | {
      readonly how: 'ended'
      readonly outcome: ResultMessage['outcome']
      readonly atMs: number
      readonly usage: ProcessUsage | undefined
      readonly log: string | undefined
    }
  | { readonly how: 'unfit'; readonly error: Error }
  | { readonly how: 'lost'; readonly reason: string }
  | { readonly how: 'dropped' }
  | { readonly how: 'superseded' }
  | { readonly how: 'handed back'; readonly reason: string }

const repeatReportMs = 1_000
const batchSize = 100

/** One attempt at one trial on this worker: gathers its reports and passes them on. */
export class ActiveTrial {
  readonly reports: ResultMessage['reports'] = []
  readonly ended: Promise<AttemptEnd>
  #hasEnded = false
  #resolve!: (end: AttemptEnd) => void
  #sent = 0
  #flush: NodeJS.Immediate | undefined
  #proceeded = 0
  #cancelRepeat = (): void => {}

  constructor(
    readonly key: RunKey,
    private readonly interactive: boolean,
    private readonly clock: Clock,
    private readonly out: {
      publish(event: Pick<ProgressMessage, 'from' | 'reports'>): void
      proceed(): void
    },
  ) {
    this.ended = new Promise((resolve) => (this.#resolve = resolve))
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  #end(end: AttemptEnd): void {
    this.#hasEnded = true
    this.#resolve(end)
  }

  take(event: TrialEvent): void {
    if (event.type === 'report') {
      const { step, atMs, metrics, carried } = event
      this.reports.push({ step, atMs, metrics, ...(carried === undefined ? {} : { carried }) })
      this.#flush ??= setImmediate(() => this.#send())
    } else if (event.type === 'ended') this.#end(endOf(event))
    else if (event.type === 'lost')
      this.#end({ how: event.handedBack === true ? 'handed back' : 'lost', reason: event.reason })
  }

  #send(): void {
    this.#flush = undefined
    this.#publishFrom(this.#sent)
    this.#sent = this.reports.length
    if (this.interactive) this.#repeat(() => this.#proceeded)
  }

  /** In pieces, since a server refuses messages above a size. */
  #publishFrom(first: number): void {
    for (let from = first; from < this.reports.length; from += batchSize)
      this.out.publish({ from, reports: this.reports.slice(from, from + batchSize) })
  }

  /**
   * Until the answer comes. At first the report or the answer may have been lost; after that, whoever answers may be a
   * new orchestrator, which judges nothing before it has heard the whole course.
   */
  #repeat(first: () => number): void {
    this.#cancelRepeat()
    this.#cancelRepeat = this.clock.after(repeatReportMs, () => {
      if (this.#proceeded >= this.reports.length) return
      this.#publishFrom(first())
      this.#repeat(() => 0)
    })
  }

  proceed(until: number): void {
    if (until <= this.#proceeded || until > this.reports.length) return
    this.#proceeded = until
    this.#cancelRepeat()
    this.out.proceed()
  }

  /** Ends it without an outcome; what comes from its thread afterwards is passed over. */
  giveUp(end: Exclude<AttemptEnd, { how: 'ended' }>): void {
    this.#end(end)
  }

  close(): void {
    this.#cancelRepeat()
    clearImmediate(this.#flush)
  }
}

/** An engine that does not load is no failure of the trial: another worker may have it. */
function endOf(event: Extract<TrialEvent, { type: 'ended' }>): AttemptEnd {
  const { atMs, usage, log } = event
  const outcome = event.outcome as ResultMessage['outcome']
  if (outcome.state !== 'failed' || outcome.error.name !== EngineError.name)
    return { how: 'ended', outcome, atMs, usage, log }
  return { how: 'unfit', error: new MldsError('ENGINE', outcome.error.message) }
}
