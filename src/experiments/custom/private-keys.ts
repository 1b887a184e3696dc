import { readFileSync, statSync } from 'node:fs'

/** A key, with all certificates that may stand beside it, is smaller. */
const maxKeyFileBytes = 64 << 10

/** Such a file begins with a block of PEM, or with what openssl writes above one (`openssl pkcs12`, `openssl rsa -text`). */
const pemBeginning = /^(?:-----BEGIN |Bag Attributes|Key Attributes|(?:[A-Z0-9]+ )?Private-Key:)/

/**
 * Whether a file is a credential and no code: a private key in PEM, credentials or a seed of NATS, a context of NATS with a
 * password or a token. A source file that has a key somewhere in its text is code.
 */
export function isPrivateKey(file: string): boolean {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size === 0 || size > maxKeyFileBytes) return false
  const text = readFileSync(file, 'utf8').trim()
  if (pemBeginning.test(text)) return /^-----BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|NKEY SEED)/m.test(text)
  return /^S[ACNOUX][A-Z2-7]{56}$/.test(text) || (text.startsWith('{') && isContextWithSecret(text))
}

function isContextWithSecret(text: string): boolean {
  try {
    const { url, password, token } = JSON.parse(text) as Readonly<Record<string, unknown>>
    const isSecret = [password, token].some((value) => typeof value === 'string' && value !== '')
    return typeof url === 'string' && (isSecret || /^\w+:\/\/[^/@]+@/.test(url))
  } catch {
    return false
  }
}
