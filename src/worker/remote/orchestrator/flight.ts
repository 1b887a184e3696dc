import type { Outcome, ProcessUsage, TrialEvent, TrialId } from '../../../core/trial.js'
import type { RunKey } from '../wire/names.js'
import type { AttemptMessage, OrderMessage, ProgressMessage, ResultMessage } from '../wire/protocol.js'

/**
 * One trial's life on the wire, as its orchestrator knows it.
 *
 * - `queued`: no attempt of this run is known.
 * - `running`: an attempt began, and nothing was heard of its end.
 * - `lost`: the latest attempt ended without an outcome; workers begin another by themselves.
 * - `collecting`: a result is stored, and is being read. Live news do not count any more.
 * - `over`: its end was told, or nobody waits for it.
 *
 * A result that can't be used leads from `collecting` back to `queued`, as a run of a higher generation.
 */
export interface Flight {
  readonly phase: 'queued' | 'running' | 'lost' | 'collecting' | 'over'
  readonly run: RunKey
  /** Attempt n of this run is attempt base + n of the trial in its sweep. */
  readonly base: number
  /** The latest attempt of this run that was told of; 0 before the first. */
  readonly attempt: number
  /** That attempt's end without an outcome was told. */
  readonly isAttemptLost: boolean
  /** Reports of that attempt that were passed on. */
  readonly reportsTold: number
  /** Reports of that attempt that were answered, for interactive trials. */
  readonly reportsAnswered: number
  /** Results of this trial that could not be used. */
  readonly unreadable: number
  /** Another run of the trial is or was under way, a copy: this one ends with its attempt, since numbers of attempts are given elsewhere. */
  readonly isTwin: boolean
}

/** What can come to a trial on its way. */
export type FlightMessage =
  /** A worker's word that an attempt begins, or how it ended without an outcome. */
  | { readonly type: 'attempt'; readonly message: Omit<AttemptMessage, 'v'> }
  /** Live reports; they may come twice, late or never. */
  | { readonly type: 'progress'; readonly message: Progress }
  /** The sweep lets an interactive trial go on. */
  | { readonly type: 'proceed' }
  /** The sweep wants it to end with what it has. */
  | { readonly type: 'stop'; readonly reason: string; readonly keep?: true }
  /** A result is stored. */
  | { readonly type: 'result' }
  /** It was read, with all that it saved. */
  | { readonly type: 'collected'; readonly result: Omit<ResultMessage, 'v'> }
  /** It can't be used: the trial is asked for again, as `generation`. */
  | { readonly type: 'unreadable'; readonly reason: string; readonly generation: number; readonly atMs: number }
  /** It ends by a decision of this side; the server is told nothing of it. */
  | { readonly type: 'end'; readonly outcome: Outcome; readonly atMs: number }
  /** A copy of it begins. */
  | { readonly type: 'twin' }
  /** Another run of the trial has a result, which this orchestrator did not ask for: it is taken for the one that was. */
  | { readonly type: 'adopt'; readonly run: RunKey }
  /** Nobody waits for it any more, and nothing is told of it. */
  | { readonly type: 'drop' }

type Progress = Omit<ProgressMessage, 'v' | 'type'>

/** What a message makes of a flight, what is told to the sweep, and what is ordered from whoever runs the trial. */
export interface Step {
  readonly flight: Flight
  readonly events: readonly TrialEvent[]
  readonly orders: readonly OrderMessage[]
}

/** Times that a trial runs anew because its result can't be used. */
const maxUnreadable = 2

/** @param base the attempts at the trial before those of this run. */
export function queuedFlight(run: RunKey, base: number, isTwin = false): Flight {
  return {
    phase: 'queued',
    run,
    base,
    attempt: 0,
    isAttemptLost: false,
    reportsTold: 0,
    reportsAnswered: 0,
    unreadable: 0,
    isTwin,
  }
}

/** Whether live news count: neither is a result being read, nor is it over. */
export const isOpen = ({ phase }: Flight): boolean => phase !== 'collecting' && phase !== 'over'

/** The next state, and what follows from the message: the same for the same, with no effect of its own. */
export function step(flight: Flight, message: FlightMessage): Step {
  if (flight.phase === 'over') return only(flight)
  switch (message.type) {
    case 'attempt':
      return isOpen(flight) ? hearAttempt(flight, message.message) : only(flight)
    case 'progress':
      return isOpen(flight) ? hearProgress(flight, message.message) : only(flight)
    case 'proceed': {
      const reportsAnswered = flight.reportsAnswered + 1
      return only({ ...flight, reportsAnswered }, [{ type: 'proceed', until: reportsAnswered }])
    }
    case 'stop':
      return only(flight, [stopOrder(flight, message)])
    case 'result':
      return only({ ...flight, phase: 'collecting' })
    case 'collected':
      return flight.phase === 'collecting' ? collect(flight, message.result) : only(flight)
    case 'unreadable':
      return flight.phase === 'collecting' ? runAnew(flight, message) : only(flight)
    case 'end':
      return {
        ...end(flight, message.outcome, message.atMs),
        orders: message.outcome.state === 'cancelled' ? [{ type: 'give-up' }] : [],
      }
    case 'twin':
      return only({ ...flight, isTwin: true })
    case 'adopt':
      return isOpen(flight) ? only({ ...flight, run: message.run, phase: 'collecting' }) : only(flight)
    case 'drop':
      return only({ ...flight, phase: 'over' })
  }
}

/** For this attempt alone: the next may not be as far yet. */
const stopOrder = (
  { attempt }: Flight,
  { reason, keep }: Extract<FlightMessage, { type: 'stop' }>,
): Extract<OrderMessage, { type: 'stop' }> => ({
  ...{ type: 'stop', reason },
  ...(attempt > 0 && { attempt }),
  ...(keep && { keep }),
})

const only = (flight: Flight, orders: readonly OrderMessage[] = []): Step => ({ flight, events: [], orders })

function hearAttempt(flight: Flight, { standing, reason = standing, atMs, ...facts }: Omit<AttemptMessage, 'v'>): Step {
  if (standing === 'running') return hearProgress(flight, { ...facts, from: 0, reports: [] })
  if (standing === 'given up' || facts.attempt !== flight.attempt || flight.isAttemptLost) return only(flight)
  const lost = { ...factsOf(flight), type: 'lost', atMs, reason } as const
  if (flight.isTwin) return leave(flight, standing === 'handed back' ? { ...lost, handedBack: true } : lost)
  return { flight: { ...flight, phase: 'lost', isAttemptLost: true }, events: [lost], orders: [] }
}

/** Nobody waits for further attempts: whoever begins one is told to leave it. */
const leave = (flight: Flight, lost: TrialEvent): Step => ({
  flight: { ...flight, phase: 'over' },
  events: [lost],
  orders: [{ type: 'give-up' }],
})

function hearProgress(flight: Flight, progress: Progress): Step {
  const { attempt, startedAtMs, worker, from, reports } = progress
  if (attempt < flight.attempt || (attempt === flight.attempt && flight.isAttemptLost)) return only(flight)
  const events: TrialEvent[] = []
  let after = flight
  if (attempt > flight.attempt) {
    if (flight.attempt > 0 && flight.isTwin)
      return leave(flight, { ...factsOf(flight), type: 'lost', atMs: startedAtMs, reason: 'its worker vanished' })
    if (flight.attempt > 0 && !flight.isAttemptLost)
      events.push({ ...factsOf(flight), type: 'lost', atMs: startedAtMs, reason: 'its worker vanished' })
    // A copy has one number, whichever attempt at its run is heard of first.
    const base = flight.isTwin ? flight.base + 1 - attempt : flight.base
    after = { ...flight, base, phase: 'running', attempt, isAttemptLost: false, reportsTold: 0, reportsAnswered: 0 }
    events.push({ ...factsOf(after), type: 'started', atMs: startedAtMs, worker })
  }
  // After a gap nothing is told until the result brings the whole course.
  if (from > after.reportsTold) return { flight: after, events, orders: [] }
  const fresh = reports.slice(after.reportsTold - from)
  for (const report of fresh) events.push({ ...factsOf(after), type: 'report', ...report })
  // A report that comes again was answered already, and the answer was lost.
  const isAnswered = fresh.length === 0 && reports.length > 0 && after.reportsAnswered >= from + reports.length
  return {
    flight: { ...after, reportsTold: after.reportsTold + fresh.length },
    events,
    orders: isAnswered ? [{ type: 'proceed', until: after.reportsAnswered }] : [],
  }
}

/** The result brings the whole course: what of it was not told yet, and the end. */
function collect(flight: Flight, result: Omit<ResultMessage, 'v'>): Step {
  const { outcome, atMs, log } = result
  // Which of its attempts that was matters to nobody, and the numbers after the first may be another's.
  if (flight.isTwin) {
    const told = hearProgress(flight, { ...result, attempt: Math.max(1, flight.attempt), from: 0 })
    const ended = end(told.flight, outcome, atMs, log)
    return { ...ended, events: [...told.events, ...ended.events] }
  }
  if (outcome.state === 'dead')
    return end({ ...flight, attempt: Math.max(flight.attempt, result.attempt) }, outcome, atMs, log)
  if (result.attempt === 0) return end(flight, outcome, atMs, log)
  // Reports of another attempt are the same: what was told of one is not told again.
  const attempt = Math.max(result.attempt, flight.isAttemptLost ? flight.attempt + 1 : flight.attempt)
  const told = hearProgress(flight, { ...result, attempt, from: 0 })
  const ended = end(told.flight, outcome, atMs, log, result.usage)
  return { ...ended, events: [...told.events, ...ended.events] }
}

function end(flight: Flight, outcome: Outcome, atMs: number, log?: string, usage?: ProcessUsage): Step {
  const facts = { ...factsOf(flight), ...(usage && { usage }), ...(log === undefined ? {} : { log }) }
  return {
    flight: { ...flight, phase: 'over' },
    events: [{ ...facts, type: 'ended', atMs, outcome }],
    orders: [],
  }
}

/** A result that can't be used counts as none; after the third the trial has failed. */
function runAnew(flight: Flight, { reason, generation, atMs }: Extract<FlightMessage, { type: 'unreadable' }>): Step {
  if (flight.unreadable === maxUnreadable)
    return end(flight, { state: 'failed', error: { name: 'StoreError', message: reason } }, atMs)
  if (flight.isTwin) return leave(flight, { ...factsOf(flight), type: 'lost', atMs, reason })
  const base = flight.base + flight.attempt
  const wasRunning = flight.attempt > 0 && !flight.isAttemptLost
  return {
    flight: { ...queuedFlight({ ...flight.run, generation }, base), unreadable: flight.unreadable + 1 },
    events: wasRunning ? [{ ...factsOf(flight), type: 'lost', atMs, reason }] : [],
    orders: [],
  }
}

/** The trial, and the number of its attempt in the sweep. */
export function factsOf({ run, base, attempt }: Flight): { trial: TrialId; attempt: number } {
  return { trial: run.trial, attempt: base + Math.max(1, attempt) }
}
