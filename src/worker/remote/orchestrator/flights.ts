import type { Assignment, TrialEvent, TrialId } from '../../../core/trial.js'
import type { EventQueue } from '../../event-queue.js'
import type { RunKey } from '../wire/names.js'
import { isOpen, queuedFlight, step, type Flight, type FlightMessage } from './flight.js'
import type { SweepLink } from './sweep-link.js'

/** A stop is repeated until it is honoured: the message may be lost, or the trial may be with nobody yet. */
const repeatStopMs = 2_000

/** A trial that was started here. */
export interface TrialInFlight {
  readonly assignment: Assignment
  /** Where in the queue it waits. */
  lane: string
  /** Where it is; `over` once nobody waits for it. */
  state: Flight
  /** Ends the repetition of a stop. */
  cancelStop: () => void
}

/** The trials that are waited for; carries out what follows from what is heard of them. */
export class Flights {
  readonly #flights = new Map<TrialId, TrialInFlight>()

  constructor(
    private readonly link: SweepLink,
    private readonly events: EventQueue<TrialEvent>,
    private readonly laneOf: (assignment: Assignment, run: RunKey) => string,
  ) {}

  add(assignment: Assignment, run: RunKey): TrialInFlight {
    const state = queuedFlight(run, assignment.attempt - 1)
    const flight: TrialInFlight = { assignment, lane: this.laneOf(assignment, run), state, cancelStop: () => {} }
    this.#flights.set(run.trial, flight)
    return flight
  }

  get(trial: TrialId): TrialInFlight | undefined {
    return this.#flights.get(trial)
  }

  /** The trial if just this run of it is waited for. */
  find({ trial, generation }: RunKey): TrialInFlight | undefined {
    const flight = this.#flights.get(trial)
    return flight?.state.run.generation === generation ? flight : undefined
  }

  all(): TrialInFlight[] {
    return [...this.#flights.values()]
  }

  /** Those of which no result is there yet. */
  open(): TrialInFlight[] {
    return this.all().filter(({ state }) => isOpen(state))
  }

  take(flight: TrialInFlight, message: FlightMessage): void {
    const { flight: state, events, orders } = step(flight.state, message)
    flight.state = state
    for (const order of orders) this.link.order(state.run, order)
    if (state.phase === 'over') {
      flight.cancelStop()
      if (this.#flights.get(state.run.trial) === flight) this.#flights.delete(state.run.trial)
    }
    for (const event of events) this.events.push(event)
  }

  stop(flight: TrialInFlight, reason: string): void {
    flight.cancelStop()
    this.take(flight, { type: 'stop', reason })
    flight.cancelStop = this.link.clock.after(repeatStopMs, () => this.stop(flight, reason))
  }

  cancel(flight: TrialInFlight, reason: string): void {
    this.take(flight, { type: 'end', outcome: { state: 'cancelled', reason }, atMs: this.link.clock.now() })
  }

  /** Here alone: nothing is said of it on the server. */
  fail(flight: TrialInFlight, { name, message }: Error): void {
    const outcome = { state: 'failed', error: { name, message } } as const
    this.take(flight, { type: 'end', outcome, atMs: this.link.clock.now() })
  }
}
