import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import type { RunKey } from './names.js'

/**
 * A trial that brings code along is signed, with Ed25519 (RFC 8032), by whoever plans the sweep. The signature covers the
 * whole message, so the code by its hash, the sweep, the parameters (which become words of a command), the limits and the
 * files of earlier trials by theirs; and beside it whose queue and which run it is for. So nobody else can have signed code
 * run with words, with files or for a sweep that it was not signed for. A key that identifies at a NATS server
 * would not do: it signs whatever challenge the server thinks of.
 */

const purpose = 'mlds: a trial with its code, 1'
const signature = /^(\{.*),"signature":"([A-Za-z0-9_-]{86})"\}$/s

/** What is beside the message that is signed. */
export interface SignedFor {
  readonly tenant: string
  readonly run: RunKey
}

const statement = ({ tenant, run: { sweep, trial, generation } }: SignedFor, text: string): Buffer =>
  Buffer.from([purpose, tenant, sweep, trial, generation, text].join('\n'))

/** The message (an object of at least one field) with the signature of this key. */
export function signed(text: string, privateKey: KeyObject, signedFor: SignedFor): string {
  const bytes = sign(null, statement(signedFor, text), privateKey)
  return `${text.slice(0, -1)},"signature":"${bytes.toString('base64url')}"}`
}

/** Whether whoever has the private half of this key has signed the message, and for this. */
export function isSignedBy(text: string, key: string, signedFor: SignedFor): boolean {
  const [, begin, bytes] = signature.exec(text) ?? []
  if (begin === undefined) return false
  return verify(null, statement(signedFor, `${begin}}`), publicKeyOf(key), Buffer.from(bytes!, 'base64url'))
}

/** How a key is written: `ed25519:` and its 32 bytes. */
export const writtenKey = (key: KeyObject): string => `ed25519:${(key.export({ format: 'jwk' }) as { x: string }).x}`

const publicKeyOf = (written: string): KeyObject =>
  createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: written.slice(written.indexOf(':') + 1) } })
