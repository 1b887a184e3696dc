import { JetStreamApiError } from '@nats-io/jetstream'
import { PermissionViolationError } from '@nats-io/transport-node'
import { MldsError } from '../../../core/errors.js'

/** Another message was faster: a compare-and-set lost. */
export function isTaken(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === 10071
}

/** The stream holds a message of this subject already. The code alone would not tell: it is that of any storage error. */
export function isHeldAlready(error: unknown): boolean {
  return error instanceof Error && error.message.includes('maximum messages per subject exceeded')
}

export const isMissing = (error: unknown): boolean => error instanceof JetStreamApiError && error.status === 404

/** The server does not let this user do it. */
export function isDenied(error: unknown): boolean {
  return error instanceof PermissionViolationError || (error instanceof Error && isDenied(error.cause))
}

/** Troubles of the connection or of a server that restarts, rather than a refusal. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof Error &&
    /timeout|no responders|disconnect|closed|unavailable/i.test(`${error.name} ${error.message}`)
  )
}

/** A failure that no waiting mends: the server does not let this worker, or what is to be stored is gone or can't be read. */
export function isLasting(error: unknown): boolean {
  if (isDenied(error)) return true
  if (!(error instanceof MldsError)) return false
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException
  return code === undefined || code === 'ENOENT'
}
