import { attemptMessage, decodeKept, encode, oldestProtocol, type AttemptMessage } from '../wire/protocol.js'
import type { RunKey } from '../wire/names.js'
import { isHeldAlready, isTaken } from '../wire/nats-errors.js'
import { sealed, tagged, unsealed } from '../wire/run-tokens.js'
import type { Broker } from '../wire/streams.js'

/** One begun attempt, and where it is stored. */
export interface BegunAttempt {
  readonly message: AttemptMessage
  readonly sequence: number
}

type AttemptFacts = Pick<AttemptMessage, 'worker' | 'nonce' | 'startedAtMs'>

/**
 * Stores that an attempt begins, before it does: deliveries say nothing of this, since the server also counts those
 * into a dead connection or to a worker that refused. Each is a compare-and-set on the one before, so that two workers
 * never hold the same number.
 * @returns the attempt, or the last one when so many vanished that no other may begin.
 */
export async function beginAttempt(
  broker: Broker,
  run: RunKey,
  facts: AttemptFacts,
  { mayBeFirst, maxAttempts }: { readonly mayBeFirst: boolean; readonly maxAttempts: number },
): Promise<BegunAttempt | { readonly exhausted: AttemptMessage }> {
  // The first delivery of a trial is nearly always its first attempt: one round trip then, instead of two.
  let before = mayBeFirst ? undefined : await readAttempt(broker, run)
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
      return { message, sequence: await write(broker, run, message, before?.sequence ?? 0) }
    } catch (error) {
      if (!isTaken(error)) throw error
      before = await readAttempt(broker, run)
    }
  }
}

/**
 * With a token, each attempt and each end has a subject of its own, which nobody else can tell before it is used: what
 * stands there was written by someone who was given the run, even where another wrote over its words.
 */
function write({ publisher, names }: Broker, run: RunKey, message: AttemptMessage, after: number): Promise<number> {
  const text = encode(message)
  if (run.token === undefined) return publisher.publish(names.attempt(run), text, after)
  const what = message.standing === 'running' ? 'attempt' : 'end of attempt'
  const subject = names.attempt(tagged(run, `${what} ${message.attempt}`))
  return publisher.publish(subject, sealed(text, run.token), 0)
}

/** How many attempts vanished, seen from the one that follows `last`. */
export function vanishedBefore(last: AttemptMessage): number {
  return last.vanished + (last.standing === 'running' || last.standing === 'lost' ? 1 : 0)
}

/** Says how an attempt ended that has no outcome; if another has begun since, its word stands. */
export async function closeAttempt(
  broker: Broker,
  run: RunKey,
  { message, sequence }: BegunAttempt,
  standing: Exclude<AttemptMessage['standing'], 'running'>,
  reason: string,
  atMs: number,
): Promise<void> {
  const end: AttemptMessage = { ...message, standing, atMs, reason: reason.slice(0, 1_000) }
  await write(broker, run, end, sequence).catch((error: unknown) => {
    if (!isTaken(error) && !isHeldAlready(error)) throw error
  })
}

/** The latest attempt at a run. What is stored but is no attempt counts as none. @throws StoreError when a newer mlds began it. */
export async function readAttempt(broker: Broker, run: RunKey): Promise<BegunAttempt | undefined> {
  if (run.token !== undefined) return readTokened(broker, run, run.token)
  const stored = await broker.reads.last(broker.names.attempts, broker.names.attempt(run))
  if (stored === undefined) return undefined
  return { message: decodeAttempt(stored.text, run) ?? placeholder, sequence: stored.sequence }
}

const decodeAttempt = (text: string, { trial }: RunKey): AttemptMessage | undefined =>
  decodeKept(attemptMessage, text, `the latest attempt at trial ${trial}`)

/** One attempt after the other, each with its end. */
async function readTokened({ reads, names }: Broker, run: RunKey, token: string): Promise<BegunAttempt | undefined> {
  let latest: BegunAttempt | undefined
  for (let attempt = 1; ; attempt++) {
    const [begin, end] = await Promise.all(
      (['attempt', 'end of attempt'] as const).map((what) =>
        reads.last(names.attempts, names.attempt(tagged(run, `${what} ${attempt}`))),
      ),
    )
    if (begin === undefined) return latest
    const [begun, ended] = [begin, end].map((stored) => {
      const text = stored === undefined ? undefined : unsealed(stored.text, token)
      return text === undefined ? undefined : decodeAttempt(text, run)
    })
    // An end whose words another wrote over is not held against the trial.
    const standing = ended?.standing ?? (end === undefined ? 'running' : 'handed back')
    const vanished = begun?.vanished ?? (latest === undefined ? 0 : vanishedBefore(latest.message))
    const message = { ...(ended ?? begun ?? placeholder), attempt, vanished, standing }
    latest = { message, sequence: begin.sequence }
  }
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
