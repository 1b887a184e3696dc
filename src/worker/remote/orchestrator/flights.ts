import type { Assignment, TrialEvent, TrialId } from '../../../core/trial.js'
import type { EventQueue } from '../../event-queue.js'
import type { RunKey } from '../wire/names.js'
import { factsOf, isOpen, queuedFlight, step, type Flight, type FlightMessage } from './flight.js'
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
  /** An earlier run of the trial, which was paused: this one goes on from its checkpoint. */
  readonly goesOnFrom?: RunKey
  /** It is told to pause: its checkpoint is of use after its end. */
  isPausing?: boolean
}

/** The trials that are waited for; carries out what follows from what is heard of them. */
export class Flights {
  readonly #flights = new Map<TrialId, TrialInFlight>()
  /** Second runs of trials, beside those. */
  readonly #copies = new Map<TrialId, TrialInFlight>()

  constructor(
    private readonly link: SweepLink,
    private readonly events: EventQueue<TrialEvent>,
    private readonly laneOf: (assignment: Assignment, run: RunKey) => string,
    /** Told of one of two runs of a trial that nobody waits for any more. */
    private readonly onLeft: (run: RunKey) => void,
  ) {}

  add(assignment: Assignment, run: RunKey, goesOnFrom?: RunKey): TrialInFlight {
    const flight = { ...this.#make(assignment, run), ...(goesOnFrom && { goesOnFrom }) }
    this.#flights.set(run.trial, flight)
    return flight
  }

  /** Another run of a trial in flight. */
  addCopy(first: TrialInFlight, assignment: Assignment, run: RunKey): TrialInFlight {
    this.take(first, { type: 'twin' })
    const flight = this.#make(assignment, run)
    this.#copies.set(run.trial, flight)
    return flight
  }

  #make(assignment: Assignment, run: RunKey): TrialInFlight {
    const state = queuedFlight(run, assignment.attempt - 1, assignment.copy === true)
    return { assignment, lane: this.laneOf(assignment, run), state, cancelStop: () => {} }
  }

  get(trial: TrialId): TrialInFlight | undefined {
    return this.#flights.get(trial)
  }

  /** The trial if just this run of it is waited for. */
  find({ trial, generation }: RunKey): TrialInFlight | undefined {
    return this.#runsOf(trial).find(({ state }) => state.run.generation === generation)
  }

  /** The run of which an attempt has this number in the sweep. */
  ofAttempt(trial: TrialId, attempt: number): TrialInFlight | undefined {
    return this.#runsOf(trial).find(({ state }) => factsOf(state).attempt === attempt)
  }

  #runsOf(trial: TrialId): TrialInFlight[] {
    return [this.#flights.get(trial), this.#copies.get(trial)].filter((flight) => flight !== undefined)
  }

  hasCopy(trial: TrialId): boolean {
    return this.#copies.has(trial)
  }

  all(): TrialInFlight[] {
    return [...this.#flights.values(), ...this.#copies.values()]
  }

  /** Those of which no result is there yet. */
  open(): TrialInFlight[] {
    return this.all().filter(({ state }) => isOpen(state))
  }

  take(flight: TrialInFlight, message: FlightMessage): void {
    const { attempt } = flight.state
    const { flight: state, events, orders } = step(flight.state, message)
    flight.state = state
    // The next attempt is judged by what it reports itself; a stop from before the first is meant for that.
    if (attempt > 0 && state.attempt !== attempt) flight.cancelStop()
    for (const order of orders) this.link.order(state.run, order)
    if (state.phase === 'over') {
      flight.cancelStop()
      this.#remove(flight)
      if (state.isTwin && events.every(({ type }) => type !== 'ended')) this.onLeft(state.run)
    }
    for (const event of events) this.events.push(event)
  }

  /** A copy whose trial has no other run any more is that trial's run. */
  #remove(flight: TrialInFlight): void {
    const { trial } = flight.state.run
    const copy = this.#copies.get(trial)
    if (copy === flight) this.#copies.delete(trial)
    if (this.#flights.get(trial) !== flight) return
    this.#flights.delete(trial)
    if (copy === undefined) return
    this.#copies.delete(trial)
    this.#flights.set(trial, copy)
  }

  stop(flight: TrialInFlight, reason: string, keep: boolean): void {
    flight.cancelStop()
    flight.isPausing = keep
    this.take(flight, { type: 'stop', reason, ...(keep && { keep }) })
    flight.cancelStop = this.link.clock.after(repeatStopMs, () => this.stop(flight, reason, keep))
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
