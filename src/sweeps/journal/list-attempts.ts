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
  let attempts: ListedAttempt[] = []
  const set = (attempt: number, facts: Partial<ListedAttempt> & { ended: string; atMs: number }): void => {
    const listed = { attempt, isVoid: false, metrics: {}, ...facts }
    // A paused one that does not go on ends as that attempt.
    const open = attempts.findLastIndex((one) => one.attempt === attempt && ['running', 'paused'].includes(one.ended))
    if (open < 0) attempts.push(listed)
    else attempts[open] = listed
  }
  for (const event of events) {
    if (event.type === 'voided') attempts = attempts.map((attempt) => ({ ...attempt, isVoid: true }))
    if (event.type === 'opened' || event.type === 'closed')
      attempts = attempts.map((attempt) => (attempt.ended === 'running' ? { ...attempt, ended: 'lost' } : attempt))
    if (!('trial' in event) || event.trial !== trial) continue
    const { atMs } = event
    if (event.type === 'started') set(event.attempt, { ended: 'running', atMs })
    if (event.type === 'paused')
      set(event.attempt, { ended: 'paused', atMs, metrics: event.metrics, reason: `at step ${event.step}` })
    if (event.type === 'lost') set(event.attempt, { ended: 'lost', atMs, reason: event.reason })
    if (event.type !== 'ended') continue
    const reason = reasonOf(event.outcome)
    const { state: ended } = event.outcome
    const metrics = 'metrics' in event.outcome ? event.outcome.metrics : {}
    set(event.attempt, { ended, atMs, metrics, ...(reason === undefined ? {} : { reason }) })
  }
  return attempts
}
