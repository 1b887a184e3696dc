import { reasonOf } from '../../core/divergence.js'
import type { Metrics, TrialId } from '../../core/trial.js'
import type { JournalEvent } from './journal.js'

/** One attempt at a trial, whether it counts or not. */
export interface ListedAttempt {
  readonly attempt: number
  /** How it ended; `lost` with its worker or its process, `paused` at a rung, `running` otherwise. */
  readonly ended: string
  readonly atMs: number
  /** Its result is void: `--fresh` ran the trial again. */
  readonly isVoid: boolean
  readonly reason?: string
  readonly metrics: Metrics
}

/** Every attempt at a trial that the journal holds, in order, void ones too. */
export function listAttempts(events: Iterable<JournalEvent>, trial: TrialId): ListedAttempt[] {
  return listAttemptsOf(events, (id) => id === trial).get(trial) ?? []
}

/** The same of several trials, in one reading. */
export function listAttemptsOf(
  events: Iterable<JournalEvent>,
  isWanted: (trial: TrialId) => boolean,
): Map<TrialId, ListedAttempt[]> {
  const found = new Map<TrialId, ListedAttempt[]>()
  const set = (
    trial: TrialId,
    attempt: number,
    facts: Partial<ListedAttempt> & { ended: string; atMs: number },
  ): void => {
    const attempts = found.get(trial) ?? []
    found.set(trial, attempts)
    const listed = { attempt, isVoid: false, metrics: {}, ...facts }
    // A paused one that does not go on ends as that attempt.
    const open = attempts.findLastIndex((one) => one.attempt === attempt && ['running', 'paused'].includes(one.ended))
    if (open < 0) attempts.push(listed)
    else attempts[open] = listed
  }
  const change = (to: (attempt: ListedAttempt) => ListedAttempt): void => {
    for (const [trial, attempts] of found) found.set(trial, attempts.map(to))
  }
  for (const event of events) {
    if (event.type === 'voided') change((attempt) => ({ ...attempt, isVoid: true }))
    if (event.type === 'opened' || event.type === 'closed')
      change((attempt) => (attempt.ended === 'running' ? { ...attempt, ended: 'lost' } : attempt))
    if (!('trial' in event) || !isWanted(event.trial)) continue
    const { trial, atMs } = event
    if (event.type === 'started') set(trial, event.attempt, { ended: 'running', atMs })
    if (event.type === 'paused')
      set(trial, event.attempt, { ended: 'paused', atMs, metrics: event.metrics, reason: `at step ${event.step}` })
    if (event.type === 'lost') set(trial, event.attempt, { ended: 'lost', atMs, reason: event.reason })
    if (event.type !== 'ended') continue
    const reason = reasonOf(event.outcome)
    const { state: ended } = event.outcome
    const metrics = 'metrics' in event.outcome ? event.outcome.metrics : {}
    set(trial, event.attempt, { ended, atMs, metrics, ...(reason === undefined ? {} : { reason }) })
  }
  return found
}
