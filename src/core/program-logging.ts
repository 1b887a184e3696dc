import { createHmac } from 'node:crypto'
import type { TrialId } from './trial.js'

/**
 * The name by which the program of an attempt knows its run: 32 hexadecimal digits, as MLflow's own are. It is known before
 * there is a run; the gateway puts the server's id in its place.
 */
export function runAlias(trial: TrialId, attempt: number): string {
  return `${trial}${attempt.toString(16).padStart(16, '0')}`
}

/** The trial and attempt of an alias; `undefined` of any other text. */
export function readRunAlias(alias: string): { trial: TrialId; attempt: number } | undefined {
  const [, trial, attempt] = /^([0-9a-f]{16})([0-9a-f]{16})$/.exec(alias) ?? []
  return trial === undefined ? undefined : { trial, attempt: parseInt(attempt!, 16) }
}

/** What shows, without telling it, that one knows the key of a trial. */
export function proofOf(key: string, nonce: string): string {
  return createHmac('sha256', key).update(nonce).digest('hex')
}
