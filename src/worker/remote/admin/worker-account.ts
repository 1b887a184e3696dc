import { prefixOfAccount } from '../wire/confinement.js'
import type { Names } from '../wire/names.js'

/** What the account of one worker's key imports of the orchestrators' account, and its only user may do. */
export interface WorkerAccount {
  readonly services: readonly Service[]
  /** Subjects that it hears. */
  readonly streams: readonly string[]
}

export interface Service {
  readonly subject: string
  /** What it is called in the importing account, where its own name is taken: of one subject only (see below). */
  readonly as?: string
  /** It may answer more than once. */
  readonly streamed?: true
}

/**
 * All that a worker does, and nothing else. Permissions alone would not do: whoever may send a request that is answered
 * can name any subject as the reply, and the server then publishes there. From an account of its own, a worker's requests
 * are answered into that account only, where nothing listens but what it may publish to anyway.
 *
 * - No consumers: one could be told to deliver to any subject of the orchestrators' account.
 * - No stream with roll-up headers, by which one message empties it: what trials save has a stream of its own.
 * - A subject with a wildcard keeps its name: a reply to one that was renamed brings nats-server 2.9 and 2.10 down. Requests
 *   for trials, to whichever consumer, are renamed by the orchestrators' account instead ({@link mappingsOf}).
 * - An account for each key: of two keys in one, either could have the other's subjects written by a reply.
 */
export function workerAccount(names: Names, key: string): WorkerAccount {
  const api = (request: string): Service => ({
    subject: `$JS.API.${request}`,
    as: `${prefixOfAccount(key)}.${request}`,
  })
  return {
    services: [
      // Take a trial, keep it, and say that it is done; a server may put its domain and account before the stream.
      api(`CONSUMER.INFO.${names.trials}.${names.consumer()}`),
      { subject: names.next('*'), streamed: true },
      { subject: `$JS.ACK.${names.trials}.*.>` },
      { subject: `$JS.ACK.*.*.${names.trials}.*.>` },
      // Tell of it. Whether it was given the trial, a subject's last part shows.
      { subject: names.result({}) },
      { subject: names.attempt({}) },
      { subject: names.event({}) },
      { subject: names.log({}) },
      { subject: names.upload({}) },
      { subject: names.checkpoint({}) },
      { subject: `$KV.${names.workers}.${key}.*` },
      // Read what is stored.
      ...[
        names.results,
        names.attempts,
        names.checkpoints,
        `KV_${names.controls}`,
        `KV_${names.lanes}`,
        `OBJ_${names.objects}`,
      ].map((stream) => api(`DIRECT.GET.${stream}`)),
      api(`STREAM.MSG.GET.${names.results}`),
    ],
    streams: [names.order({}), `$KV.${names.controls}.*`, `$KV.${names.lanes}.*`],
  }
}

/** What the orchestrators' account takes a subject for: by the subject, with `*` for a part, and with `$1` for it. */
export const mappingsOf = (names: Names): readonly (readonly [string, string])[] => [
  [names.next('*'), `$JS.API.CONSUMER.MSG.NEXT.${names.trials}.$1`],
]
