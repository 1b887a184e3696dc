import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export interface Asked {
  readonly method?: string | undefined
  /** As sent: path and query. */
  readonly url?: string | undefined
  readonly headers: IncomingHttpHeaders
}

export type Verdict =
  | { readonly path: string; readonly query: URLSearchParams; readonly isAction: boolean }
  | { readonly status: 400 | 403 | 404 | 405 | 415; readonly why: string }

const loopback = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/
const maxUrlLength = 8_000

/**
 * Whether a request may be answered. The name that it was sent to must be this host's own: a page of another site whose
 * name was made to lead here (DNS rebinding) sends its own name. What another site's page sends says where it comes from, and
 * only a person's click on the dashboard's address may come from elsewhere. The first part of the path must be the token.
 * An action must say that the page of this very address asks, and come as JSON, which no form of another site can send.
 * @param allowsActions whether a POST may be answered at all.
 */
export function judgeRequest(
  { method, url = '', headers }: Asked,
  { token, allowsActions }: { readonly token: string; readonly allowsActions: boolean },
): Verdict {
  const isAction = method === 'POST'
  if (isAction && !allowsActions)
    return { status: 405, why: 'this server only shows; mlds dashboard --allow-actions lets its page change something' }
  if (!isAction && method !== 'GET' && method !== 'HEAD')
    return { status: 405, why: 'this server only shows: GET is the one method' }
  if (url.length > maxUrlLength) return { status: 400, why: 'the address is too long' }
  if (headers.host === undefined || !loopback.test(headers.host))
    return { status: 403, why: 'the Host of the request is none of this host: open the address that was printed' }
  if (headers.origin !== undefined && headers.origin !== `http://${headers.host}`)
    return { status: 403, why: 'another site asked' }
  const [site, mode, target] = ['site', 'mode', 'dest'].map((name) => headers[`sec-fetch-${name}`])
  const isFromElsewhere = site !== undefined && site !== 'same-origin' && site !== 'none'
  if (isFromElsewhere && !(mode === 'navigate' && target === 'document'))
    return { status: 403, why: 'another site asked' }
  if (isAction && headers.origin === undefined)
    return { status: 403, why: 'an action comes from the page of this address alone' }
  if (isAction && headers['content-type'] !== 'application/json')
    return { status: 415, why: 'an action is JSON (application/json)' }
  const match = /^\/([A-Za-z0-9_-]{1,200})(\/[A-Za-z0-9/._-]*)(?:\?([^#]*))?$/.exec(url)
  if (match === null || !isSame(match[1]!, token))
    return { status: 404, why: 'nothing is here: open the address that mlds dashboard printed, with its token' }
  return { path: match[2]!, query: new URLSearchParams(match[3] ?? ''), isAction }
}

/** In the same time whatever they have in common. */
function isSame(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Headers of every answer: nothing but what this server sends may be loaded, and no other site may show it. */
export const safeHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
}
