import type { StoredMsg } from '@nats-io/jetstream'
import { attemptMessage, decodeKept, encode, oldestProtocol, type AttemptMessage } from '../wire/protocol.js'
import type { RunKey } from '../wire/names.js'
import { isTaken } from '../wire/nats-errors.js'
import type { Broker } from '../wire/streams.js'

/** One begun attempt, and where it is stored. */
export interface BegunAttempt {
  readonly message: AttemptMessage
  readonly sequence: number
}

/**
 * Stores that an attempt begins, before it does: deliveries say nothing of this, since the server also counts those
 * into a dead connection or to a worker that refused. Each is a compare-and-set on the one before, so that two workers
 * never hold the same number.
 * @returns the attempt, or the last one when so many vanished that no other may begin.
 */
export async function beginAttempt(
  broker: Broker,
  key: RunKey,
  facts: { readonly worker: string; readonly nonce: string; readonly startedAtMs: number },
  { mayBeFirst, maxAttempts }: { readonly mayBeFirst: boolean; readonly maxAttempts: number },
): Promise<BegunAttempt | { readonly exhausted: AttemptMessage }> {
  // The first delivery of a trial is nearly always its first attempt: one round trip then, instead of two.
  let before = mayBeFirst ? undefined : await readAttempt(broker, key)
  for (;;) {
    const { message: last } = before ?? {}
    if (last?.nonce === facts.nonce) return { message: last, sequence: before!.sequence }
    if (last !== undefined && vanishedBefore(last) >= maxAttempts) return { exhausted: last }
    const message: AttemptMessage = {
      v: oldestProtocol,
      ...facts,
      attempt: (last?.attempt ?? 0) + 1,
      vanished: last === undefined ? 0 : vanishedBefore(last),
      standing: 'running',
      atMs: facts.startedAtMs,
      ...(last?.reason === undefined ? {} : { reason: last.reason }),
    }
    try {
      const text = encode(message)
      const sequence = await broker.publisher.publish(broker.names.attempt(key), text, before?.sequence ?? 0)
      return { message, sequence }
    } catch (error) {
      if (!isTaken(error)) throw error
      before = await readAttempt(broker, key)
    }
  }
}

/** How many attempts vanished, seen from the one that follows `last`. */
export function vanishedBefore(last: AttemptMessage): number {
  return last.vanished + (last.standing === 'running' || last.standing === 'lost' ? 1 : 0)
}

/** Says how an attempt ended that has no outcome; if another has begun since, its word stands. */
export async function closeAttempt(
  broker: Broker,
  key: RunKey,
  { message, sequence }: BegunAttempt,
  standing: Exclude<AttemptMessage['standing'], 'running'>,
  reason: string,
  atMs: number,
): Promise<void> {
  const text = encode({ ...message, standing, atMs, reason: reason.slice(0, 1_000) } satisfies AttemptMessage)
  await broker.publisher.publish(broker.names.attempt(key), text, sequence).catch((error: unknown) => {
    if (!isTaken(error)) throw error
  })
}

/** The latest attempt at a run. What is stored but is no attempt counts as none. @throws StoreError when a newer mlds began it. */
export async function readAttempt(broker: Broker, key: RunKey): Promise<BegunAttempt | undefined> {
  const query = { last_by_subj: broker.names.attempt(key) }
  const stored: StoredMsg | null = await broker.jsm.direct.getMessage(broker.names.attempts, query)
  if (stored === null) return undefined
  const message = decodeKept(attemptMessage, stored.string(), `the latest attempt at trial ${key.trial}`)
  return message === undefined ? { sequence: stored.seq, message: placeholder } : { message, sequence: stored.seq }
}

/** Stands for a stored message that can't be read: it keeps its place, and its number is not used again. */
const placeholder: AttemptMessage = {
  v: oldestProtocol,
  attempt: 1,
  vanished: 0,
  worker: 'unknown',
  nonce: 'unknown',
  startedAtMs: 0,
  standing: 'handed back',
  atMs: 0,
}
