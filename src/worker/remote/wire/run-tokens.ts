import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { RunKey } from './names.js'

/**
 * Who was given a trial can show it: its message carries a token, and what is written about the run stands under a
 * subject that only the token tells. The server itself thus keeps others from writing there, or from being first. Tokens
 * follow from a secret of the sweep, which orchestrators alone can read, so that any of them can check what came while
 * none was there.
 */

/** HMAC-SHA256 (RFC 2104), of which 128 bits are kept. */
const hmac = (key: string, text: string): string => createHmac('sha256', key).update(text).digest('hex').slice(0, 32)

/** A sweep's secret: 256 bits, in hexadecimal digits. */
export const newSecret = (): string => randomBytes(32).toString('hex')

/** What the message of this run carries. */
export const tokenOf = (secret: string, { sweep, trial, generation }: RunKey): string =>
  hmac(secret, `${sweep}.${trial}.${generation}`)

/** What is written about a run, each under a subject of its own, so that none tells of another. */
export type Written =
  | 'result'
  | 'event'
  | 'log'
  | `attempt ${number}`
  | `beat of attempt ${number}`
  | `end of attempt ${number}`
  | `question about attempt ${number}`
  | `upload ${string}`
  | 'checkpoint'

/** The run's key under which `written` stands; as it is for a run without a token, which an earlier version queued. */
export function tagged({ sweep, trial, generation, token }: RunKey, written: Written): RunKey {
  return { sweep, trial, generation, ...(token === undefined ? {} : { tag: hmac(token, written) }) }
}

const sealPattern = /^(\{.*),"seal":"([0-9a-f]{32})"\}$/s

/** A message (an object of at least one field) that whoever has the token knows for one of its holders'. */
export const sealed = (text: string, token: string): string => `${text.slice(0, -1)},"seal":"${hmac(token, text)}"}`

/** The message that was sealed with this token; `undefined` for anything else. */
export function unsealed(text: string, token: string): string | undefined {
  const [, begin, seal] = sealPattern.exec(text) ?? []
  if (begin === undefined) return undefined
  const message = `${begin}}`
  return timingSafeEqual(Buffer.from(seal!), Buffer.from(hmac(token, message))) ? message : undefined
}
