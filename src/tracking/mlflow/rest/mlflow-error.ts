import { MldsError, exitCodes } from '../../../core/errors.js'

/** An answer that is not a success. `passing` failures may go away by themselves; the others need a person. */
export class MlflowError extends MldsError {
  constructor(
    message: string,
    readonly status: number | undefined,
    readonly passing: boolean,
    readonly mlflowCode?: string,
    readonly retryAfterMs?: number,
    options: { hint?: string; cause?: unknown } = {},
  ) {
    super('TRACKING', message, { exitCode: exitCodes.environment, ...options })
  }
}

export const passingStatuses = new Set([408, 429, 500, 502, 503, 504])

/** The server's database has this row already. */
export function isUniqueViolation({ status, message }: MlflowError): boolean {
  return status === 400 && /unique constraint|duplicate (key|entry)/i.test(message)
}

export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined
  const seconds = Number(header)
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000)
  const atMs = Date.parse(header)
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}
